# SPDX-License-Identifier: Apache-2.0
"""Goal: people may leave the page open: 200 of them cost less than 5 % of a core under load, next to nothing without.

Method: CPU time of ws-redis, as the kernel counts it, with the same load without and with 200 WebSockets that read.
"""

from __future__ import annotations

import base64
import secrets
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field

from support.events import tweets
from support.steady_load import SteadyLoad
from support.tested import Tested
from support.waiting import wait_for

from stack.process import cpu_seconds

VIEWERS = 200
SECONDS = 12
SHARE_MAX = 0.05


@dataclass
class Viewers:
    """Sockets that are read by one thread until the end."""

    port: int
    count: int
    bytes_read: int = 0
    closed: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _sockets: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Viewers:
        for _ in range(self.count):
            self._sockets.append(self._open())
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def _open(self) -> socket.socket:
        viewer = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        head = f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        viewer.sendall(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: live.v1\r\n\r\n".encode())
        assert viewer.recv(12) == b"HTTP/1.1 101"
        viewer.setblocking(False)
        return viewer

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for viewer in self._sockets:
                selector.register(viewer, selectors.EVENT_READ)
            while not self._stop.is_set():
                for key, _ in selector.select(0.2):
                    data = key.fileobj.recv(65536)
                    self.bytes_read += len(data)
                    if not data:
                        self.closed += 1
                        selector.unregister(key.fileobj)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        for viewer in self._sockets:
            viewer.close()


def share_of_a_core(mesh: Tested) -> float:
    pid = mesh["ws-redis"].pid
    started, used = time.monotonic(), cpu_seconds(pid)
    time.sleep(SECONDS)  # the length of the measurement, not a wait
    return (cpu_seconds(pid) - used) / (time.monotonic() - started)


def test_200_viewers_cost_less_than_5_percent_of_a_core(make_mesh, record_testsuite_property) -> None:
    mesh = make_mesh()
    port = mesh["ws-redis"].ports["ws"]
    assert mesh.client().post("/input", tweets(70)).status == 202
    with SteadyLoad(mesh.http_port, "/input", lambda _: tweets(20), per_second=25):
        alone = share_of_a_core(mesh)
        with Viewers(port, VIEWERS) as viewers:
            wait_for("they are all there", lambda: mesh["ws-redis"].metric("tweetmesh_viewers") == VIEWERS)
            before = viewers.bytes_read
            watched = share_of_a_core(mesh)
            assert viewers.bytes_read - before > VIEWERS * 1000, "they were sent nothing worth measuring"
            assert viewers.closed == 0
    wait_for("they are gone", lambda: mesh["ws-redis"].metric("tweetmesh_viewers") == 0)
    record_testsuite_property("percent of a core without and with viewers", f"{100 * alone:.2f} {100 * watched:.2f}")
    print(f"ws-redis: {100 * alone:.2f} % of a core without, {100 * watched:.2f} % with {VIEWERS} viewers")
    assert watched - alone < SHARE_MAX


def test_viewers_of_a_mesh_at_rest_cost_next_to_nothing(make_mesh) -> None:
    mesh = make_mesh()
    with Viewers(mesh["ws-redis"].ports["ws"], VIEWERS):
        wait_for("they are all there", lambda: mesh["ws-redis"].metric("tweetmesh_viewers") == VIEWERS)
        idle = share_of_a_core(mesh)
    print(f"ws-redis: {100 * idle:.2f} % of a core with {VIEWERS} viewers and nothing to tell")
    assert idle < SHARE_MAX / 2
