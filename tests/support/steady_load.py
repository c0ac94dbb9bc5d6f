# SPDX-License-Identifier: Apache-2.0
"""A steady load beside the test: batches posted by a thread until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable

from support.http import Client


class SteadyLoad:
    """with SteadyLoad(port, path, batch, per_second=10) as load: … ; then load.sent events were acknowledged.

    batch(n) makes the events of the n-th request. Every request must be answered 202.
    """

    def __init__(self, port: int, path: str, batch: Callable[[int], list[dict]], per_second: float) -> None:
        self._client = Client(port)
        self._path = path
        self._batch = batch
        self._pause = 1 / per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0
        self.faults: list[str] = []

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            events = self._batch(number)
            answer = self._client.post(self._path, events)
            if answer.status == 202:
                self.sent += len(events)
            else:
                self.faults.append(f"{answer.status}: {answer.body[:200]!r}")
            number += 1
            self._stop.wait(self._pause)

    def __enter__(self) -> SteadyLoad:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        self._client.close()
        assert not self._thread.is_alive() and not self.faults, self.faults[:3]
