/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mock_kafka: librdkafka's own mock broker with the topics of the streams, for tests.
 *
 * Threads: the test's.
 */
#ifndef MOCK_KAFKA_H
#define MOCK_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdbool.h>
#include <stdint.h>

enum { PRODUCE_REQUEST = 0, MOCK_PARTITIONS = 4 };

struct mock_kafka {
    rd_kafka_t *host; /* only carries the cluster */
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers; /* as KAFKA_BROKERS takes it */
};

/* Brokers 1 to broker_count with the topic `messages`. */
void mock_kafka_start(struct mock_kafka *mock, int broker_count);
/* The broker that leads the partition: they take turns. */
int32_t mock_kafka_leader(int32_t partition, int broker_count);
void mock_kafka_stop(struct mock_kafka *mock);
/* Every answer takes so long from now on. */
void mock_kafka_slow(struct mock_kafka *mock, int ms);

/* Polls until check(arg) or until the deadline; returns what check said last. */
bool wait_until(bool (*check)(void *arg), void *arg, uint32_t ms_max);

#endif
