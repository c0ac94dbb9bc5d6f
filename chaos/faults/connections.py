# SPDX-License-Identifier: Apache-2.0
"""Connections by the thousand: descriptors used up, 10,000 that are idle, and churn."""

from __future__ import annotations

import os
import random
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from chaos.arena import Arena
from chaos.fault import REGISTER, Fault, Needs, Strike, fault
from chaos.sockets import GET, allow_descriptors, connect, reset
from stack.process import poll_until, status_kib
from stack.program import Program

PORTS = {"api": "http", "grpc-server": "grpc", "ws-redis": "ws"}
SPARE = 10  # descriptors that it may have beyond those it has
EATERS = 40
IDLE = 10_000
IDLE_KIB_MAX = 20  # for each idle connection: libmicrohttpd's pool of 16 KiB, and our own
CHURNERS = 2
CHURN_MIN = 5000


def descriptors(program: Program) -> int:
    return len(os.listdir(f"/proc/{program.pid}/fd"))


@contextmanager
def few_descriptors(program: Program) -> Iterator[None]:
    pid = program.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(program) + SPARE, usual[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended
            resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)


def eat(program: Program, held: ExitStack) -> None:
    """Connections that say nothing."""
    for _ in range(EATERS):
        held.enter_context(connect(program.ports[PORTS[program.program]]))


def eating(name: str) -> Strike:
    def strike(arena: Arena) -> Iterator[None]:
        program = arena.mesh.programs[name]
        with ExitStack() as held:
            held.enter_context(few_descriptors(program))
            all_gone = descriptors(program) + SPARE
            eat(program, held)
            arena.require(any(descriptors(program) >= all_gone for _ in poll_until(5)), "descriptors were left")
            arena.struck()
            yield
        with connect(program.ports[PORTS[name]]) as connection:
            connection.sendall(GET)
            arena.require(connection.recv(100), f"{name} accepts no more connections")

    return strike


for _name in ("api", "ws-redis"):
    REGISTER.add(
        Fault(
            name=f"descriptors-used-up-{_name}",
            text=f"{_name} can open nothing more",
            family="resources",
            strike=eating(_name),
            hold_s=3,
            quick=_name == "api",
        )
    )


@fault(
    "descriptors-used-up-grpc-server",
    "grpc-server can accept nothing more: it drains and ends, to be started anew",
    family="resources",
    hold_s=0.5,
)
def descriptors_grpc_server(arena: Arena) -> Iterator[None]:
    """gRPC's C core 1.51 never accepts again after it once could not."""
    program = arena.mesh.programs["grpc-server"]
    with ExitStack() as held:
        held.enter_context(few_descriptors(program))
        eat(program, held)
        arena.expect_death("grpc-server", codes=(1,))
        arena.struck()
        yield
    arena.revive("grpc-server")


@fault(
    "idle-connections",
    "10,000 idle connections to api, kept alive",
    family="resources",
    needs=Needs(build="release", settings=(("api", "CONNECTIONS_MAX", str(2 * IDLE)),)),
    hold_s=6,
)
def idle_connections(arena: Arena) -> Iterator[None]:
    api = arena.mesh.programs["api"]
    count = min(allow_descriptors(os.getpid(), IDLE), allow_descriptors(api.pid, IDLE))
    if count < IDLE:
        arena.note(f"only {count} connections: no more descriptors may be had")
    before = status_kib(api.pid, "VmRSS")
    with ExitStack() as held:
        for _ in range(count):
            connection = held.enter_context(connect(api.ports["http"]))
            connection.sendall(GET)
            arena.require(connection.recv(4096).startswith(b"HTTP/1.1 200"), "a connection was refused")
        open_now = api.metric("tweetmesh_http_connections")
        arena.require(open_now >= count, f"of {count} connections {open_now:.0f} are open")
        arena.struck()
        yield
        arena.wait_acked(200)
        grown = status_kib(api.pid, "VmRSS") - before
        arena.require(grown < count * IDLE_KIB_MAX, f"{grown} KiB for {count} idle connections")
        arena.note(f"{count} idle connections, {grown / count:.1f} KiB each")
    closed = any(api.metric("tweetmesh_http_connections") < 100 for _ in poll_until(10, 0.2))
    arena.require(closed, "connections that were closed are still counted as open")


@fault(
    "connection-churn",
    "connections to api that come, say half of something, and break, by the thousand",
    family="resources",
    hold_s=10,
)
def connection_churn(arena: Arena) -> Iterator[None]:
    api = arena.mesh.programs["api"]
    with Churn(api.ports["http"], arena.random.getrandbits(32)) as churn:
        arena.struck()
        began = time.monotonic()
        yield
        took = time.monotonic() - began
    arena.note(f"{churn.count / took:.0f} connections a second")
    arena.require(churn.count >= CHURN_MIN, f"only {churn.count} connections")
    closed = any(api.metric("tweetmesh_http_connections") < 100 for _ in poll_until(15, 0.2))
    arena.require(closed, "broken connections are still counted as open")


HALVES = (
    b"",
    b"P",
    b"POST /input HTTP/1.1\r\nHost: x\r\nContent-",
    b'POST /input HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"text": "no',
    GET,
    GET + b"GET / HT",
)


class Churn:
    """Threads: CHURNERS of its own, ended by leaving the context."""

    def __init__(self, port: int, seed: int) -> None:
        self.count = 0
        self._port = port
        self._over = threading.Event()
        self._lock = threading.Lock()  # guards count
        self._threads = [
            threading.Thread(target=self._run, args=(number, random.Random(seed + number)), daemon=True)
            for number in range(CHURNERS)
        ]

    def __enter__(self) -> Churn:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int, chance: random.Random) -> None:
        while not self._over.is_set():
            with suppress(OSError):
                self._once(f"127.0.1.{number + 1}", chance)
                with self._lock:
                    self.count += 1

    def _once(self, source: str, chance: random.Random) -> None:
        """From an address of its own: the load keeps its ports."""
        connection = socket.create_connection(("127.0.0.1", self._port), 2, (source, 0))
        try:
            connection.sendall(chance.choice(HALVES))
        finally:
            if chance.random() < 0.2:
                connection.shutdown(socket.SHUT_WR)
            reset(connection)
