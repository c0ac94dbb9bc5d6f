# SPDX-License-Identifier: Apache-2.0
"""ws-redis: away, hanging, and flooded with hints that are old, repeated, out of order, or nonsense."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import websocket
from chaos.arena import Arena
from chaos.fault import fault
from confluent_kafka import Consumer, TopicPartition

TOPIC, STREAM = "messages", "tweets"
WINDOW = 64  # offsets of one frame
PAST = 3000  # offsets of each partition that are told again
VIEWERS = 200
FEEDERS = 2
PAUSE_S = 0.0005  # between frames, so that the load has a share of the machine, too

# Known groups by partition and offset, as api would have told them.
Told = dict[int, dict[int, str]]


@fault(
    "ws-redis-away",
    "killed, and back after 15 s",
    family="consumers",
    hold_s=15,
    at_random=True,
)
def ws_redis_away(arena: Arena) -> Iterator[None]:
    arena.kill("ws-redis")
    arena.struck()
    yield
    arena.revive("ws-redis")


@fault(
    "ws-redis-flooded",
    "old, repeated and disordered hints, garbage, and 200 browsers of which most never read",
    family="consumers",
    hold_s=6,
)
def ws_redis_flooded(arena: Arena) -> Iterator[None]:
    program = arena.mesh.programs["ws-redis"]
    refused = program.metric("tweetmesh_frames_total") - program.metric("tweetmesh_frames_total", result="good")
    with Flood(arena) as flood:
        arena.struck()
        yield
    bad = program.metric("tweetmesh_frames_total") - program.metric("tweetmesh_frames_total", result="good")
    arena.require(flood.repeated > 500, f"only {flood.repeated} frames were repeated")
    arena.require(flood.garbage > 50 and bad > refused, "no garbage came through to be refused")
    arena.require(flood.seen > 0, "no browser was told anything")
    arena.note(f"{flood.repeated} frames told again, {flood.garbage} of garbage, {flood.viewers} browsers")


class Flood:
    """Threads: one a feeder, one for garbage, one that reads Kafka, all ended by leaving the context."""

    def __init__(self, arena: Arena) -> None:
        self.repeated = 0
        self.garbage = 0
        self.viewers = 0
        self.seen = 0  # messages to a browser that reads
        self._mesh = arena.mesh
        self._told: Told = {}
        self._lock = threading.Lock()  # guards _told and the numbers
        self._over = threading.Event()
        self._browsers: list[websocket.WebSocket] = []
        seeds = [arena.random.getrandbits(32) for _ in range(FEEDERS + 1)]
        works: list[Callable[[], None]] = [self._listen, self._view, lambda: self._litter(random.Random(seeds[-1]))]
        works += [lambda seed=seed: self._repeat(random.Random(seed)) for seed in seeds[:-1]]
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]

    def __enter__(self) -> Flood:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        for browser in self._browsers:
            browser.shutdown()

    def _connect(self, protocol: str) -> websocket.WebSocket:
        return websocket.create_connection(self._mesh.ws_url, subprotocols=[protocol], timeout=5)

    def _count(self, name: str) -> None:
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)

    def _listen(self) -> None:
        """What Kafka holds, from a while ago to this moment: no more than that may be told."""
        consumer = Consumer({"bootstrap.servers": self._mesh.kafka.url, "group.id": "flood"})
        try:
            places = []
            for number in consumer.list_topics(TOPIC, 5).topics[TOPIC].partitions:
                low, high = consumer.get_watermark_offsets(TopicPartition(TOPIC, number), 5)
                places.append(TopicPartition(TOPIC, number, max(low, high - PAST)))
            consumer.assign(places)
            while not self._over.is_set():
                for message in consumer.consume(500, 0.05):
                    self._learn(message)
        finally:
            consumer.close()

    def _learn(self, message: object) -> None:
        with suppress(ValueError, KeyError, TypeError):  # a record of somebody else
            group = json.loads(message.value())["country"]
            with self._lock:
                self._told.setdefault(message.partition(), {})[message.offset()] = group

    def _frame(self, chance: random.Random) -> bytes | None:
        """Hints for a stretch of offsets, new ones as often as old ones; some left out."""
        with self._lock:
            if not self._told:
                return None
            partition = chance.choice(sorted(self._told))
            told = self._told[partition]
            last = max(told)
            first = max(min(told), last - WINDOW if chance.random() < 0.5 else last - chance.randrange(PAST))
            groups = {o: told[o] for o in range(first, first + WINDOW) if o in told and chance.random() < 0.9}
        return frame(partition, first, groups)

    def _repeat(self, chance: random.Random) -> None:
        feeder = self._connect("counts.v1")
        while not self._over.wait(PAUSE_S):
            hints = self._frame(chance)
            if hints is not None:
                feeder.send_binary(hints)
                self._count("repeated")
        feeder.close()

    def _litter(self, chance: random.Random) -> None:
        while not self._over.wait(PAUSE_S):
            with suppress(websocket.WebSocketException, OSError):  # it may close the door on us
                feeder = self._connect("counts.v1")
                feeder.send_binary(chance.choice(GARBAGE)(chance))
                self._count("garbage")
                feeder.shutdown()

    def _view(self) -> None:
        for _ in range(VIEWERS):
            self._browsers.append(self._connect("live.v1"))
            self._count("viewers")
            if self._over.is_set():
                return
        while not self._over.is_set():
            with suppress(websocket.WebSocketTimeoutException):
                self._browsers[0].recv()
                self._count("seen")


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def text_field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def frame(partition: int, first: int, groups: dict[int, str], stream: str = STREAM) -> bytes:
    """A CountFrame as in proto/tweetmesh/v1/counts.proto; first and the offsets of groups within 4,096."""
    names = sorted(set(groups.values()))
    holes = bytearray(b"\xff" * (max(groups, default=first) - first + 1))
    for offset, name in groups.items():
        holes[offset - first] = names.index(name)
    numbers = b"\x10" + varint(partition) + b"\x18" + varint(first)
    tail = b"".join(text_field(5, name.encode()) for name in names)
    return text_field(1, stream.encode()) + numbers + text_field(4, bytes(holes)) + tail


def torn(chance: random.Random) -> bytes:
    whole = frame(0, 0, {0: "Spain", 5: "Japan"})
    return whole[: chance.randrange(1, len(whole) - 1)]


# None of it is a frame that may count.
GARBAGE: list[Callable[[random.Random], bytes]] = [
    lambda chance: chance.randbytes(chance.randrange(1, 3000)),
    lambda chance: b"\xff" * chance.randrange(1, 200_000),
    torn,
    lambda chance: frame(0, 0, {0: "Spain"}, stream=f"no-{chance.getrandbits(32)}"),
    lambda chance: frame(chance.randrange(2000, 2**32), 0, {0: "Spain"}),
    lambda chance: frame(0, 2**63 + chance.randrange(2**62), {}),
    lambda chance: frame(0, 0, {n: f"no such country {n}" for n in range(200)}),
    lambda chance: frame(0, 0, {0: "x" * 1000}),
]
