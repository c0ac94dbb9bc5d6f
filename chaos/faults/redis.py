# SPDX-License-Identifier: Apache-2.0
"""Redis: killed, emptied, set back, torn, full, hanging, and holding what it should not.

FLUSHALL and the like have every record of the topic read again, so these want a small topic.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from chaos.arena import Arena
from chaos.fault import Load, Needs, fault
from chaos.faults.servers import away, bring_back, hanging, killed
from redis import Redis as Client
from stack.process import poll_until
from stack.redis_server import Redis

TORN_BYTES_MAX = 60_000
SET_BACK_S = 5.0
STATE = "{tweets}:state"
SHOWN = ("{tweets}:country", "{tweets}:totals")
SMALL = Load(events_s=120)


def client(arena: Arena) -> Client:
    return Client.from_url(arena.mesh.redis.url, socket_timeout=5, decode_responses=True)


@fault(
    "redis-killed-aof-everysec",
    "kill -9, its log synced each second",
    family="redis",
    times=3,
    quick=True,
    at_random=True,
)
def redis_killed(arena: Arena) -> Iterator[None]:
    yield from killed(arena, arena.mesh.redis)


for _name, _appendfsync, _text in (
    ("redis-killed-aof-always", "always", "kill -9, its log synced at each write"),
    ("redis-killed-aof-none", "no", "kill -9, its log never synced"),
):
    fault(_name, _text, family="redis", times=3, needs=Needs(redis=(("appendfsync", _appendfsync),)))(redis_killed)


@fault("redis-aof-torn", "kill -9, and the end of its log is torn off", family="redis", hold_s=0.3, times=8)
def redis_aof_torn(arena: Arena) -> Iterator[None]:
    """By a few bytes as often as by many: where a command is cut matters more than how many are lost."""
    server = arena.mesh.redis
    server.kill()
    torn = tear(newest_log(server), round(TORN_BYTES_MAX ** arena.random.random()))
    arena.note(f"{torn} bytes were torn off")
    arena.struck()
    yield
    bring_back(server)
    arena.wait_acked(100)


def newest_log(server: Redis) -> Path:
    """The file that is being appended to; only its end can be torn by a crash."""
    return max((server.data / "appendonlydir").glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))


def tear(path: Path, most: int) -> int:
    """Cuts off the file's end, at most so many bytes; how many it was."""
    size = path.stat().st_size
    torn = min(most, size)
    os.truncate(path, size - torn)
    return torn


@fault(
    "redis-flushall",
    "FLUSHALL under load",
    family="redis",
    times=2,
    load=SMALL,
    fresh=True,
    quick=True,
    at_random=True,
)
def redis_flushall(arena: Arena) -> Iterator[None]:
    with client(arena) as redis:
        redis.flushall()
    arena.struck()
    yield


@fault(
    "redis-function-flush",
    "FUNCTION FLUSH: the counters' library is gone",
    family="redis",
    hold_s=0.5,
    times=3,
    at_random=True,
)
def redis_function_flush(arena: Arena) -> Iterator[None]:
    with client(arena) as redis:
        redis.execute_command("FUNCTION", "FLUSH")
    arena.struck()
    yield


@fault(
    "redis-set-back",
    "an older copy takes its place, as after a failover to a late replica",
    family="redis",
    hold_s=0.3,
    load=SMALL,
)
def redis_set_back(arena: Arena) -> Iterator[None]:
    server = arena.mesh.redis
    log, copy = server.data / "appendonlydir", server.data / "older"
    shutil.copytree(log, copy)
    arena.wait(SET_BACK_S)
    server.kill()
    shutil.rmtree(log)
    copy.rename(log)
    arena.struck()
    yield
    bring_back(server)


@fault("redis-away-2min", "away for two minutes", family="redis", hold_s=120, load=Load(events_s=60))
def redis_away(arena: Arena) -> Iterator[None]:
    yield from away(arena, arena.mesh.redis)


@fault("redis-stopped-10s", "hangs for 10 s", family="redis", hold_s=10, at_random=True)
def redis_stopped(arena: Arena) -> Iterator[None]:
    yield from hanging(arena, arena.mesh.redis)


@fault(
    "redis-disk-full",
    "its disk is full: it refuses writes (MISCONF)",
    family="redis",
    hold_s=3,
    needs=Needs(disks=(("redis", 32),)),
)
def redis_disk_full(arena: Arena) -> Iterator[None]:
    server = arena.mesh.redis
    with client(arena) as redis:
        server.disk.fill()
        refused = any(redis.info("persistence")["aof_last_write_status"] == "err" for _ in poll_until(20))
        arena.require(refused, "Redis took everything on a full disk")
        arena.struck()
        yield
        arena.require(not arena.mesh.programs["ws-redis"].is_ready(), "ws-redis was ready while Redis took no writes")
        server.disk.free()


def take_place_of(arena: Arena, keys: tuple[str, ...]) -> Iterator[None]:
    """A string or a list where our hashes should be, until somebody deletes it, as the log asks for."""
    with client(arena) as redis:
        with redis.pipeline(transaction=True) as at_once:
            for number, key in enumerate(keys):
                at_once.delete(key)
                if number % 2:
                    at_once.rpush(key, "not", "ours")
                else:
                    at_once.set(key, "not ours")
            at_once.execute()
        arena.struck()
        yield
        redis.delete(*keys)


@fault(
    "redis-wrong-type-shown",
    "the hashes for people are replaced by other types",
    family="redis",
    hold_s=4,
)
def redis_wrong_type_shown(arena: Arena) -> Iterator[None]:
    """The truth goes on meanwhile: what is only shown must not hold it up."""
    with client(arena) as redis:
        fault_holds = take_place_of(arena, SHOWN)
        next(fault_holds)
        before = int(redis.hget(STATE, "total") or 0)
        yield
        after = int(redis.hget(STATE, "total") or 0)
        arena.require(after > before, "counting stopped because of a key that is only shown")
        refused = arena.mesh.programs["kafka-consumer"].metric("tweetmesh_show_refused")
        arena.require(refused == 1, "no metric told that Redis does not take what is shown")
        next(fault_holds, None)


@fault(
    "redis-wrong-type-state",
    "a string takes the place of the counters",
    family="redis",
    hold_s=4,
    load=SMALL,
    fresh=True,
)
def redis_wrong_type_state(arena: Arena) -> Iterator[None]:
    fault_holds = take_place_of(arena, (STATE,))
    next(fault_holds)
    yield
    consumer, feeder = arena.mesh.programs["kafka-consumer"], arena.mesh.programs["ws-redis"]
    arena.require(not consumer.is_ready(), "kafka-consumer was ready while it could not settle")
    arena.require(consumer.metric("tweetmesh_redis_up") == 0, "no metric told that Redis does not settle")
    refused = feeder.metric("tweetmesh_hints_dropped_total", reason="redis_refused")
    arena.require(refused > 0, "ws-redis did not count the hints that Redis refused")
    next(fault_holds, None)
