# SPDX-License-Identifier: Apache-2.0
"""One Kafka broker: killed, away, slow, hanging, full; a topic made anew; records of somebody else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

from chaos.arena import Arena
from chaos.fault import FIRST_ACK_KAFKA_S, Load, Needs, fault
from chaos.faults.servers import away, bring_back, hanging, killed, slow
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from redis import Redis
from stack.kafka import QUIET
from stack.process import StackError, poll_until

TOPIC = "messages"
KEYS = ("{tweets}:state", "{tweets}:country", "{tweets}:totals")
ALARM_S = 30.0
HALT_S = 15.0
PUT_ASIDE_S = 20.0


@fault(
    "kafka-killed",
    "kill -9 of the only broker",
    family="kafka",
    times=2,
    first_ack_s=FIRST_ACK_KAFKA_S,
    quick=True,
    at_random=True,
)
def kafka_killed(arena: Arena) -> Iterator[None]:
    yield from killed(arena, arena.mesh.kafka)


@fault(
    "kafka-away-60s",
    "the only broker is away for a minute",
    family="kafka",
    hold_s=60,
    first_ack_s=FIRST_ACK_KAFKA_S,
    load=Load(events_s=100),
)
def kafka_away(arena: Arena) -> Iterator[None]:
    yield from away(arena, arena.mesh.kafka)


@fault(
    "kafka-slow",
    "runs for 100 ms, hangs for 400 ms",
    family="kafka",
    hold_s=8,
    first_ack_s=FIRST_ACK_KAFKA_S,
    at_random=True,
)
def kafka_slow(arena: Arena) -> Iterator[None]:
    yield from slow(arena, arena.mesh.kafka)


@fault(
    "kafka-stopped-10s",
    "hangs for 10 s",
    family="kafka",
    hold_s=10,
    first_ack_s=FIRST_ACK_KAFKA_S,
    at_random=True,
)
def kafka_stopped(arena: Arena) -> Iterator[None]:
    yield from hanging(arena, arena.mesh.kafka)


@fault(
    "kafka-disk-full",
    "its disk is full: no acknowledgement may come",
    family="kafka",
    hold_s=3,
    first_ack_s=FIRST_ACK_KAFKA_S,
    needs=Needs(disks=(("kafka", 128),)),
)
def kafka_disk_full(arena: Arena) -> Iterator[None]:
    server = arena.mesh.kafka
    server.disk.fill()
    halted = any(not server.alive() for _ in poll_until(HALT_S, 0.1))
    arena.note("the broker ended itself" if halted else "the broker ran on")
    arena.struck()
    before = arena.counts().acked
    yield
    arena.require(arena.counts().acked == before, "events were acknowledged that the disk had no room for")
    server.disk.free()
    server.kill()  # where it hangs on
    bring_back(server)


def make_anew(arena: Arena) -> None:
    """Deletes the topic and makes it with as many partitions, as somebody might who wants to empty it."""
    admin = AdminClient({"bootstrap.servers": arena.mesh.kafka.url, **QUIET})
    partitions = len(admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions)
    admin.delete_topics([TOPIC], operation_timeout=30)[TOPIC].result(30)
    for _ in poll_until(30):
        if TOPIC not in admin.list_topics(timeout=10).topics:
            break
    admin.create_topics([NewTopic(TOPIC, partitions)], operation_timeout=30)[TOPIC].result(30)


def settled(redis: Redis) -> dict[bytes, bytes]:
    """The watermarks: what kafka-consumer has settled."""
    return {name: value for name, value in redis.hgetall(KEYS[0]).items() if name.startswith(b"w:")}


@fault(
    "topic-made-anew",
    "the topic is deleted and made again: an alarm, nothing settled, until people decide",
    family="kafka",
    hold_s=3,
    load=Load(events_s=120),
    first_ack_s=None,
    exact_s=None,
    fresh=True,
)
def topic_made_anew(arena: Arena) -> Iterator[None]:
    consumer = arena.mesh.programs["kafka-consumer"]
    arena.wait_acked(300)
    make_anew(arena)
    arena.struck()
    acked = arena.counts().acked
    raised = any(consumer.metric("tweetmesh_topic_changed") == 1 for _ in poll_until(ALARM_S, 0.1))
    arena.require(raised, f"tweetmesh_topic_changed was not 1 within {ALARM_S:g} s")
    with Redis.from_url(arena.mesh.redis.url) as redis:
        marks = settled(redis)
        arena.wait_acked(100)  # there is something that could be settled
        yield
        arena.note(f"{arena.counts().acked - acked} events were acknowledged into the new topic before anybody decided")
        arena.require(settled(redis) == marks, "the new log was settled as if it were the old one")
        arena.require(not consumer.is_ready(), "kafka-consumer was ready with the alarm up")
        arena.require(consumer.metric("tweetmesh_topic_changed") == 1, "the alarm went away by itself")
        way_out(arena, redis)


def way_out(arena: Arena, redis: Redis) -> None:
    """What docs/operations.md says to do."""
    arena.stop("kafka-consumer")
    redis.delete(*KEYS)
    arena.mesh.programs["kafka-consumer"].settings["KAFKA_GROUP_ID"] = "tweetmesh-archive-anew"
    arena.start("kafka-consumer")
    counted = any(settled(redis) for _ in poll_until(ALARM_S))
    arena.require(counted, "the new log was not settled after the way out")


# Every one is a record that cannot be archived, whatever its reader thinks of JSON.
NO_EVENTS = (
    None,
    b"",
    b"not json",
    b"\xff\xfe\x00",
    b"[1, 2]",
    b"{" * 50_000,
    b"x" * 900_000,
    b'{"text": "no id", "country": "US"}',
    b'{"id": "not-a-uuid", "received_at": "2026-01-01T00:00:00.000Z", "text": "x", "country": "US"}',
    b'{"id": 7, "received_at": "2026-01-01T00:00:00.000Z", "text": "x", "country": "US"}',
)
ODD_HEADERS = [("error", b"mine"), ("id", None), ("traceparent", b"\xff"), *((f"h{n}", b"x" * 100) for n in range(200))]


def foreign_event(arena: Arena) -> bytes:
    event_id = str(uuid.UUID(int=arena.random.getrandbits(128), version=4))
    event = {"id": event_id, "received_at": "2026-01-02T03:04:05.678Z", "text": f"foreign: {event_id}"}
    return json.dumps(event | {"country": arena.random.choice(("Japan", "Spain", "Narnia")), "lang": "es"}).encode()


@fault(
    "foreign-record",
    "somebody else writes to the topic: no events, huge and odd records, events past grpc-server",
    family="kafka",
    times=3,
)
def foreign_record(arena: Arena) -> Iterator[None]:
    """No events become dead letters; events count, each once, however often they were written."""
    consumer = arena.mesh.programs["kafka-consumer"]
    letters = consumer.metric("tweetmesh_dead_letters_total")
    events = [foreign_event(arena) for _ in range(40)]
    values = [*NO_EVENTS, *events, *events[:10]]
    arena.random.shuffle(values)
    producer = Producer({"bootstrap.servers": arena.mesh.kafka.url, "acks": "all", **QUIET})
    for number, value in enumerate(values):
        producer.produce(TOPIC, value, key=b"k" * (number * 500), headers=ODD_HEADERS if number % 3 else None)
    if producer.flush(30) > 0:
        raise StackError("the foreign producer could not write")
    arena.struck()
    yield
    wanted = letters + len(NO_EVENTS)
    aside = any(consumer.metric("tweetmesh_dead_letters_total") == wanted for _ in poll_until(PUT_ASIDE_S, 0.1))
    arena.require(aside, f"not all of {len(NO_EVENTS)} records that are no events became dead letters")
