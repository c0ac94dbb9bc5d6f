# SPDX-License-Identifier: Apache-2.0
"""Out of memory: a limit on each program's data in turn, and work that needs more.

A limit of the process (RLIMIT_DATA), which needs no rights and hits at the very allocation, where a
container's ends in a SIGKILL at some later moment: that is what the kills of other families are.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import grpc
from chaos.arena import Arena
from chaos.fault import REGISTER, Fault, Needs, Strike
from chaos.sockets import connect, upgrade
from stack.process import poll_until, status_kib
from stack.program import Program

MIB = 1024 * 1024
DIES_S = 6.0
# Our own allocations and librdkafka's abort; gRPC's C core trips over what it did not get.
DEATHS = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGKILL)

Pressure = Callable[[Arena, Program, ExitStack], None]


def limit(program: Program, more: int) -> None:
    """From now on it may have so many bytes more than it has."""
    _, hard = resource.prlimit(program.pid, resource.RLIMIT_DATA)
    data = status_kib(program.pid, "VmData") * 1024
    resource.prlimit(program.pid, resource.RLIMIT_DATA, (data + more, hard))


def unlimit(program: Program) -> None:
    _, hard = resource.prlimit(program.pid, resource.RLIMIT_DATA)
    resource.prlimit(program.pid, resource.RLIMIT_DATA, (hard, hard))


def bodies(_arena: Arena, program: Program, held: ExitStack) -> None:
    """Bodies of 1 MB that never end."""
    limit(program, 4 * MIB)
    head = b"POST /input HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    with suppress(OSError):  # it has died
        for _ in range(30):
            held.enter_context(connect(program.ports["http"])).sendall(head + b"[" * 900_000)


def messages(_arena: Arena, program: Program, held: ExitStack) -> None:
    """Messages of 3 MB whose events are of no stream: nothing of them may be stored."""
    limit(program, 1 * MIB)
    event = field(1, b"nowhere") + field(3, b"x" * 3000)
    channel = held.enter_context(grpc.insecure_channel(f"127.0.0.1:{program.ports['grpc']}"))
    call = channel.unary_unary("/tweetmesh.v1.Ingest/Publish")
    for _ in range(8):
        call.future(field(2, event) * 900, timeout=5)


def browsers(_arena: Arena, program: Program, held: ExitStack) -> None:
    """Many browsers at once."""
    limit(program, MIB // 4)
    with suppress(OSError):
        for _ in range(300):
            browser = held.enter_context(connect(program.ports["ws"]))
            upgrade(browser, "live.v1")


def backlog(arena: Arena, program: Program, _held: ExitStack) -> None:
    """It hangs for a while, and then there is more to fetch than ever."""
    program.pause()
    arena.wait(4)
    limit(program, 0)
    program.resume()


def field(number: int, content: bytes) -> bytes:
    """One field of a protobuf message, of up to 16 KiB."""
    size = len(content)
    return bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7]) + content


def running_out(name: str, press: Pressure) -> Strike:
    def strike(arena: Arena) -> Iterator[None]:
        program = arena.mesh.programs[name]
        with ExitStack() as held:
            press(arena, program, held)
            died = any(not program.alive() for _ in poll_until(DIES_S, 0.05))
            if died:
                arena.expect_death(name, codes=DEATHS)
            arena.struck()
            yield
            if not died:
                unlimit(program)
        arena.note(f"{name} {'died of it' if died else 'refused, and lived'}")
        if died:
            arena.revive(name)

    return strike


for _name, _press in (("api", bodies), ("grpc-server", messages), ("ws-redis", browsers), ("kafka-consumer", backlog)):
    REGISTER.add(
        Fault(
            name=f"out-of-memory-{_name}",
            text=f"{_name} gets no more memory while it is asked for much",
            family="resources",
            strike=running_out(_name, _press),
            needs=Needs(build="release"),
            hold_s=0.5,
        )
    )
