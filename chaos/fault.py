# SPDX-License-Identifier: Apache-2.0
"""What a fault is, and the register of all of them.

A fault is a generator: it strikes, yields while it holds, and heals when it is resumed.

    @fault("redis-stopped", "Redis hangs", family="redis", hold_s=5)
    def redis_stopped(arena: Arena) -> Iterator[None]:
        arena.mesh.redis.pause()
        arena.struck()
        yield
        arena.mesh.redis.resume()

So faults can be held for a time, repeated, and at random put into one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.arena import Arena

Strike = Callable[["Arena"], Iterator[None]]

FIRST_ACK_S = 1.0  # after a program of ours is back
FIRST_ACK_KAFKA_S = 5.0  # after Kafka is back
EXACT_S = 5.0  # after healing, until Kafka = Redis = MongoDB


@dataclass(frozen=True)
class Needs:
    """The mesh that a fault wants. Faults with equal needs share one, one after the other."""

    build: str = "chaos"  # preset: sanitizers and failpoints; "release" where speed or memory is judged
    brokers: int = 1  # 3: replication factor 3, min.insync.replicas 2
    apis: int = 1  # 2: two pods (api, grpc-server) behind HAProxy, which the load then goes through
    links: bool = False  # every connection goes through a proxy of its own that can be disturbed
    namespaces: bool = False  # Kafka, Redis and MongoDB behind links that can be taken down, see stack
    disks: tuple[tuple[str, int], ...] = ()  # ("kafka", 64): its data on a disk of so many MiB
    redis: tuple[tuple[str, str], ...] = ()  # ("appendfsync", "always")
    settings: tuple[tuple[str, str, str], ...] = ()  # ("kafka-consumer", "BATCH_LEN_MAX", "10"); "all"


@dataclass(frozen=True)
class Load:
    """What the judge sends meanwhile; the mix of entrances is its own affair."""

    events_s: float = 250
    workers: int = 8
    http_only: bool = False


@dataclass(frozen=True)
class Fault:
    name: str  # "redis-killed-aof-always"
    text: str  # one line for people
    # "programs", "failpoints", "kafka", "redis", "mongodb", "network", "consumers", "resources", "overload"
    family: str
    strike: Strike
    needs: Needs = Needs()
    load: Load = Load()
    hold_s: float = 1.0  # how long it holds before it is resumed
    times: int = 1  # how often it is begun anew
    struck_min: int = 1  # struck less often than this, the row is void
    acked_min: int = 200  # fewer acknowledged events, and the row is void
    first_ack_s: float | None = FIRST_ACK_S  # None: no goal
    exact_s: float | None = EXACT_S  # None: equality cannot come; what must hold is said by require()
    late_answers: bool = False  # the way from the judge to the entrances is disturbed: no deadline is judged
    fresh: bool = False  # wants a mesh of its own and leaves none that others could use
    quick: bool = False  # part of ./mesh test
    at_random: bool = False  # may be drawn by --random; such a fault leaves nothing of itself behind


@dataclass
class Register:
    faults: dict[str, Fault] = field(default_factory=dict)

    def add(self, fault: Fault) -> None:
        if fault.name in self.faults:
            raise ValueError(f"there are two faults called {fault.name}")
        self.faults[fault.name] = fault


REGISTER = Register()


def fault(name: str, text: str, *, family: str, **fields: object) -> Callable[[Strike], Strike]:
    """Registers the generator function below it. fields: those of Fault."""

    def register(strike: Strike) -> Strike:
        REGISTER.add(Fault(name=name, text=text, family=family, strike=strike, **fields))  # type: ignore[arg-type]
        return strike

    return register
