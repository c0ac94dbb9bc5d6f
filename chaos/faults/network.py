# SPDX-License-Identifier: Apache-2.0
"""The network between every pair: late, slow, reset, half-open, one-way, cut; lossy and down in namespaces.

A row takes all pairs in turn, in an order left to chance: disturbs one while it holds, heals it, waits
until events are acknowledged again, and goes on. Requests of the judge itself are late only where its
own links are disturbed, so these have a row of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from chaos.arena import Arena
from chaos.fault import FIRST_ACK_KAFKA_S, REGISTER, Fault, Load, Needs, Strike, fault
from stack.links import PAIRS, Link
from stack.namespaces import Wire

CLIENTS = ("client-api", "client-grpc")
INNER = tuple(pair for pair in PAIRS if pair not in CLIENTS)
AT_RANDOM = ("latency", "reset", "half-open", "one-way", "cut")  # of KINDS, on one pair that is left to chance
SLOW_S = 1.0
FIRST_ACKS = 10  # events, before the next pair has its turn

Disturb = Callable[[Arena, Link], None]

# What can be done to a link: name, what it is, how, how long it holds, and what it can carry.
KINDS: tuple[tuple[str, str, Disturb, float, Load], ...] = (
    ("latency", "100 ms later, each way", lambda _arena, link: link.latency(100), 1.0, Load()),
    ("jitter", "10 to 110 ms later, each way", lambda _arena, link: link.latency(60, jitter_ms=50), 1.0, Load()),
    ("slow", "10 kB/s", lambda _arena, link: link.bandwidth(10), 2.0, Load(events_s=20, workers=4)),
    (
        "reset",
        "every connection is reset",
        lambda arena, link: link.reset_peer(arena.random.randint(0, 50)),
        1.0,
        Load(),
    ),
    ("half-open", "accepts, and never answers", lambda _arena, link: link.half_open(), 3.0, Load()),
    ("one-way", "nothing in one direction", lambda arena, link: link.one_way(direction(arena)), 3.0, Load()),
    ("cut", "refused", lambda _arena, link: link.cut(), 1.5, Load()),
)


def direction(arena: Arena) -> str:
    return arena.random.choice(("upstream", "downstream"))


def shuffled(arena: Arena, names: tuple[str, ...]) -> list[str]:
    return arena.random.sample(names, len(names))


def wait_first_acks(arena: Arena, name: str) -> None:
    """The goal of the row, for those before its last one; notes who was slow."""
    healed = time.monotonic()
    arena.wait_acked(FIRST_ACKS, FIRST_ACK_KAFKA_S)
    took = time.monotonic() - healed
    if took > SLOW_S:
        arena.note(f"{name}: {FIRST_ACKS} events were acknowledged {took:.1f} s after healing")


def in_turn(disturb: Disturb, pairs: tuple[str, ...]) -> Strike:
    def strike(arena: Arena) -> Iterator[None]:
        for pair in shuffled(arena, pairs):
            yield from disturbed(arena, arena.mesh.links[pair], disturb)
            wait_first_acks(arena, pair)

    return strike


def disturbed(arena: Arena, link: Link, disturb: Disturb) -> Iterator[None]:
    try:
        disturb(arena, link)
        arena.struck()
        yield
    finally:
        link.heal()
    arena.healed()


def one_pair(disturb: Disturb) -> Strike:
    def strike(arena: Arena) -> Iterator[None]:
        pair = arena.random.choice(INNER)
        arena.note(pair)
        yield from disturbed(arena, arena.mesh.links[pair], disturb)

    return strike


for _name, _text, _disturb, _hold_s, _load in KINDS:
    REGISTER.add(
        Fault(
            name=f"network-{_name}",
            text=f"each connection between programs and servers in turn: {_text}",
            family="network",
            strike=in_turn(_disturb, INNER),
            needs=Needs(links=True),
            load=_load,
            hold_s=_hold_s,
            struck_min=len(INNER),
            acked_min=100,
            first_ack_s=FIRST_ACK_KAFKA_S,
        )
    )
    if _name in AT_RANDOM:
        REGISTER.add(
            Fault(
                name=f"link-{_name}",
                text=f"one connection, left to chance: {_text}",
                family="network",
                strike=one_pair(_disturb),
                needs=Needs(links=True),
                load=_load,
                hold_s=2 * _hold_s,
                first_ack_s=FIRST_ACK_KAFKA_S,
                acked_min=50,
                at_random=True,
            )
        )


@fault(
    "network-clients",
    "the connections of clients in turn, all that can be done to them",
    family="network",
    needs=Needs(links=True),
    load=Load(events_s=100),
    hold_s=1.0,
    struck_min=len(CLIENTS) * len(KINDS),
    first_ack_s=FIRST_ACK_KAFKA_S,
    late_answers=True,
)
def network_clients(arena: Arena) -> Iterator[None]:
    for _name, _text, disturb, _hold_s, _load in arena.random.sample(KINDS, len(KINDS)):
        yield from in_turn(disturb, CLIENTS)(arena)


# In namespaces: real packets.

SERVERS = ("kafka", "redis", "mongo")


def wire_disturbed(arena: Arena, wire: Wire, disturb: Callable[[Wire], None]) -> Iterator[None]:
    try:
        disturb(wire)
        arena.struck()
        yield
    finally:
        wire.heal()
    arena.healed()
    wait_first_acks(arena, wire.name)


def wires_in_turn(disturb: Callable[[Wire], None]) -> Strike:
    def strike(arena: Arena) -> Iterator[None]:
        for server in shuffled(arena, SERVERS):
            yield from wire_disturbed(arena, arena.mesh.wires[server], disturb)

    return strike


for _name, _text, _cut in (
    ("packet-loss-20", "a fifth of the packets is lost, each way", lambda wire: wire.lose(0.2)),
    ("link-taken-down", "the link is down", Wire.take_down),
):
    REGISTER.add(
        Fault(
            name=_name,
            text=f"Kafka's, Redis's and MongoDB's network in turn, each in a namespace of its own: {_text}",
            family="network",
            strike=wires_in_turn(_cut),
            needs=Needs(namespaces=True),
            hold_s=5,
            struck_min=len(SERVERS),
            first_ack_s=FIRST_ACK_KAFKA_S,
        )
    )
