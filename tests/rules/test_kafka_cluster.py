# SPDX-License-Identifier: Apache-2.0
"""Goal: a broker that is away raises KafkaUnderReplicated, and nothing does while all are there.

Method: three real brokers with the metrics reporter that Strimzi gives them, set as the chart asks for; a real
Prometheus with the real rule files and shorter times; kill -9 of one broker, which is then started again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from beside import ALWAYS, expect_quiet, raised_and_cleared, shorter_rules
from foreign import OF_A_CLUSTER
from prometheus import Watch
from rulefiles import ALERTS, PROJECT, metrics_in, rules
from support.waiting import wait_for

from stack.component import LOOPBACK, Home
from stack.kafka import Kafka
from stack.kafka_cluster import KafkaCluster
from stack.kafka_metrics import PORT, export

BROKERS = 3
TOPICS = {"messages": 4}
SCRAPE_S = 2  # a broker has some thousand metrics
CHART = PROJECT / "helm/tweetmesh/templates/kafka.yaml"


def allowed() -> list[str]:
    """The metrics that the chart tells Strimzi's reporter to show."""
    found = re.search(r"metricsConfig:\n *type: strimziMetricsReporter\n *values: ({.*})$", CHART.read_text(), re.M)
    assert found, f"{CHART} asks for no strimziMetricsReporter"
    return yaml.safe_load(found[1])["allowList"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KafkaCluster]:
    home = Home(tmp_path)
    cluster = KafkaCluster(lambda name, number: Kafka(name, home, number=number), BROKERS)
    for broker in cluster.brokers:
        export(broker, allowed())
    try:
        cluster.start()
        cluster.create_topics(TOPICS)
        cluster.wait_in_sync(list(TOPICS))
        yield cluster
    finally:
        cluster.kill()


@pytest.fixture
def prometheus(cluster: KafkaCluster, tmp_path: Path) -> Iterator[Watch]:
    targets = {"kafka": [f"{LOOPBACK}:{broker.ports[PORT]}" for broker in cluster.brokers]}
    prometheus = Watch(tmp_path / "prometheus", targets, shorter_rules(), SCRAPE_S)
    try:
        yield prometheus
    finally:
        prometheus.stop()


def test_a_broker_that_is_away_is_told_by_what_strimzi_shows(cluster: KafkaCluster, prometheus: Watch) -> None:
    (metric,) = metrics_in(next(rule.expr for rule in rules(ALERTS) if rule.name == OF_A_CLUSTER))
    wait_for("every broker shows it", lambda: prometheus.has_samples(f"count({metric}) == {BROKERS}"))
    wait_for("nothing of ours runs", lambda: set(prometheus.firing()) == ALWAYS)
    expect_quiet(prometheus)
    broker = cluster.brokers[0]
    raised_and_cleared(prometheus, OF_A_CLUSTER, "one of three brokers away", broker.kill, broker.start)
