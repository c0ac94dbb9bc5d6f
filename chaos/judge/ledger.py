# SPDX-License-Identifier: Apache-2.0
"""What Kafka holds: the whole topic since the mesh began, read as it grows."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from support.countries import UNKNOWN, group_of

from chaos.judge.answers import id_of
from chaos.judge.plan import split_text
from chaos.judge.protocol import FOREIGN
from stack.process import poll_until

QUIET = {
    "log_level": 0,
    "socket.timeout.ms": 5000,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 300,
    "enable.auto.commit": False,
    "group.id": "judge",
}
READING = QUIET | {
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 50,
    "fetch.error.backoff.ms": 100,
    "queued.max.messages.kbytes": 16384,
}
BATCH_LEN_MAX = 2000
NUMBERS_AHEAD_MAX = 100_000  # nobody sends so far ahead of what has come already
NEWEST_LEN_MAX = 20_000
STALE_ENDS = 5  # so often the log must look shorter than what was read, before it is believed


class Entry:
    """One distinct event in Kafka. There are many: kept small."""

    __slots__ = ("id", "group", "payload", "run", "number")

    def __init__(self, event_id: int, group: str, payload: int, run: str, number: int) -> None:
        self.id = event_id
        self.group = group
        self.payload = payload  # payload_of()
        self.run = run  # label of the run that it was sent in; FOREIGN, or "" for nobody we know
        self.number = number


def payload_of(text: object, country: object) -> int:
    return hash((repr(text), repr(country)))


class Ends:
    """Asks for the end offsets. Threads: one at a time."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": brokers, **QUIET})
        self._topic = topic
        self._asked: list[TopicPartition] = []

    def now(self, seconds: float = 2) -> dict[int, int] | None:
        """End offset by partition; None while Kafka (or one leader) does not answer."""
        try:
            if not self._asked:
                partitions = self._consumer.list_topics(self._topic, timeout=seconds).topics[self._topic].partitions
                self._asked = [TopicPartition(self._topic, at, -1) for at in partitions]  # -1: the end, for "times"
            if not self._asked:
                return None
            found = self._consumer.offsets_for_times(self._asked, timeout=seconds)
        except KafkaException:
            return None
        if any(place.error is not None or place.offset < 0 for place in found):
            return None
        return {place.partition: place.offset for place in found}

    def close(self) -> None:
        self._consumer.close()


def first_record(brokers: str, topic: str) -> Message | None:
    """The first record of any partition that has one."""
    consumer = Consumer({"bootstrap.servers": brokers, **QUIET, "auto.offset.reset": "earliest"})
    try:
        partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        for _ in poll_until(10, 0):
            message = consumer.poll(0.5)
            if message is not None and not message.error():
                return message
    except KafkaException:
        pass  # away: nobody can say
    finally:
        consumer.close()
    return None


