# SPDX-License-Identifier: Apache-2.0
"""A Kafka cluster: brokers that are controllers as well, every record on each of them, two must have it.

While less than two of three are there, nothing is acknowledged and nothing is elected.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stack.kafka import QUIET, Kafka, create_topics
from stack.process import StackError, poll_until

IN_SYNC_MIN = 2
STOP_SECONDS = 5  # the last ones cannot hand over to anybody, and do not end by themselves

# A broker that has died is missed, and its partitions and the controller's work given to others,
# within about two seconds.
PROPERTIES = {
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.election.backoff.max.ms": "200",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.request.timeout.ms": "1000",
    "replica.lag.time.max.ms": "3000",
    "controlled.shutdown.max.retries": "1",
}


class KafkaCluster:
    """Several brokers as one Kafka: what it can do, it does to all. Calls from one thread."""

    name = "kafka"

    def __init__(self, make: Callable[[str, int], Kafka], count: int) -> None:
        """make: a broker by its name and number."""
        self.brokers = [make(f"kafka-{number}", number) for number in range(1, count + 1)]
        copies = {
            "default.replication.factor": str(count),
            "offsets.topic.replication.factor": str(count),
            "transaction.state.log.replication.factor": str(count),
            "transaction.state.log.min.isr": str(IN_SYNC_MIN),
            "min.insync.replicas": str(IN_SYNC_MIN),
        }
        for broker in self.brokers:
            broker.brokers = self.brokers
            broker.properties = PROPERTIES | copies
            broker.stop_seconds = STOP_SECONDS

    @property
    def url(self) -> str:
        """All brokers, as KAFKA_BROKERS takes it."""
        return ",".join(broker.url for broker in self.brokers)

    def alive(self) -> bool:
        """Whether any of them runs."""
        return any(broker.alive() for broker in self.brokers)

    def launch(self) -> None:
        """Begins to start those that do not run."""
        for broker in self.brokers:
            if not broker.alive():
                broker.launch()

    def wait_ready(self, seconds: float | None = None) -> None:
        for broker in self.brokers:
            broker.wait_ready(seconds)

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        for broker in reversed(self.brokers):
            broker.stop()

    def kill(self) -> None:
        for broker in self.brokers:
            broker.kill()

    def pause(self) -> None:
        for broker in self.brokers:
            broker.pause()

    def resume(self) -> None:
        for broker in self.brokers:
            broker.resume()

    def create_topics(self, topics: dict[str, int]) -> list[str]:
        """Creates the missing ones of the topics {name: partitions}; returns what it created."""
        return create_topics(self.url, topics)

    def _partition(self, topic: str, partition: int) -> object | None:
        try:
            admin = AdminClient({"bootstrap.servers": self.url, **QUIET})
            return admin.list_topics(topic, timeout=5).topics[topic].partitions.get(partition)
        except KafkaException:
            return None

    def leader_of(self, topic: str, partition: int, seconds: float = 30) -> Kafka:
        """The broker that leads this partition; waits until it has a leader that runs."""
        for _ in poll_until(seconds, 0.1):
            known = self._partition(topic, partition)
            leader = next((b for b in self.brokers if known and b.number == known.leader and b.alive()), None)
            if leader is not None:
                return leader
        raise StackError(f"partition {partition} of {topic} has had no leader for {seconds:g} s")

    def wait_in_sync(self, topics: list[str], seconds: float = 60) -> None:
        """Waits until every broker has caught up with every partition of these topics."""
        behind: list[str] = []
        for _ in poll_until(seconds, 0.1):
            behind = self._behind(topics)
            if not behind:
                return
        raise StackError(f"not in sync after {seconds:g} s: {', '.join(behind)}")

    def _behind(self, topics: list[str]) -> list[str]:
        try:
            present = AdminClient({"bootstrap.servers": self.url, **QUIET}).list_topics(timeout=5).topics
        except KafkaException as error:
            return [str(error)]
        unknown = [topic for topic in topics if topic not in present]  # by the broker that was asked, yet
        return unknown + [
            f"{topic} {partition.id}"
            for topic in topics
            if topic in present
            for partition in present[topic].partitions.values()
            if len(partition.isrs) < len(self.brokers)
        ]
