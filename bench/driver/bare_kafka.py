# SPDX-License-Identifier: Apache-2.0
"""The bare producer against the broker, each run into a topic of its own; what it cost the broker, and its disk."""

from __future__ import annotations

from pathlib import Path

from bench.driver.stores import Kafka
from bench.driver.tools import Tools
from stack.kafka import Kafka as Broker
from stack.kafka_log import log_bytes
from stack.process import StackError, cpu_seconds

PARTITIONS = 4


class BareKafka:
    """Threads: one."""

    def __init__(self, tools: Tools, kafka: Kafka, broker: Broker) -> None:
        self.kafka = kafka
        self.broker = broker
        self._tools = tools
        self._topics = 0

    def produce(
        self,
        values: Path,
        *,
        partitions: int = PARTITIONS,
        seconds: float = 0,
        acks: str = "all",
        keep: bool = False,
        **options: object,
    ) -> dict:
        """What bench-producer says, and of all that it has stored: the broker's CPU time and disk, per event.

        keep: the topic stays, as "topic". Raises StackError where the topic does not hold what was acknowledged; with
        acks 0 nothing was, and "missing" says how much is not there.
        """
        self._topics += 1
        topic = f"bare-{self._topics}"
        self.kafka.create(topic, partitions)
        try:
            before = cpu_seconds(self.broker.pid)
            run = self._tools.producer(self.kafka.brokers, topic, values, seconds=seconds, acks=acks, **options)
            spent = cpu_seconds(self.broker.pid) - before
            missing = run["stored"] - self.kafka.written(topic, partitions)
            if missing and acks != "0":
                raise StackError(f"{topic}: {run['stored']:,} events acknowledged, {missing:,} of them not there")
            bytes_each = log_bytes(self.broker, topic) / max(1, run["stored"] - missing)
        except BaseException:
            self.kafka.delete(topic)
            raise
        if not keep:
            self.kafka.delete(topic)
        each = 1e6 * spent / max(1, run["stored"])
        return run | {"broker_us": each, "log_bytes": bytes_each, "missing": missing, "topic": topic}
