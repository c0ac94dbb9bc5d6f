# SPDX-License-Identifier: Apache-2.0
"""A fresh event after healing: how long until it is in Kafka, in MongoDB, and settled in Redis (I6)."""

from __future__ import annotations

import threading
import time

from pymongo.errors import PyMongoError

from chaos.judge.archive import Archive
from chaos.judge.book import Book
from chaos.judge.counters import Counters
from chaos.judge.ledger import Ledger
from chaos.judge.plan import Event, Outcome, split_place
from chaos.judge.senders import Entrances

GIVEN_UP_S = 120.0


class Probe:
    """Threads: one of its own, until it is visible, given up or cancelled."""

    def __init__(self, book: Book, entrances: Entrances, ledger: Ledger, archive: Archive, counters: Counters) -> None:
        """Entrances, archive and counters are its own from now on."""
        self._book, self._entrances, self._ledger = book, entrances, ledger
        self._archive, self._counters = archive, counters
        self.healed_at = time.monotonic()
        self.visible_s: float | None = None
        self.reached_s: dict[str, float] = {}  # "acked", "kafka", "mongodb", "redis": seconds from healing
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """It gives up when the request that is under way has been answered."""
        self._stopping.set()

    def join(self) -> None:
        self._thread.join()

    def wait(self, seconds: float) -> float | None:
        """Seconds until it was visible everywhere, looked at for so long at most."""
        self._thread.join(seconds)
        self.cancel()
        self.join()
        return self.visible_s

    def _run(self) -> None:
        try:
            self._watch()
        finally:
            self._entrances.close()
            self._archive.close()
            self._counters.close()

    def _watch(self) -> None:
        request = self._book.take_probe()
        event = request.events[0]
        while not self._over() and event.outcome != Outcome.ACKED:
            self._entrances.send(request, self._book)
            if event.outcome != Outcome.ACKED:
                self._stopping.wait(0.1)
        if event.outcome != Outcome.ACKED or event.id is None:
            return
        self._reach("acked")
        while not self._over():
            self._look(event)
            if "kafka" in self.reached_s and "mongodb" in self.reached_s and "redis" in self.reached_s:
                self.visible_s = max(self.reached_s.values())
                return
            self._stopping.wait(0.05)

    def _over(self) -> bool:
        return self._stopping.is_set() or time.monotonic() - self.healed_at > GIVEN_UP_S

    def _look(self, event: Event) -> None:
        if "kafka" not in self.reached_s and self._ledger.has(event.id):
            self._reach("kafka")
        if "mongodb" not in self.reached_s:
            try:
                if self._archive.document(event.id) is not None:
                    self._reach("mongodb")
            except PyMongoError:
                pass  # away: asked again
        if "redis" not in self.reached_s:
            told = event.place
            place = split_place(told) if told is not None else self._ledger.place_of(event.id)
            if place is not None and self._counters.watermark(place[0]) > place[1]:
                self._reach("redis")

    def _reach(self, where: str) -> None:
        self.reached_s[where] = time.monotonic() - self.healed_at
