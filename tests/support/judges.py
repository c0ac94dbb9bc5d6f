# SPDX-License-Identifier: Apache-2.0
"""Independent judges: what Kafka, Redis and MongoDB hold, read by other clients than ours.

They know the design's data layout and none of our code, so that the audit is judged as well.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pymongo
import redis
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from stack.process import poll_until
from support.countries import group_of as country_group
from support.kafka_wire import delete_records
from support.streams import Stream
from support.waiting import wait_for

QUIET = {"log_level": 0, "socket.timeout.ms": 10000}


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: dict[str, str]
    timestamp_ms: int

    @property
    def event(self) -> dict:
        return json.loads(self.value)


@dataclass(frozen=True)
class Counts:
    """A stream's counters, as Redis holds them."""

    groups: dict[str, int]
    total: int
    watermarks: dict[int, int]


def seen_in_redis(counts: Counts, shown: dict[str, int], shown_total: int) -> dict[str, int]:
    """All figures under names of their own, so that differences can be listed."""
    return {
        **{f"count of {name}": count for name, count in counts.groups.items()},
        **{f"shown count of {name}": count for name, count in shown.items()},
        **{f"watermark of partition {partition}": mark for partition, mark in counts.watermarks.items()},
        "total": counts.total,
        "shown total": shown_total,
    }


class Log:
    """Kafka as others see it; one connection for the whole run, because making and closing one takes a second."""

    def __init__(self, brokers: str) -> None:
        common = {"bootstrap.servers": brokers, "reconnect.backoff.max.ms": 500, **QUIET}
        reading = {"group.id": "tests-judge", "enable.auto.commit": False, "fetch.wait.max.ms": 10}
        self._consumer = Consumer({**common, **reading, "auto.offset.reset": "earliest"})
        self._producer = Producer({**common, "acks": "all"})

    def ends(self, topic: str) -> dict[int, int]:
        for left in poll_until(60, 0.2):
            try:
                return self._ends(topic)
            except KafkaException:  # a broker that has just come back, a topic that was just made
                if left < 1:
                    raise
        raise AssertionError(f"Kafka does not tell the ends of {topic}")

    def _ends(self, topic: str) -> dict[int, int]:
        partitions = self._consumer.list_topics(topic, timeout=5).topics[topic].partitions
        places = [TopicPartition(topic, at) for at in partitions]
        found = {place.partition: self._consumer.get_watermark_offsets(place, timeout=5)[1] for place in places}
        return {partition: end for partition, end in found.items() if end > 0}

    def records(self, topic: str) -> list[Record]:
        ends = self.ends(topic)
        missing = dict(ends)
        found: list[Record] = []
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in ends])
        for _ in poll_until(60, 0):
            if not missing:
                break
            for message in self._consumer.consume(5000, 0.05):
                if message.error():
                    raise KafkaException(message.error())
                found.append(_record(message))
                if message.offset() + 1 >= ends[message.partition()]:
                    missing.pop(message.partition(), None)
        self._consumer.unassign()
        assert not missing, f"Kafka did not give all of {topic}: missing up to {missing}"
        return sorted(found, key=lambda record: (record.partition, record.offset))

    def produce(self, topic: str, values: list[bytes], partition: int) -> None:
        failed: list[str] = []

        def delivered(error: object, _message: object) -> None:
            if error is not None:
                failed.append(str(error))

        where = {} if partition < 0 else {"partition": partition}
        for value in values:
            self._producer.produce(topic, value, on_delivery=delivered, **where)
        assert self._producer.flush(30) == 0 and not failed, failed


def forget_logs() -> None:
    """Before a topic is made anew: a handle of librdkafka 2.8 that sees one name with two ids
    corrupts its memory (its issue 4964), so whoever knew the old topic must not see the new one."""
    _log.cache_clear()


@cache
def _log(brokers: str) -> Log:
    return Log(brokers)


