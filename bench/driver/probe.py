# SPDX-License-Identifier: Apache-2.0
"""Single events sent beside the load, and how long after its 202 each is counted in Redis."""

from __future__ import annotations

import http.client
import json
import time

from bench.driver.stores import Redis
from stack.process import StackError

PAUSE_S = 0.04  # between two probes, so that they are no load
LOOK_S = 0.0002  # between two looks at Redis
LOST_S = 5.0  # a hint was lost; the settling will count it


class Probe:
    """Threads: one, which need not be the one that made it."""

    def __init__(self, port: int, path: str, stream: str, body: str, redis_url: str) -> None:
        self.acked = 0
        self.waits_ms: list[float] = []
        self._path = path
        self._stream = stream
        self._body = body.encode()
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._redis = Redis(redis_url)

    def once(self) -> None:
        """Sends one, and waits until it is counted. Raises StackError for anything but a 202."""
        self._http.request("POST", self._path, self._body, {"Content-Type": "application/json"})
        answer = self._http.getresponse()
        body = answer.read()
        began = time.perf_counter()
        if answer.status != 202:
            raise StackError(f"a probe was answered {answer.status}: {body[:200]!r}")
        self.acked += 1
        told = json.loads(body)
        if told["offset"] is None:
            return
        while not self._redis.has_counted(self._stream, told["partition"], told["offset"]):
            if time.perf_counter() - began > LOST_S:
                break
            time.sleep(LOOK_S)
        self.waits_ms.append(1000 * (time.perf_counter() - began))

    def close(self) -> None:
        self._http.close()
        self._redis.close()
