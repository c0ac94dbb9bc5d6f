# SPDX-License-Identifier: Apache-2.0
"""Waits until a mesh at rest has Kafka = Redis = MongoDB, and says when that was, or what differs."""

from __future__ import annotations

import time
from collections.abc import Iterable

from pymongo.errors import PyMongoError
from support.judges import Counts, seen_in_redis

from chaos.judge.archive import Archive
from chaos.judge.counters import Counters, Seen
from chaos.judge.ledger import Ends, Ledger
from stack.process import poll_until

POLL_S = 0.05
NEWEST = 3  # documents of each partition that are looked for before MongoDB is asked to count


class Rest:
    """Threads: one at a time."""

    def __init__(self, ledger: Ledger, ends: Ends, counters: Counters, archive: Archive) -> None:
        self._ledger, self._ends, self._counters, self._archive = ledger, ends, counters, archive
        self.missing = "nothing was looked at"

    def wait_equal(self, seconds: float) -> float | None:
        """When all three were seen equal, on the monotonic clock; None: not in time, see missing."""
        deadline = time.monotonic() + seconds
        while True:
            at = time.monotonic()
            if self._equal():
                return at
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_S)

    def wait_read(self, seconds: float) -> bool:
        """Until the ledger has read all that is in Kafka; False: Kafka did not let it."""
        return any(self._read(self._ends.now()) for _ in poll_until(seconds, POLL_S))

    def wait_archived(self, seconds: float) -> bool:
        """Until MongoDB has as many documents as Kafka has events."""
        return any(self._try_archived() for _ in poll_until(seconds, POLL_S))

    def _read(self, ends: dict[int, int] | None) -> bool:
        if ends is None:
            return self._is_missing("Kafka does not answer")
        if self._ledger.reached(ends):
            return True
        self._ledger.look_at(ends)
        return self._is_missing("Kafka does not give all records")

    def _try_archived(self) -> bool:
        try:
            return self._archived()
        except PyMongoError as error:
            return self._is_missing(f"MongoDB does not answer: {type(error).__name__}")

    def difference(self) -> dict[str, tuple[int, int]]:
        """Figures that differ now: what Kafka makes them, what Redis says."""
        ends, seen = self._ends.now(), self._counters.now()
        if ends is None or seen is None:
            return {}
        return self._differing(ends, seen)

    def _differing(self, ends: dict[int, int], seen: Seen) -> dict[str, tuple[int, int]]:
        ledger = self._ledger
        with ledger.lock:
            groups, total = dict(ledger.groups), len(ledger.ids)
        wanted = seen_in_redis(Counts(groups, total, {at: end for at, end in ends.items() if end}), groups, total)
        held = seen.figures()
        names = wanted.keys() | held.keys()
        return {name: (wanted.get(name, 0), held.get(name, 0)) for name in names if wanted.get(name) != held.get(name)}

    def _equal(self) -> bool:
        ends = self._ends.now()
        if not self._read(ends):
            return False
        seen = self._counters.now()
        if seen is None:
            return self._is_missing("Redis does not answer")
        if differing := self._differing(ends, seen):
            return self._is_missing(f"Redis differs: {said(differing)}")
        return self._try_archived()

    def _archived(self) -> bool:
        for entry_id in self._newest():
            if self._archive.document(entry_id) is None:
                return self._is_missing("MongoDB lacks a document")
        documents, events = self._archive.count(), len(self._ledger.ids)
        if documents != events:
            return self._is_missing(f"MongoDB has {documents} documents, Kafka {events} events")
        return True

    def _newest(self) -> Iterable[int]:
        with self._ledger.lock:
            held = [entry for places in self._ledger.places.values() for entry in places[-NEWEST:]]
        return [entry.id for entry in held if entry is not None]

    def _is_missing(self, what: str) -> bool:
        self.missing = what
        return False


def said(differing: dict[str, tuple[int, int]]) -> str:
    listed = [f"{name}: Kafka {kafka}, Redis {redis}" for name, (kafka, redis) in sorted(differing.items())[:4]]
    return "; ".join(listed) + (f" and {len(differing) - 4} more" if len(differing) > 4 else "")