class Judge:
    """Looks at one stack. Threads: one."""

    def __init__(self, brokers: str, redis_url: str, mongo_url: str, database: str) -> None:
        self.brokers = brokers
        self.redis = redis.Redis.from_url(redis_url, decode_responses=False)
        self.mongo = pymongo.MongoClient(mongo_url, serverSelectionTimeoutMS=10000)
        self.database = self.mongo[database]

    def close(self) -> None:
        self.redis.close()
        self.mongo.close()

    # Kafka

    def ends(self, topic: str) -> dict[int, int]:
        """End offset by partition, of those partitions that hold anything."""
        return _log(self.brokers).ends(topic)

    def records(self, topic: str) -> list[Record]:
        """Everything that is in the topic now, in the order of partitions and offsets."""
        return _log(self.brokers).records(topic)

    def committed(self, topic: str, group: str) -> dict[int, int]:
        """What the consumer group has committed, by partition."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": group, **QUIET})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            answers = consumer.committed([TopicPartition(topic, at) for at in partitions], timeout=10)
        finally:
            consumer.close()
        return {answer.partition: answer.offset for answer in answers if answer.offset > 0}

    def produce(self, topic: str, values: list[bytes], partition: int = -1) -> None:
        """Puts records into Kafka past our programs."""
        _log(self.brokers).produce(topic, values, partition)

    def drop_records(self, topic: str, ends: dict[int, int] | None = None) -> dict[int, int]:
        """Makes Kafka forget the records below these offsets (all, unless told), as retention would; returns them."""
        ends = self.ends(topic) if ends is None else ends
        delete_records(self.brokers, topic, ends)
        return ends

    # Redis

    def counts(self, stream: Stream) -> Counts:
        """The truth: `{stream}:state`."""
        state = self.redis.hgetall(f"{{{stream.name}}}:state")
        groups = {key[2:].decode(): int(value) for key, value in state.items() if key.startswith(b"c:")}
        marks = {int(key[2:]): int(value) for key, value in state.items() if key.startswith(b"w:")}
        return Counts({name: count for name, count in groups.items() if count}, int(state.get(b"total", 0)), marks)

    def shown(self, stream: Stream) -> dict[str, int]:
        """What people and Grafana see: `{stream}:<count_by>`."""
        shown = self.redis.hgetall(f"{{{stream.name}}}:{stream.count_by}")
        return {key.decode(): int(value) for key, value in shown.items() if int(value)}

    def shown_total(self, stream: Stream) -> int:
        return int(self.redis.hget(f"{{{stream.name}}}:totals", "total") or 0)

    # MongoDB

    def documents(self, stream: Stream) -> dict[str, dict]:
        return {document["_id"]: document for document in self.database[stream.collection].find()}

    # All three

    def expect_equal(
        self,
        stream: Stream,
        events: int | None = None,
        seconds: float = 60,
        group_of: Callable[[str], str] = country_group,
    ) -> dict[str, dict]:
        """Waits until archive and counters equal the log (which must be at rest); returns the documents.

        Equal: one document for each distinct id in Kafka and no other; each group's count is that of
        the distinct ids; all watermarks at the ends; the derived hashes say the same.
        """
        first_of: dict[str, Record] = {}
        for record in self.records(stream.topic):
            first_of.setdefault(record.event["id"], record)
        if events is not None:
            assert len(first_of) == events, f"Kafka holds {len(first_of)} distinct events, expected {events}"
        groups = dict(Counter(group_of(record.event[stream.count_by]) for record in first_of.values()))
        ends = self.ends(stream.topic)
        wait_for("the archive has every event", lambda: self._archived(stream) >= len(first_of), seconds)
        documents = self.documents(stream)
        assert set(documents) == set(first_of), "ids in the archive are not those in Kafka"
        expected = seen_in_redis(Counts(groups, len(first_of), ends), groups, len(first_of))
        seen: dict[str, int] = {}
        for _ in poll_until(seconds, 0.1):
            seen = seen_in_redis(self.counts(stream), self.shown(stream), self.shown_total(stream))
            if seen == expected:
                return documents
        differing = sorted(name for name in expected | seen if expected.get(name) != seen.get(name))
        lines = [f"  {name}: Kafka {expected.get(name)}, Redis {seen.get(name)}" for name in differing]
        raise AssertionError("\n".join([f"Redis does not equal Kafka within {seconds:g} s", *lines]))

    def _archived(self, stream: Stream) -> int:
        return self.database[stream.collection].count_documents({})


def _record(message: object) -> Record:
    return Record(
        partition=message.partition(),
        offset=message.offset(),
        key=message.key(),
        value=message.value(),
        headers={name: (value or b"").decode() for name, value in message.headers() or []},
        timestamp_ms=message.timestamp()[1],
    )
