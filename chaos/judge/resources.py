# SPDX-License-Identifier: Apache-2.0
"""Memory, descriptors and queues of our programs, looked at throughout a run (I5)."""

from __future__ import annotations

import http.client
import json
import mmap
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from chaos.judge.findings import Findings
from chaos.judge.halts import LOOK_S, Halts
from chaos.judge.protocol import Target

RSS_MIB_MAX = 150
RSS_MIB_MAX_SANITIZED = 700
CONNECTION_KIB_MAX = 20  # for each connection that the program ever had at once: libmicrohttpd's 16, and our own
DESCRIPTORS_MAX = 64  # beyond the connections that the program itself counts
QUEUES_EVERY = 2  # looks
SEEN_IN_A_ROW = 2  # connections come and go between two looks

CONNECTIONS = ("tweetmesh_http_connections", "tweetmesh_feeders", "tweetmesh_viewers", "tweetmesh_grpc_calls")
# Gauge in /metrics, or path in /status: its limit in /status.
QUEUES = {
    "tweetmesh_events_in_flight": "EVENTS_IN_FLIGHT_MAX",
    "tweetmesh_body_bytes_in_flight": "BYTES_IN_FLIGHT_MAX",
    "tweetmesh_producer_queue_events": "QUEUE_LEN_MAX",
    "tweetmesh_counts_queue_windows": "QUEUE_LEN_MAX",
    "in_hand": "BATCH_LEN_MAX",
    "unsettled": "UNSETTLED_LEN_MAX",
}
_GAUGE = re.compile(r"^(\w+) (\S+)$", re.MULTILINE)


def kind_of(name: str) -> str:
    """The program of an instance: "api-2" is "api"."""
    return name.rstrip("0123456789").rstrip("-")


class Resources:
    """Threads: one of its own."""

    def __init__(self, target: Callable[[], Target], halts: Halts) -> None:
        self._target = target
        self._halts = halts
        self._lock = threading.Lock()  # guards _findings and _maxima
        self._findings: Findings | None = None
        self._maxima: dict[str, float] = {}
        self._sanitized: set[int] = set()  # pids
        self._connections: dict[str, float] = {}  # as last told, by instance
        self._most_connections: dict[int, float] = {}  # as ever told, by pid
        self._above: dict[str, int] = {}
        self._state: tuple[int, dict] = (0, {})  # when it was written, what it says
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resources", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(15)

    def begin(self, findings: Findings | None) -> None:
        with self._lock:
            self._findings, self._maxima = findings, {}

    def maxima(self) -> dict[str, float]:
        with self._lock:
            return dict(self._maxima)

    def _run(self) -> None:
        look = 0
        while not self._stopping.wait(LOOK_S):
            look += 1
            for name, pid, ops in self._programs():
                if _halted(pid):
                    self._halts.seen(kind_of(name), time.monotonic())
                    continue
                self._look_at_process(name, pid, ops)
                if look % QUEUES_EVERY == 0:
                    self._look_at_queues(name, ops)

    def _programs(self) -> list[tuple[str, int, int]]:
        """Name, pid and ops port of those of our programs that run."""
        path = Path(self._target().state_file)
        try:
            written = path.stat().st_mtime_ns
            if written != self._state[0]:
                self._state = (written, json.loads(path.read_text()))
        except (OSError, ValueError):
            return []
        state = self._state[1]
        known = [(name, state["components"].get(name)) for name in state.get("programs", [])]
        return [(name, one["process"]["pid"], one["ports"]["ops"]) for name, one in known if one and one.get("process")]

    def _note(self, figure: str, value: float) -> None:
        with self._lock:
            self._maxima[figure] = max(value, self._maxima.get(figure, 0))

    def _check(self, name: str, what: str, value: float, highest: float) -> None:
        key = f"{name} {what}"
        self._above[key] = self._above.get(key, 0) + 1 if value > highest else 0
        with self._lock:
            if self._above[key] == SEEN_IN_A_ROW and self._findings:
                self._findings.add("I5", f"{name}: {what} {value:g}, allowed {highest:g}")

    def _look_at_process(self, name: str, pid: int, ops: int) -> None:
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            if pid not in self._sanitized and _is_sanitized(pid):  # a process that was just made is not yet its program
                self._sanitized.add(pid)
            mebibytes = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
            self._note(f"rss_mib_max_{kind_of(name)}", round(mebibytes, 1))
            self._look_at_descriptors(name, pid, ops)
            self._check(name, "RSS in MiB", mebibytes, self._rss_mib_max(name, pid))
        except (OSError, ValueError, IndexError):
            pass  # it has just ended

    def _rss_mib_max(self, name: str, pid: int) -> float:
        most = max(self._most_connections.get(pid, 0), self._connections.get(name, 0))
        self._most_connections[pid] = most
        usual = RSS_MIB_MAX_SANITIZED if pid in self._sanitized else RSS_MIB_MAX
        return usual + most * CONNECTION_KIB_MAX / 1024

    def _look_at_descriptors(self, name: str, pid: int, ops: int) -> None:
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        if descriptors > DESCRIPTORS_MAX + self._connections.get(name, 0):
            if not self._look_at_queues(name, ops):  # connections come by the hundred: count both at one moment
                return  # it cannot say how many there are by now
            descriptors = min(descriptors, len(os.listdir(f"/proc/{pid}/fd")))
        self._note(f"descriptors_max_{kind_of(name)}", descriptors)
        self._check(name, "descriptors", descriptors, DESCRIPTORS_MAX + self._connections.get(name, 0))

    def _look_at_queues(self, name: str, port: int) -> bool:
        """False: it does not answer."""
        try:
            status = json.loads(_get(port, "/status"))
            gauges = {found[1]: float(found[2]) for found in _GAUGE.finditer(_get(port, "/metrics"))}
        except (OSError, http.client.HTTPException, ValueError):
            return False  # not there just now
        limits = status.get("config", {})
        self._connections[name] = sum(gauges.get(gauge, 0) for gauge in CONNECTIONS)
        for gauge, limit in QUEUES.items():
            level = gauges.get(gauge, status.get(gauge))
            if isinstance(level, int | float) and limit in limits:
                self._note(f"{gauge.removeprefix('tweetmesh_')}_max", level)
                self._check(name, gauge, level, limits[limit])
        return True


def _get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _halted(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text[text.rindex(")") + 2] in "Tt"


def _is_sanitized(pid: int) -> bool:
    """Its program carries AddressSanitizer or ThreadSanitizer."""
    with open(f"/proc/{pid}/exe", "rb") as binary, mmap.mmap(binary.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(name) >= 0 for name in (b"__asan_init", b"__tsan_init"))
