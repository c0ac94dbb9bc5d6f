# SPDX-License-Identifier: Apache-2.0
"""Kafka's own metrics for Prometheus, by the reporter that Strimzi has in its brokers, from Maven Central."""

from __future__ import annotations

from pathlib import Path

from stack.cache import cached, digest, run_step
from stack.component import LOOPBACK
from stack.kafka import Kafka
from stack.ports import free_port

POM = Path(__file__).parent / "kafka-metrics-pom.xml"
PORT = "metrics"
CLASSES = "io.strimzi.kafka.metrics"


def _reporter() -> Path:
    """The folder with its jars."""

    def make(folder: Path, log: Path) -> None:
        fetch = ["mvn", "-B", "-C", "-f", str(POM), "dependency:copy-dependencies"]
        fetch += [f"-DoutputDirectory={folder}", "-Daether.connector.http.retryHandler.count=5"]
        run_step("fetching Strimzi's metrics reporter from Maven Central", fetch, log=log)

    return cached(f"kafka-metrics-{digest(POM.read_bytes())}", make, what="fetching Strimzi's metrics reporter")


def export(kafka: Kafka, allowed: list[str]) -> None:
    """Before its start, as Strimzi sets it: it will show the metrics that match one of these patterns on its PORT."""
    kafka.more_jars = _reporter()
    kafka.ports[PORT] = free_port()
    kafka.properties = kafka.properties | {
        "metric.reporters": f"{CLASSES}.KafkaPrometheusMetricsReporter",
        "kafka.metrics.reporters": f"{CLASSES}.YammerPrometheusMetricsReporter",
        "prometheus.metrics.reporter.listener.enable": "true",
        "prometheus.metrics.reporter.listener": f"http://{LOOPBACK}:{kafka.ports[PORT]}",
        "prometheus.metrics.reporter.allowlist": ",".join(allowed),
    }