class Ledger:
    """Threads: one of its own, which reads; what others look at is guarded by `lock`."""

    def __init__(self, brokers: str, topic: str, count_by: str) -> None:
        self.lock = threading.Lock()  # guards all fields up to the next blank line
        self.places: dict[int, list[Entry | None]] = {}  # by partition and offset; None: no event
        self.ids: dict[int, Entry] = {}
        self.groups: Counter[str] = Counter()  # distinct events
        self.duplicates = 0
        self.not_counted = 0
        self.generation = 0  # how often the log was found to be another one
        self._tokens: list[list[Entry] | Entry | None] = []  # of the run in hand, by number
        self._label = ""
        self._labels: set[str] = {FOREIGN}
        self._strangers: list[Entry] = []

        self._count_by = count_by
        self._brokers, self._topic = brokers, topic
        self._consumer = Consumer({"bootstrap.servers": brokers, **READING})
        self._assigned = False
        self._stale = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="ledger", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(10)

    def begin_run(self, label: str) -> None:
        with self.lock:
            self._label = label
            self._labels.add(label)
            self._tokens = []

    def entries_of(self, number: int) -> list[Entry]:
        """The distinct events in Kafka that carry this token of the run in hand."""
        with self.lock:
            found = self._tokens[number] if number < len(self._tokens) else None
        if found is None:
            return []
        return found if isinstance(found, list) else [found]

    def numbers_from(self, first: int) -> list[int]:
        """Numbers of the run in hand that are at least this."""
        with self.lock:
            return [number for number in range(first, len(self._tokens)) if self._tokens[number] is not None]

    def is_ours(self, label: str) -> bool:
        """Of this run or an earlier one."""
        return label in self._labels

    def take_strangers(self) -> list[Entry]:
        """Events that nobody has sent, each told once."""
        with self.lock:
            found, self._strangers = self._strangers, []
            return found

    def at(self, partition: int, offset: int) -> Entry | None:
        with self.lock:
            held = self.places.get(partition, [])
            return held[offset] if offset < len(held) else None

    def has(self, event_id: int | None) -> bool:
        return event_id in self.ids

    def place_of(self, event_id: int | None) -> tuple[int, int] | None:
        """Partition and offset of one of the newest records with this id."""
        with self.lock:
            for partition, held in self.places.items():
                for offset in range(len(held) - 1, max(-1, len(held) - NEWEST_LEN_MAX), -1):
                    entry = held[offset]
                    if entry is not None and entry.id == event_id:
                        return partition, offset
        return None

    def reached(self, ends: dict[int, int]) -> bool:
        """All below these ends has been read."""
        with self.lock:
            return all(len(self.places.get(partition, ())) >= end for partition, end in ends.items())

    @property
    def in_doubt(self) -> bool:
        """The log looked shorter than what was read of it, when it was last looked at."""
        return self._stale > 0

    def look_at(self, ends: dict[int, int]) -> bool:
        """Compares with ends asked for just now. True: this is another log, begun anew.

        A leader that has just changed may tell less for a moment; so it must be seen several times.
        """
        with self.lock:
            shorter = any(end < len(self.places.get(partition, ())) for partition, end in ends.items())
            self._stale = self._stale + 1 if shorter else 0
            if self._stale < STALE_ENDS:
                return False
            self._stale = 0
            self._start_anew()
            return True

    def read_anew_if_remade(self) -> bool:
        """True: the first record is not the one that was read once, so all is read again.

        A log made anew that has grown beyond the old one shows in nothing else.
        """
        first = first_record(self._brokers, self._topic)
        if first is None:
            return False
        entry = self._entry(first.value())
        known = self.at(first.partition(), first.offset())
        if (entry.id if entry else None) == (known.id if known else None):
            return False
        with self.lock:
            self._start_anew()
        return True

    def _start_anew(self) -> None:
        print("this is another log than what was read: read anew", file=sys.stderr, flush=True)
        self.places, self.ids, self.groups, self._tokens = {}, {}, Counter(), []
        self.duplicates = self.not_counted = 0
        self.generation += 1
        self._assigned = False

    # The reading thread.

    def _read(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self._assigned:
                    self._assign()
                messages = self._consumer.consume(BATCH_LEN_MAX, 0.1)
            except (KafkaException, RuntimeError):
                self._stopping.wait(0.1)
                continue
            if messages:
                self._take(messages)
        self._consumer.close()

    def _assign(self) -> None:
        partitions = self._consumer.list_topics(self._topic, timeout=2).topics[self._topic].partitions
        if not partitions:
            raise KafkaException("no partitions yet")
        with self.lock:
            places = [TopicPartition(self._topic, at, len(self.places.setdefault(at, []))) for at in partitions]
            self._assigned = True
        self._consumer.assign(places)

    def _take(self, messages: list) -> None:
        for message in messages:
            if message.error():  # away, moving, or not there any more: asked again
                self._assigned = False
        with self.lock:
            generation = self.generation
        read = [(one.partition(), one.offset(), self._entry(one.value())) for one in messages if not one.error()]
        with self.lock:
            if generation != self.generation or not self._assigned:
                self._assigned = False  # read of a log that is gone, or to be read again: positions decide
                return
            for partition, offset, entry in read:
                self._put(partition, offset, entry)

    def _put(self, partition: int, offset: int, entry: Entry | None) -> None:
        held = self.places.setdefault(partition, [])
        if offset < len(held):
            return
        held.extend([None] * (offset - len(held)))  # no record there: compaction, or markers of transactions
        if entry is None:
            held.append(None)
            self.not_counted += 1
            return
        known = self.ids.get(entry.id)
        if known is not None:
            self.duplicates += 1
            held.append(known)
            return
        held.append(entry)
        self.ids[entry.id] = entry
        self.groups[entry.group] += 1
        if entry.run not in self._labels or entry.number > len(self._tokens) + NUMBERS_AHEAD_MAX:
            self._strangers.append(entry)
        elif entry.run == self._label:
            self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        tokens, number = self._tokens, entry.number
        tokens.extend([None] * (number + 1 - len(tokens)))
        before = tokens[number]
        if before is None:
            tokens[number] = entry
        else:
            tokens[number] = [*(before if isinstance(before, list) else [before]), entry]

    def _entry(self, value: bytes | None) -> Entry | None:
        """None: a record that is no event."""
        try:
            event = json.loads(value or b"")
            event_id, received_at = id_of(event["id"]), event["received_at"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if event_id is None or not isinstance(received_at, str):
            return None
        text, counted = event.get("text"), event.get(self._count_by)
        group = group_of(counted) if isinstance(counted, str) else UNKNOWN
        run, number = split_text(text) or ("", -1)
        if str(text).startswith(FOREIGN):
            run, number = FOREIGN, -1
        return Entry(event_id, sys.intern(group), payload_of(text, counted), sys.intern(run), number)
