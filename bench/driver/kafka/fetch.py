# SPDX-License-Identifier: Apache-2.0
"""The other side: how fast a backlog is read back, by kcat, which is librdkafka and little else.

What kcat takes to start, to find the topic and to end is measured by reading one event of each partition, and left out.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.driver.bare_kafka import PARTITIONS, BareKafka
from bench.driver.kafka.points import FETCH_BYTES, LINGER_US
from bench.driver.tools import run_text
from stack.process import StackError, cpu_seconds

SECONDS = 60.0
IDLE_READS = 2  # the quicker one counts
WAIT_MS = 10  # at the end of the log the broker holds an answer back for so long


@dataclass(frozen=True)
class Fetch:
    """One backlog read to its end."""

    FIGURES: ClassVar[tuple[str, ...]] = ("events_per_s", "client_us", "broker_us", "disk_bytes")

    events_per_s: float
    client_us: float  # CPU per event
    broker_us: float
    disk_bytes: float  # per event, that the broker had to read from the disk; 0: all came from the page cache


@dataclass(frozen=True)
class _Spent:
    seconds: float
    client_s: float
    broker_s: float
    disk_bytes: int


def read_from_disk(pid: int) -> int:
    """Bytes that this process has had fetched from a disk so far."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes:"))


def command(brokers: str, topic: str, size: int, offset: str) -> list[str]:
    """offset: "beginning", or -1 for the last event of each partition."""
    words = ["kcat", "-C", "-q", "-e", "-b", brokers, "-t", topic, "-o", offset, "-f", ""]
    settings = {
        "fetch.message.max.bytes": size,
        "fetch.wait.max.ms": WAIT_MS,
        "queued.min.messages": 1_000_000,
    }
    return words + [word for name, value in settings.items() for word in ("-X", f"{name}={value}")]


def _read(bare: BareKafka, words: list[str]) -> _Spent:
    broker = bare.broker.pid
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    broker_s, disk = cpu_seconds(broker), read_from_disk(broker)
    began = time.monotonic()
    run_text(words, SECONDS)
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _Spent(seconds, client_s, cpu_seconds(broker) - broker_s, read_from_disk(broker) - disk)


def fetches(bare: BareKafka, values: Path, count: int) -> Iterator[tuple[int, Fetch]]:
    """Writes so many events and reads them back, with each size of an answer."""
    topic = bare.produce(values, count=count, linger_us=LINGER_US, keep=True)["topic"]
    try:
        stored = bare.kafka.written(topic, PARTITIONS)
        nothing = command(bare.kafka.brokers, topic, FETCH_BYTES[-1], "-1")
        idle = min((_read(bare, nothing) for _ in range(IDLE_READS)), key=lambda spent: spent.seconds)
        for size in FETCH_BYTES:
            spent = _read(bare, command(bare.kafka.brokers, topic, size, "beginning"))
            yield size, fetch_of(spent, idle, stored)
    finally:
        bare.kafka.delete(topic)


def fetch_of(spent: _Spent, idle: _Spent, events: int) -> Fetch:
    seconds = spent.seconds - idle.seconds
    if seconds <= 0:
        raise StackError("the backlog is too small: reading it took no time")
    return Fetch(
        events / seconds,
        1e6 * max(0.0, spent.client_s - idle.client_s) / events,
        1e6 * max(0.0, spent.broker_s - idle.broker_s) / events,
        spent.disk_bytes / events,
    )
