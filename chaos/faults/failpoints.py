# SPDX-License-Identifier: Apache-2.0
"""Programs that kill themselves at a named point, in the middle of the work; see mesh/failpoint.h."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import redis

from chaos.arena import Arena
from chaos.fault import REGISTER, Fault, Strike
from stack.process import poll_until

TIMES = 2
SECOND = "kafka-consumer-2"
SNAPSHOTS = {"SNAPSHOT_MS": "500"}  # not each minute: a row is shorter


def second_consumer(arena: Arena) -> None:
    """It joins the group, so the first one must give partitions away."""
    arena.start(SECOND, ready=False)


def empty_redis(arena: Arena) -> None:
    """Once there is a snapshot from which the counters can come back."""
    consumer = arena.mesh.programs["kafka-consumer"]
    for _ in poll_until(10, 0.1):
        if consumer.metric("tweetmesh_snapshot_timestamp_seconds") > 0:
            break
    with redis.Redis.from_url(arena.mesh.redis.url) as client:
        client.flushall()


@dataclass(frozen=True)
class Point:
    """program: whose it is. passes: at which one it dies, drawn between these two.

    provoke: leads to the point once the program is ready; None: the load does.
    """

    program: str
    name: str
    passes: tuple[int, int] = (20, 200)
    provoke: Callable[[Arena], None] | None = None
    settings: dict[str, str] = field(default_factory=dict)


POINTS = (
    Point("api", "api_before_send"),
    Point("api", "api_after_send"),
    Point("api", "api_replied_before_answer"),
    Point("api", "api_answered_before_hint"),
    Point("grpc-server", "grpc_server_before_produce"),
    Point("grpc-server", "grpc_server_after_produce"),
    Point("grpc-server", "grpc_server_delivered_before_reply"),
    Point("grpc-server", "grpc_server_after_reply"),
    Point("ws-redis", "ws_redis_before_apply"),
    Point("ws-redis", "ws_redis_after_apply"),
    Point("kafka-consumer", "consumer_before_archive"),
    Point("kafka-consumer", "consumer_archived_before_settle"),
    Point("kafka-consumer", "consumer_settled_before_commit", (3, 10)),
    Point("kafka-consumer", "consumer_after_commit", (3, 10)),
    Point("kafka-consumer", "consumer_in_revocation", (1, 1), second_consumer),
    Point("kafka-consumer", "consumer_before_snapshot", (2, 4), settings=SNAPSHOTS),
    Point("kafka-consumer", "consumer_in_restore", (1, 1), empty_redis, SNAPSHOTS),
)


def dying(point: Point) -> Strike:
    def strike(arena: Arena) -> Iterator[None]:
        passes = arena.random.randint(*point.passes)
        arena.stop(point.program)
        settings = point.settings | {"FAILPOINTS": f"{point.name}=kill@{passes}"}
        if point.provoke is None:
            arena.start(point.program, settings, ready=False)  # it may die before it is ready
        else:
            arena.start(point.program, settings)
            point.provoke(arena)
        arena.expect_death(point.program)
        arena.struck()
        yield
        arena.revive(point.program)
        if SECOND in arena.mesh.programs:
            arena.stop(SECOND)

    return strike


for _point in POINTS:
    REGISTER.add(
        Fault(
            name=_point.name.replace("_", "-"),
            text=f"{_point.program} is killed at {_point.name}",
            family="failpoints",
            strike=dying(_point),
            hold_s=0.2,
            times=TIMES,
            struck_min=TIMES,
        )
    )
