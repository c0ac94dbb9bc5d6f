# SPDX-License-Identifier: Apache-2.0
"""MongoDB: killed, away, slow, hanging, and out of space."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.arena import Arena
from chaos.fault import Load, Needs, fault
from chaos.faults.servers import away, bring_back, hanging, killed, slow
from stack.process import poll_until


@fault("mongodb-killed", "kill -9 between and in inserts", family="mongodb", times=2, quick=True, at_random=True)
def mongodb_killed(arena: Arena) -> Iterator[None]:
    yield from killed(arena, arena.mesh.mongo)


@fault("mongodb-away-2min", "away for two minutes", family="mongodb", hold_s=120, load=Load(events_s=30))
def mongodb_away(arena: Arena) -> Iterator[None]:
    yield from away(arena, arena.mesh.mongo)


@fault("mongodb-slow", "runs for 100 ms, hangs for 400 ms", family="mongodb", hold_s=8, at_random=True)
def mongodb_slow(arena: Arena) -> Iterator[None]:
    yield from slow(arena, arena.mesh.mongo)


@fault("mongodb-stopped-10s", "hangs for 10 s", family="mongodb", hold_s=10, at_random=True)
def mongodb_stopped(arena: Arena) -> Iterator[None]:
    yield from hanging(arena, arena.mesh.mongo)


@fault(
    "mongodb-write-errors",
    "its disk is full: inserts fail",
    family="mongodb",
    hold_s=4,
    needs=Needs(disks=(("mongo", 64),)),
)
def mongodb_write_errors(arena: Arena) -> Iterator[None]:
    server, consumer = arena.mesh.mongo, arena.mesh.programs["kafka-consumer"]
    letters = consumer.metric("tweetmesh_dead_letters_total")
    server.disk.fill()
    refused = any(consumer.metric("tweetmesh_mongodb_up") == 0 for _ in poll_until(30, 0.1))
    arena.require(refused, "no insert failed on a full disk")
    arena.struck()
    yield
    server.disk.free()
    bring_back(server)  # mongod ends itself where it cannot write
    arena.healed()
    dead = consumer.metric("tweetmesh_dead_letters_total") - letters
    arena.require(dead == 0, f"{dead:.0f} good events became dead letters because the disk was full")
