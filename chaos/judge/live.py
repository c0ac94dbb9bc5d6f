# SPDX-License-Identifier: Apache-2.0
"""The live counters, as a browser gets them: connects again whenever it must."""

from __future__ import annotations

import json
import threading

import websocket


class Live:
    """Threads: one of its own; highest() from any."""

    def __init__(self, url: str, stream: str) -> None:
        self._url = url
        self._stream = stream
        self._lock = threading.Lock()  # guards _highest and messages
        self._highest: dict[str, int] = {}
        self.messages = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    def highest(self) -> dict[str, int]:
        """The greatest numbers shown since the last call, by group; "" is the total."""
        with self._lock:
            seen, self._highest = self._highest, {}
            return seen

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                viewer = websocket.create_connection(self._url, subprotocols=["live.v1"], timeout=2)
            except (OSError, websocket.WebSocketException):
                self._stopping.wait(0.3)
                continue
            try:
                while not self._stopping.is_set():
                    self._take(viewer)
            except (OSError, websocket.WebSocketException, ValueError, KeyError, TypeError):
                pass
            finally:
                viewer.close(timeout=0)

    def _take(self, viewer: websocket.WebSocket) -> None:
        try:
            message = viewer.recv()
        except websocket.WebSocketTimeoutException:
            return
        for shown in json.loads(message)["streams"] if message else ():
            if shown["stream"] == self._stream:
                self._remember(shown["groups"] | {"": shown["total"]})

    def _remember(self, shown: dict[str, int]) -> None:
        with self._lock:
            self.messages += 1
            for name, count in shown.items():
                if count > self._highest.get(name, 0):
                    self._highest[name] = count
