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

from prometheus import SCRAPE_S, Watch, targets_of
from support.events import encode, tweets
from support.judges import Judge

from stack.certificates import Authority, Certificate
from stack.component import Component
from stack.mesh import Mesh

# Limits that the faults reach and the steady load does not. While MongoDB is away each round of the consumer takes
# MONGODB_MS_MAX, and its gauges move only then: that is to be short beside the shorter times.
CONNECTIONS_MAX = 20
SETTINGS = {
    "api": {"EVENTS_IN_FLIGHT_MAX": "100", "CONNECTIONS_MAX": str(CONNECTIONS_MAX), "HINTS_MAX": "1000"},
    # Without memory and snapshot, what Redis loses and Kafka no longer has is lost for good.
    "kafka-consumer": {"MONGODB_MS_MAX": "500", "REMEMBERED_LEN_MAX": "0", "SNAPSHOT_MS": "0"},
}
PARTITIONS = 2
TOPIC, GROUP = "messages", "tweetmesh-archive"
STEADY_EVENTS = 20
STEADY_INTERVAL_S = 0.05
OVERLOAD_EVENTS = 60  # two of these do not fit
OVERLOAD_THREADS = 4
KAFKA_LATER_MS = 200  # there, and back again: beyond the 250 ms of the promise, however fast all else is
CERTIFICATE_DAYS = 10  # the alert wants 14


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
class Scene:
    """What the faults act on."""

    mesh: Mesh
    judge: Judge
    prometheus: Watch
    authority: Authority
    certificate: Certificate  # of ws-redis


@dataclass(frozen=True)
class Fault:
    """must: raised by it. may: can be raised as well, for the reason in `why`."""

    name: str
    act: Callable[[Scene], AbstractContextManager[None]]
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
def _poison(scene: Scene) -> Iterator[None]:
    scene.judge.produce(TOPIC, [b"not json"])
    yield


@contextmanager
def _overload(scene: Scene) -> Iterator[None]:
    port = scene.mesh.programs["api"].ports["http"]
    with contextlib.closing(_Closable(Load(port, events=OVERLOAD_EVENTS, threads=OVERLOAD_THREADS))):
        yield


@contextmanager
def _connections(scene: Scene) -> Iterator[None]:
    """All but one; the load has that."""
    address = ("127.0.0.1", scene.mesh.programs["api"].ports["http"])
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX - 1):
            stack.enter_context(socket.create_connection(address))
        yield


@contextmanager
def _few_descriptors(scene: Scene) -> Iterator[None]:
    """As if nine of ten that api may have were open."""
    pid = scene.mesh.programs["api"].pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened * 10 // 9, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _restarts(scene: Scene) -> Iterator[None]:
    """Three, each seen by Prometheus."""
    for _ in range(3):
        scene.mesh.programs["ws-redis"].kill()
        scene.mesh.programs["ws-redis"].start()
        time.sleep(2 * SCRAPE_S)
    yield


@contextmanager
def _slow_kafka(scene: Scene) -> Iterator[None]:
    link = scene.mesh.links["grpc-server-kafka"]
    link.latency(KAFKA_LATER_MS)
    try:
        yield
    finally:
        link.heal()


@contextmanager
def _too_many_consumers(scene: Scene) -> Iterator[None]:
    """One more than there are partitions. Prometheus looks at them while they run, as it does at pods."""
    usual = list(scene.mesh.programs.values())
    more = [scene.mesh.add_program(f"kafka-consumer-{number}") for number in range(2, PARTITIONS + 2)]
    try:
        for consumer in more:
            consumer.launch()
        for consumer in more:
            consumer.wait_ready()
        scene.prometheus.scrape(targets_of([*usual, *more]))
        yield
    finally:
        scene.prometheus.scrape(targets_of(usual))
        for consumer in more:
            consumer.stop()


@contextmanager
def _certificate_ends_soon(scene: Scene) -> Iterator[None]:
    scene.certificate.replace_with(scene.authority.issue("ws-redis", days=CERTIFICATE_DAYS))
    try:
        yield
    finally:
        scene.certificate.replace_with(scene.authority.issue("ws-redis"))


@contextmanager
def _counts_lost(scene: Scene) -> Iterator[None]:
    """Redis is emptied when Kafka no longer has what was counted; healed as the runbook says."""
    scene.judge.drop_records(TOPIC, scene.judge.committed(TOPIC, GROUP))
    scene.judge.redis.flushall()
    try:
        yield
    finally:
        done = scene.mesh.recount()
        assert done.returncode == 0, done.stdout + done.stderr


class _Closable:
    def __init__(self, load: Load) -> None:
        self.close = load.stop


BURNS = {"ApiErrorBudgetBurnsFast", "ApiErrorBudgetBurnsSlowly"}
# Demanded of one fault and allowed with every other, though not with the healthy load: starting a server again takes
# all of a small machine, and requests under way are answered only when it is certain what became of them.
SLOW = {"ApiLatencyBudgetBurnsFast", "ApiLatencyBudgetBurnsSlowly"}
BEHIND = {"LagGrowing", "CountersNotExact"}

FAULTS = [
    Fault(
        "MongoDB stopped",
        lambda scene: _stopped(scene.mesh.mongo),
        must={"MongoDBUnreachable"} | BEHIND,
    ),
    Fault(
        "Redis stopped",
        lambda scene: _stopped(scene.mesh.redis),
        must={"RedisUnreachable"} | BEHIND,
        may={"HintsDropped"},
        why="hints are dropped once ws-redis has no room for more",
    ),
    Fault(
        "ws-redis stopped",
        lambda scene: _stopped(scene.mesh.programs["ws-redis"]),
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
    Fault("certificate that ends soon", _certificate_ends_soon, must={"CertificateExpiresSoon"}),
    Fault(
        "counts lost for good",
        _counts_lost,
        must={"AuditDiffers"},
        may={"CountersNotExact"},
        why="what came since is read and counted again, after the loss and after the recount",
    ),
    Fault(
        "more consumers than partitions",
        _too_many_consumers,
        must={"ConsumerWithoutPartitions"},
        may={"CountersNotExact"},
        why="a partition that changes hands is read by nobody for a moment",
    ),
    Fault(
        "slow way to Kafka",
        _slow_kafka,
        must=SLOW,
        may={"LimitReached"} | BURNS,
        why="events wait a quarter of WAIT_MS_MAX and more, so that no more are let in than were stored",
    ),
    Fault(
        "overload",
        _overload,
        must={"LimitReached"} | BURNS,
        may={"QueueNearLimit"} | BEHIND,
        why="the queue is at the limit whose refusals are wanted, and the archive may be slower than what is let in",
    ),
    Fault(
        "grpc-server stopped",
        lambda scene: _stopped(scene.mesh.programs["grpc-server"]),
        must={"GrpcServerUnreachable", "ProgramDown", "ProgramAbsent"} | BURNS,
    ),
    Fault(
        "Kafka stopped",
        lambda scene: _stopped(scene.mesh.kafka),
        must={"KafkaUnreachable"} | BURNS,
        may={"GrpcServerUnreachable", "ConsumerWithoutPartitions"} | BEHIND,
        why="without brokers grpc-server serves nobody, the consumer's session ends, and what was stored last waits",
    ),
]
