# SPDX-License-Identifier: Apache-2.0
"""Looks at the counters while the run goes on: none may be above what Kafka holds at that moment (I3)."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from chaos.judge.counters import Counters
from chaos.judge.findings import Findings
from chaos.judge.ledger import Ends, Ledger
from chaos.judge.live import Live

SAMPLE_S = 0.1
ABOVE_MAX = 1000
WAITING_MAX = 3000  # samples that wait for the ledger to read as far as they did


@dataclass
class Below:
    """How many records lie below the ends that were looked at last, by group; "" is all of them."""

    generation: int = 0
    reached: dict[int, int] = field(default_factory=dict)
    records: Counter[str] = field(default_factory=Counter)

    def advance(self, ledger: Ledger, ends: dict[int, int]) -> None:
        """ledger.lock is held, and the ledger has read as far."""
        if self.generation != ledger.generation:
            self.generation, self.reached, self.records = ledger.generation, {}, Counter()
        for partition, end in ends.items():
            for entry in ledger.places.get(partition, [])[self.reached.get(partition, 0) : end]:
                if entry is not None:
                    self.records[entry.group] += 1
                    self.records[""] += 1
            self.reached[partition] = max(end, self.reached.get(partition, 0))


@dataclass
class Sample:
    at: float
    generation: int
    ends: dict[int, int]
    redis: dict[str, int]
    live: dict[str, int]


class Sampler:
    """Threads: one of its own."""

    def __init__(self, ledger: Ledger, ends: Ends, counters: Counters, live: Live | None) -> None:
        self._ledger, self._ends, self._counters = ledger, ends, counters
        self.live = live
        self._lock = threading.Lock()  # guards all up to the next blank line
        self._findings: Findings | None = None
        self._strict = True  # a log that got shorter is a violation
        self._above: list[str] = []  # said when the run ends, unless the log was another one by then
        self.samples = self.skipped = self.overshoot = 0

        self._waiting: deque[Sample] = deque()
        self._below = Below()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(10)
        if self.live:
            self.live.close()

    def begin(self, findings: Findings | None, strict: bool) -> None:
        """From now on for this run; None: only looked at."""
        with self._lock:
            self._findings, self._strict, self._above = findings, strict, []
            self.samples = self.skipped = self.overshoot = 0

    def end(self, remade: bool) -> None:
        """Of this run. remade: another topic has its name now, and the old counts stand until people decide."""
        with self._lock:
            if remade:
                self.overshoot = 0
            elif self._findings:
                for text in self._above:
                    self._findings.add("I3", text)
            self._findings = None

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            with self._lock:
                self._sample()
                self._judge()
            due = max(due + SAMPLE_S, time.monotonic() + SAMPLE_S / 5)
            self._stopping.wait(due - time.monotonic())

    def _sample(self) -> None:
        """The counters first, Kafka's ends after them: what is above is above in truth."""
        seen = self._counters.now()
        live = self.live.highest() if self.live else {}
        generation = self._ledger.generation
        ends = self._ends.now(1) if seen or live else None
        if ends is None:
            self.skipped += 1
            return
        if self._ledger.look_at(ends):
            if self._strict and self._findings:
                self._findings.add("I3", f"Kafka's log got shorter: {ends}")
            return
        if self._ledger.in_doubt:  # these ends may be another log's
            self.skipped += 1
            return
        if seen is None:
            self.skipped += 1
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(Sample(time.monotonic(), generation, ends, seen.highest() if seen else {}, live))

    def _judge(self) -> None:
        while self._waiting:
            sample = self._waiting[0]
            with self._ledger.lock:
                if sample.generation == self._ledger.generation:
                    held = self._ledger.places
                    if any(len(held.get(partition, ())) < end for partition, end in sample.ends.items()):
                        return
                    self._below.advance(self._ledger, sample.ends)
            self._waiting.popleft()
            if sample.generation == self._below.generation:
                self._compare(sample)

    def _compare(self, sample: Sample) -> None:
        self.samples += 1
        for source, counts in (("Redis", sample.redis), ("live", sample.live)):
            for name, count in counts.items():
                above = count - self._below.records[name]
                if above <= 0:
                    continue
                self.overshoot = max(self.overshoot, above)
                if len(self._above) < ABOVE_MAX:
                    what, held = f"count of {name}" if name else "total", self._below.records[name]
                    self._above.append(f"{source}: {what} was {count}, but Kafka held {held} records")
