# SPDX-License-Identifier: Apache-2.0
"""What a rate of events needs, computed from what one event costs (costs.py) and from a few assumptions.

For each hop: cores = events/s × CPU seconds per event; instances = cores ÷ (cores of one × how busy it may be). Kafka
and the network are reckoned by bytes, too. Nothing here is measured at such rates: it is multiplication.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

KINDS = {"single": "1 a request", "batch": "100 a request"}
RATES = (100_000, 1_000_000)
PARTITIONS_MIN = 4
MICRO = 1e6


@dataclass(frozen=True)
class Assumptions:
    """What the bench cannot tell. Bytes are a second."""

    busy: float = 0.6  # of its cores, disk and network at most, so that a burst or a lost instance finds room
    pod_cores: int = 2  # of one api and one grpc-server together
    broker_cores: int = 8
    mongodb_cores: int = 8
    replicas: int = 3
    disk: float = 500e6  # of a broker
    network: float = 1.25e9  # of a broker, each way: 10 Gbit/s


class Missing(Exception):
    """A cost that was not measured, or is void."""


@dataclass(frozen=True)
class Hop:
    """One kind of process in the way of an event."""

    name: str
    us: float  # CPU per event
    cores: int  # that one instance can use
    more: str  # what makes more of it

    def most(self, busy: float) -> float:
        """Events/s of one instance; infinite if it costs nothing that could be measured."""
        return self.cores * busy * MICRO / self.us if self.us > 0 else math.inf

    def instances(self, rate: float, busy: float) -> int:
        return max(1, math.ceil(rate / self.most(busy)))


@dataclass(frozen=True)
class Needs:
    """For one rate. Bytes are a second."""

    rate: int
    pods: int
    ws_redis: int
    brokers: int
    brokers_by: str  # what of them is scarcest
    partitions: int
    consumers: int
    redis_cores: float  # kept busy; all counters of one stream are on one core
    mongodb: int
    kafka_disk: float  # written, all replicas together
    network: float  # between machines, all hops together


class Model:
    """Costs of one kind: one event a request, or 100. Raises Missing where one is not there."""

    def __init__(self, costs: Mapping[str, Mapping], kind: str, assumptions: Assumptions | None = None) -> None:
        self.assumptions = assumptions or Assumptions()
        self._costs = costs
        self._kind = kind
        self._hops = {hop.name: hop for hop in self._make_hops()}
        self.log = self._bytes(kind, "kafka log")

    @property
    def hops(self) -> list[Hop]:
        """In the order in which an event meets them."""
        return list(self._hops.values())

    def _us(self, kind: str, process: str) -> float:
        return self._part(kind, "cpu_us", process)

    def _bytes(self, kind: str, what: str) -> float:
        return self._part(kind, "bytes", what)

    def _part(self, kind: str, part: str, name: str) -> float:
        try:
            return float(self._costs[kind][part][name])
        except KeyError:
            raise Missing(f"{name} ({kind}) was not measured") from None

    def _make_hops(self) -> list[Hop]:
        kind, given = self._kind, self.assumptions
        gateway = self._us(kind, "api") + self._us(kind, "grpc-server")
        append, read = self._us(kind, "kafka"), self._us("archive", "kafka")
        # A follower fetches from the leader as a consumer does, and appends as the leader does.
        brokers = append + read + (given.replicas - 1) * (append + read)
        counters = self._us(kind, "redis") + self._us("archive", "redis")
        return [
            Hop("api + grpc-server", gateway, given.pod_cores, "pods"),
            Hop("Kafka broker, all replicas", brokers, given.broker_cores, "brokers"),
            Hop("ws-redis", self._us(kind, "ws-redis"), 1, "instances"),
            Hop("Redis", counters, 1, "streams"),
            Hop("kafka-consumer", self._us("archive", "kafka-consumer"), 1, "instances, as many as partitions"),
            Hop("MongoDB (FerretDB)", self._us("mongodb", "mongo"), given.mongodb_cores, "shards"),
        ]

    def network_bytes(self) -> float:
        """Of an event, between machines; api and grpc-server are in one pod. Heads and handshakes are left out."""
        redis = sum(self._bytes(kind, f"redis {way}") for kind in (self._kind, "archive") for way in ("in", "out"))
        copies = self.assumptions.replicas + 1  # to the leader, to each follower, to kafka-consumer
        return self._bytes(self._kind, "body") + copies * self.log + redis + self._bytes("mongodb", "document")

    def needs(self, rate: int) -> Needs:
        given, hops = self.assumptions, self._hops
        count = {name: hop.instances(rate, given.busy) for name, hop in hops.items()}
        written = rate * self.log * given.replicas
        by = {
            "CPU": count["Kafka broker, all replicas"],
            "disk": math.ceil(written / (given.disk * given.busy)),
            "network": math.ceil(written / (given.network * given.busy)),  # as much goes out as comes in
            "replicas": given.replicas,
        }
        scarcest = max(by, key=lambda name: by[name])
        brokers, consumers = by[scarcest], count["kafka-consumer"]
        return Needs(
            rate=rate,
            pods=count["api + grpc-server"],
            ws_redis=count["ws-redis"],
            brokers=brokers,
            brokers_by=scarcest,
            # Twice as many as there must be, so that consumers and brokers can be added without new partitions.
            partitions=max(PARTITIONS_MIN, 2 * max(brokers, consumers)),
            consumers=consumers,
            redis_cores=rate * hops["Redis"].us / MICRO,
            mongodb=count["MongoDB (FerretDB)"],
            kafka_disk=written,
            network=rate * self.network_bytes(),
        )

    def first(self) -> list[Hop]:
        """Those of which one instance carries least come first."""
        return sorted(self.hops, key=lambda hop: hop.most(1))

    def wall(self) -> float:
        """Events/s of one stream, however many machines there are: its counters are on one core of Redis."""
        return self._hops["Redis"].most(1)
