# SPDX-License-Identifier: Apache-2.0
"""Three brokers, every record on each, two must have it: a leader dies, too many are away, all restart in turn."""

from __future__ import annotations

from collections.abc import Iterator

from chaos.arena import Arena
from chaos.fault import FIRST_ACK_KAFKA_S, Needs, fault
from stack.kafka import Kafka

TOPIC = "messages"
PARTITIONS = 4
TOPICS = [TOPIC, "__consumer_offsets"]
CLUSTER = Needs(brokers=3)
IN_FLIGHT_S = 2.0  # an acknowledgement that was under way at the strike has arrived by then


def in_sync(arena: Arena) -> None:
    """Only then one more broker may be taken away."""
    arena.mesh.kafka.wait_in_sync(TOPICS)


def come_back(brokers: list[Kafka]) -> None:
    for broker in brokers:
        if not broker.alive():
            broker.launch()
    for broker in brokers:
        broker.wait_ready()


@fault(
    "leader-killed",
    "kill -9 of a partition's leader, of three brokers, again and again",
    family="kafka",
    needs=CLUSTER,
    hold_s=4,
    times=3,
    struck_min=3,
    first_ack_s=FIRST_ACK_KAFKA_S,
)
def leader_killed(arena: Arena) -> Iterator[None]:
    in_sync(arena)
    partition = arena.random.randrange(PARTITIONS)
    leader = arena.mesh.kafka.leader_of(TOPIC, partition)
    arena.wait_acked(50)
    leader.kill()
    arena.struck()
    arena.note(f"{leader.name} led partition {partition}")
    yield
    arena.wait_acked(50, 15)  # by the two that are left
    come_back([leader])


@fault(
    "two-brokers-away",
    "two of three brokers are killed: nothing may be acknowledged until one is back",
    family="kafka",
    needs=CLUSTER,
    hold_s=10,
    first_ack_s=FIRST_ACK_KAFKA_S,
)
def two_brokers_away(arena: Arena) -> Iterator[None]:
    in_sync(arena)
    gone = arena.random.sample(arena.mesh.kafka.brokers, 2)
    for broker in gone:
        broker.kill()
    arena.struck()
    arena.wait(IN_FLIGHT_S)
    before = arena.counts()
    yield
    now = arena.counts()
    arena.require(now.acked == before.acked, f"{now.acked - before.acked} events acknowledged by one broker of three")
    refused, unknown = now.refused - before.refused, now.unknown - before.unknown
    arena.require(refused > 0, "nobody was told that events are not taken")
    arena.note(f"meanwhile {refused} answers 503, {unknown} answers 504")
    come_back(gone)
    arena.healed()
    in_sync(arena)


@fault(
    "broker-rolling-restart",
    "SIGTERM and start of each of three brokers in turn",
    family="kafka",
    needs=CLUSTER,
    hold_s=0.5,
    struck_min=3,
    first_ack_s=FIRST_ACK_KAFKA_S,
)
def broker_rolling_restart(arena: Arena) -> Iterator[None]:
    for broker in arena.random.sample(arena.mesh.kafka.brokers, 3):
        in_sync(arena)
        before = arena.counts()
        broker.stop()
        arena.struck()
        yield
        arena.wait_acked(50, 15)
        come_back([broker])
        now = arena.counts()
        arena.note(f"{broker.name}: {now.acked - before.acked} acknowledged, {now.refused - before.refused} refused")
    in_sync(arena)
