# SPDX-License-Identifier: Apache-2.0
"""Our own programs: killed at random moments, stopped, and restarted in turn behind a balancer."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.arena import Arena
from chaos.fault import REGISTER, Fault, Load, Needs, Strike, fault
from stack.program import PROGRAMS

DRAIN_DELAY_MS = "500"  # five of the balancer's checks


def killing(name: str) -> Strike:
    def strike(arena: Arena) -> Iterator[None]:
        arena.wait(arena.random.uniform(0, 0.5))
        arena.kill(name)
        arena.struck()
        yield
        arena.revive(name)

    return strike


def stopping(name: str) -> Strike:
    def strike(arena: Arena) -> Iterator[None]:
        arena.mesh.programs[name].pause()
        arena.struck()
        yield
        arena.mesh.programs[name].resume()

    return strike


for _name in PROGRAMS:
    REGISTER.add(
        Fault(
            name=f"killed-{_name}",
            text=f"kill -9 of {_name} at random moments, and a start",
            family="programs",
            strike=killing(_name),
            hold_s=0.5,
            times=3,
            struck_min=3,
            quick=True,
            at_random=True,
        )
    )
    REGISTER.add(
        Fault(
            name=f"stopped-{_name}",
            text=f"{_name} hangs (SIGSTOP) for 10 s",
            family="programs",
            strike=stopping(_name),
            hold_s=10,
            at_random=True,
        )
    )


@fault("killed-all", "kill -9 of all four programs at once, and a start", family="programs", times=2, quick=True)
def killed_all(arena: Arena) -> Iterator[None]:
    for name in PROGRAMS:
        arena.kill(name)
    arena.struck()
    yield
    arena.healed()
    for name in PROGRAMS:
        arena.start(name, ready=False)
    for name in PROGRAMS:
        arena.wait_ready(name)


@fault(
    "rolling-restart",
    "SIGTERM and start of one pod after the other behind HAProxy, then of the rest: no request may fail",
    family="programs",
    needs=Needs(apis=2, settings=(("all", "DRAIN_DELAY_MS", DRAIN_DELAY_MS),)),
    # A gRPC server that leaves ends its streams, and a call that comes just then: its clients must send again.
    load=Load(http_only=True),
    hold_s=0.5,
    times=2,
    struck_min=12,
)
def rolling_restart(arena: Arena) -> Iterator[None]:
    for together in (("api", "grpc-server"), ("api-2", "grpc-server-2"), ("ws-redis",), ("kafka-consumer",)):
        for name in together:
            arena.stop(name)
            arena.struck()
        for name in reversed(together):
            arena.start(name)
        arena.wait_acked(50)
    yield
    counts = arena.counts()
    for what in ("broken", "refused", "unknown", "retries"):
        arena.require(getattr(counts, what) == 0, f"{what}: {getattr(counts, what)}; no request may fail")
