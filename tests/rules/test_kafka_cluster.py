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
from foreign import OF_A_CLUSTER
from prometheus import Watch
from rulefiles import ALERTS, LONGEST_S, PROJECT, RECORDING, metrics_in, rules, with_shorter_times
from support.waiting import wait_for
from table import TABLE, Row

from stack.component import LOOPBACK, Home
from stack.kafka import Kafka
from stack.kafka_cluster import KafkaCluster
from stack.kafka_metrics import PORT, export
from stack.process import poll_until

BROKERS = 3
TOPICS = {"messages": 4}
SCRAPE_S = 2  # a broker has some thousand metrics
RAISED_S = 60
CLEARED_S = 60
# None of our programs runs here.
ALWAYS = {"ProgramAbsent"}
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
    texts = {file.name: with_shorter_times(file.read_text()) for file in (RECORDING, ALERTS)}
    targets = {"kafka": [f"{LOOPBACK}:{broker.ports[PORT]}" for broker in cluster.brokers]}
    prometheus = Watch(tmp_path / "prometheus", targets, texts, SCRAPE_S)
    try:
        yield prometheus
    finally:
        prometheus.stop()


def test_a_broker_that_is_away_is_told_by_what_strimzi_shows(cluster: KafkaCluster, prometheus: Watch) -> None:
    (metric,) = metrics_in(next(rule.expr for rule in rules(ALERTS) if rule.name == OF_A_CLUSTER))
    wait_for("every broker shows it", lambda: prometheus.has_samples(f"count({metric}) == {BROKERS}"))
    seen: set[str] = set()
    for _ in poll_until(LONGEST_S, 0.3):
        _see(prometheus, seen)
    assert seen == ALWAYS

    row = Row("one of three brokers away", {OF_A_CLUSTER}, ALWAYS, seen)
    TABLE.append(row)
    cluster.brokers[0].kill()
    wait_for("it fires", lambda: OF_A_CLUSTER in _see(prometheus, seen), RAISED_S, 0.3)
    cluster.brokers[0].start()
    for left in poll_until(CLEARED_S, 0.3):
        if OF_A_CLUSTER not in _see(prometheus, seen):
            row.cleared_s = CLEARED_S - left
            break
    assert row.cleared_s is not None, "it still fires"
    assert seen == ALWAYS | {OF_A_CLUSTER}
    assert not prometheus.rule_errors()


def _see(prometheus: Watch, seen: set[str]) -> set[str]:
    """What fires now, noted in `seen`, too."""
    firing = set(prometheus.firing())
    seen |= firing
    return firing
