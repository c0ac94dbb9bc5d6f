# SPDX-License-Identifier: Apache-2.0
"""The faults of the run: what is broken, how it is healed, and which alerts that raises."""

from __future__ import annotations

import contextlib
import http.client
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus import SCRAPE_S
from support.events import encode, tweets
from support.judges import Judge

from stack.component import Component
from stack.mesh import Mesh

# Limits that the faults reach and the steady load does not. While MongoDB is away each round of the consumer takes
# MONGODB_MS_MAX, and its gauges move only then: that is to be short beside the shorter times.
CONNECTIONS_MAX = 20
SETTINGS = {
    "api": {"EVENTS_IN_FLIGHT_MAX": "100", "CONNECTIONS_MAX": str(CONNECTIONS_MAX), "HINTS_MAX": "1000"},
    "kafka-consumer": {"MONGODB_MS_MAX": "500"},
}
STEADY_EVENTS = 20
STEADY_INTERVAL_S = 0.05
OVERLOAD_EVENTS = 60  # two of these do not fit
OVERLOAD_THREADS = 4


class Load:
    """Threads that post batches until stopped, whatever is answered."""

    def __init__(self, port: int, *, events: int, threads: int = 1, interval_s: float = 0) -> None:
        self._port = port
        self._body = encode(tweets(events))
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._stop.wait(self._interval_s):
            try:
                connection.request("POST", "/input", self._body, {"Content-Type": "application/json"})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()
        connection.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@dataclass(frozen=True)
class Fault:
    """must: raised by it. may: can be raised as well, for the reason in `why`."""

    name: str
    act: Callable[[Mesh, Judge], AbstractContextManager[None]]
    must: set[str]
    may: set[str] = field(default_factory=set)
    why: str = ""


@contextmanager
def _stopped(component: Component) -> Iterator[None]:
    component.stop()
    try:
        yield
    finally:
        component.start()


@contextmanager
def _poison(mesh: Mesh, judge: Judge) -> Iterator[None]:
    judge.produce("messages", [b"not json"])
    yield


@contextmanager
def _overload(mesh: Mesh, _judge: Judge) -> Iterator[None]:
    port = mesh.programs["api"].ports["http"]
    with contextlib.closing(_Closable(Load(port, events=OVERLOAD_EVENTS, threads=OVERLOAD_THREADS))):
        yield


@contextmanager
def _connections(mesh: Mesh, _judge: Judge) -> Iterator[None]:
    """All but one; the load has that."""
    address = ("127.0.0.1", mesh.programs["api"].ports["http"])
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX - 1):
            stack.enter_context(socket.create_connection(address))
        yield


@contextmanager
def _few_descriptors(mesh: Mesh, _judge: Judge) -> Iterator[None]:
    """As if nine of ten that api may have were open."""
    pid = mesh.programs["api"].pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened * 10 // 9, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _restarts(mesh: Mesh, _judge: Judge) -> Iterator[None]:
    """Three, each seen by Prometheus."""
    for _ in range(3):
        mesh.programs["ws-redis"].kill()
        mesh.programs["ws-redis"].start()
        time.sleep(2 * SCRAPE_S)
    yield


class _Closable:
    def __init__(self, load: Load) -> None:
        self.close = load.stop


BURNS = {"ApiErrorBudgetBurnsFast", "ApiErrorBudgetBurnsSlowly"}
# Allowed with every fault, though not with the healthy load: starting a server again takes all of a small machine, and
# requests under way are answered only when it is certain what became of them.
SLOW = {"ApiLatencyBudgetBurnsFast", "ApiLatencyBudgetBurnsSlowly"}
BEHIND = {"LagGrowing", "CountersNotExact"}

FAULTS = [
    Fault(
        "MongoDB stopped",
        lambda mesh, _: _stopped(mesh.mongo),
        must={"MongoDBUnreachable"} | BEHIND,
    ),
    Fault(
        "Redis stopped",
        lambda mesh, _: _stopped(mesh.redis),
        must={"RedisUnreachable"} | BEHIND,
        may={"HintsDropped"},
        why="hints are dropped once ws-redis has no room for more",
    ),
    Fault(
        "ws-redis stopped",
        lambda mesh, _: _stopped(mesh.programs["ws-redis"]),
        must={"ProgramDown", "ProgramAbsent", "HintsDropped"},
    ),
    Fault(
        "ws-redis restarts again and again",
        _restarts,
        must={"ProgramRestarts"},
        may={"ProgramDown", "ProgramAbsent", "HintsDropped"},
        why="a scrape may find it away, and hints on their way are lost with the connection",
    ),
    Fault("nearly all connections taken", _connections, must={"QueueNearLimit"}),
    Fault("few descriptors left", _few_descriptors, must={"DescriptorsNearLimit"}),
    Fault("poison record", _poison, must={"DeadLetters"}),
    Fault(
        "overload",
        _overload,
        must={"LimitReached"} | BURNS,
        may={"QueueNearLimit"} | BEHIND,
        why="the queue is at the limit whose refusals are wanted, and the archive may be slower than what is let in",
    ),
    Fault(
        "grpc-server stopped",
        lambda mesh, _: _stopped(mesh.programs["grpc-server"]),
        must={"GrpcServerUnreachable", "ProgramDown", "ProgramAbsent"} | BURNS,
    ),
    Fault(
        "Kafka stopped",
        lambda mesh, _: _stopped(mesh.kafka),
        must={"KafkaUnreachable"} | BURNS,
        may={"GrpcServerUnreachable", "ConsumerWithoutPartitions"} | BEHIND,
        why="without brokers grpc-server serves nobody, the consumer's session ends, and what was stored last waits",
    ),
]
