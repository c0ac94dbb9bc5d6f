# SPDX-License-Identifier: Apache-2.0
"""./mesh bench --kafka: how Kafka itself behaves, by bare librdkafka, with plots and a page of the documentation."""
