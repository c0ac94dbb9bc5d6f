# SPDX-License-Identifier: Apache-2.0
"""How far Kafka is written and Redis has counted, asked directly, past all programs of ours."""

from __future__ import annotations

from pathlib import Path

import redis
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from stack.process import StackError, poll_until

VALUES = 1000
QUIET = {"log_level": 0, "socket.timeout.ms": 10_000}
CHUNK = 1024  # offsets in one bitmap of the counters


class Kafka:
    """Topics, their ends, and what is in them. Threads: one."""

    def __init__(self, brokers: str) -> None:
        self.brokers = brokers
        self._admin = AdminClient({"bootstrap.servers": brokers, **QUIET})
        settings = {"group.id": "bench-driver", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        self._consumer = Consumer({"bootstrap.servers": brokers, **settings, **QUIET})

    def close(self) -> None:
        self._consumer.close()

    def create(self, topic: str, partitions: int) -> None:
        self._admin.create_topics([NewTopic(topic, partitions, 1)], operation_timeout=30)[topic].result(40)
        self.wait_known(topic, partitions)

    def wait_known(self, topic: str, partitions: int) -> None:
        for _ in poll_until(30):
            known = self._admin.list_topics(topic, timeout=10).topics[topic].partitions
            if len(known) == partitions and all(each.leader >= 0 for each in known.values()):
                return
        raise StackError(f"topic {topic} has no leaders after 30 s")

    def delete(self, *topics: str) -> None:
        """Its files go, too, so that no disk fills up."""
        for done in self._admin.delete_topics(list(topics), operation_timeout=30).values():
            done.result(40)

    def written(self, topic: str, partitions: int) -> int:
        ends = (self._consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=10) for n in range(partitions))
        return sum(high for _low, high in ends)

    def write_values(self, topic: str, partitions: int, out: Path, count: int = VALUES) -> Path:
        """The values of the first records, one a line: what a bare producer is to send."""
        self._consumer.assign([TopicPartition(topic, n, 0) for n in range(partitions)])
        values: list[bytes] = []
        for _ in poll_until(30):
            for message in self._consumer.consume(count - len(values), 0.5):
                if message.error() is None:
                    values.append(message.value())
                elif message.error().code() != KafkaError._PARTITION_EOF:
                    raise StackError(f"reading {topic}: {message.error()}")
            if len(values) >= min(count, self.written(topic, partitions)):
                break
        self._consumer.unassign()
        if not values:
            raise StackError(f"{topic} holds no record")
        out.write_bytes(b"".join(value + b"\n" for value in values))
        return out


class Redis:
    """The counters of streams. Threads: any, one connection each."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)

    def close(self) -> None:
        self._client.close()

    def total(self, stream: str) -> int:
        return int(self._client.hget(f"{{{stream}}}:state", "total") or 0)

    def settled(self, stream: str, partitions: int) -> int:
        fields = [f"w:{number}" for number in range(partitions)]
        return sum(int(value or 0) for value in self._client.hmget(f"{{{stream}}}:state", fields))

    def shown(self, stream: str) -> int:
        """What people and Grafana see as the total."""
        return int(self._client.hget(f"{{{stream}}}:totals", "total") or 0)

    def has_counted(self, stream: str, partition: int, offset: int) -> bool:
        chunk, bit = divmod(offset, CHUNK)
        fields = [f"w:{partition}", f"b:{partition}:{chunk}"]
        watermark, bits = self._client.hmget(f"{{{stream}}}:state", fields)
        if int(watermark or 0) > offset:
            return True
        return bits is not None and bool(bits[bit // 8] & (0x80 >> bit % 8))

    def traffic(self) -> dict[str, int]:
        """Bytes since it started: of all commands, of all answers, and of the append-only file."""
        told = self._client.info("everything")
        names = {"in": "total_net_input_bytes", "out": "total_net_output_bytes", "aof": "aof_current_size"}
        return {name: int(told.get(field, 0)) for name, field in names.items()}

    def forget(self, *keys: str) -> None:
        self._client.delete(*keys)
