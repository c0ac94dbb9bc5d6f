# SPDX-License-Identifier: Apache-2.0
"""kafka-consumer: scaled, killed in the middle of a rebalance, very slow, and back from the dead."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.arena import Arena
from chaos.fault import Load, fault
from stack.process import poll_until

FIRST, SECOND, THIRD = "kafka-consumer", "kafka-consumer-2", "kafka-consumer-3"
SESSION_S = 6.0  # SESSION_MS, unless told; Kafka takes no less
REBALANCE_S = 1.5  # within which a member that joins has got its share: a heartbeat of all others


def archives(arena: Arena, name: str, seconds: float = 20) -> bool:
    """Whether this instance has archived something since it was started; not asked while another
    fault holds, for then there may be nothing to archive with."""
    if arena.overlapping:
        return True
    program = arena.mesh.programs[name]
    return any(program.metric("tweetmesh_archived_total") > 0 for _ in poll_until(seconds, 0.1))


@fault(
    "consumers-scaled",
    "one consumer, three, two, three, one, under load",
    family="consumers",
    times=2,
    struck_min=8,
    at_random=True,
)
def consumers_scaled(arena: Arena) -> Iterator[None]:
    arena.start(SECOND, ready=False)
    arena.start(THIRD)
    arena.struck(2)
    yield
    for name in (SECOND, THIRD):
        arena.require(archives(arena, name), f"{name} never got work")
    arena.stop(SECOND)
    arena.struck()
    arena.wait(arena.random.uniform(0, REBALANCE_S))
    arena.start(SECOND)
    arena.wait(arena.random.uniform(0, REBALANCE_S))
    arena.stop(THIRD)
    arena.struck()
    arena.stop(SECOND)


@fault(
    "consumer-killed-in-rebalance",
    "another one joins: kill the old one on the way; then kill one that joins",
    family="consumers",
    times=2,
    hold_s=0.5,
    struck_min=4,
    at_random=True,
)
def consumer_killed_in_rebalance(arena: Arena) -> Iterator[None]:
    arena.start(SECOND, ready=False)
    arena.wait(arena.random.uniform(0.1, REBALANCE_S))
    arena.kill(FIRST)
    arena.struck()
    yield
    arena.start(FIRST, ready=False)
    arena.start(THIRD, ready=False)
    arena.wait(arena.random.uniform(0.1, REBALANCE_S))
    arena.kill(THIRD)
    arena.struck()
    # One that never comes back lasts until Kafka ends its session, which is no healing of ours.
    arena.start(THIRD, ready=False)
    for name in (FIRST, SECOND, THIRD):
        arena.wait_ready(name)
    for name in (SECOND, THIRD):
        arena.stop(name)


@fault(
    "consumer-very-slow",
    "one of three takes 100 ms for each event",
    family="consumers",
    hold_s=8,
    load=Load(events_s=120),
)
def consumer_very_slow(arena: Arena) -> Iterator[None]:
    slow = {"BATCH_LEN_MAX": "1", "FAILPOINTS": "consumer_before_archive=sleep(100)@1"}
    arena.start(SECOND)
    arena.start(THIRD, slow)
    arena.struck()
    yield
    arena.require(archives(arena, THIRD), f"{THIRD} never got work")
    arena.stop(THIRD)  # it finishes what it has in hand; the rest is for the others
    arena.stop(SECOND)


@fault(
    "consumer-back-from-the-dead",
    "one of two hangs beyond its session and comes back while another does its work",
    family="consumers",
    hold_s=SESSION_S + 2,
    times=2,
)
def consumer_back_from_the_dead(arena: Arena) -> Iterator[None]:
    arena.start(SECOND)
    archives(arena, SECOND)
    arena.wait(arena.random.uniform(0, 0.3))  # somewhere in a batch
    arena.mesh.programs[SECOND].pause()
    arena.struck()
    yield
    arena.mesh.programs[SECOND].resume()
    arena.wait_ready(SECOND)
    arena.stop(SECOND)
