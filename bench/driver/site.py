# SPDX-License-Identifier: Apache-2.0
"""What all rows share: the three servers, mongo-sink, the payload, the tools, and what was found out so far."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.driver.bare_kafka import PARTITIONS, BareKafka
from bench.driver.corpus import Corpus
from bench.driver.pace import Pace
from bench.driver.stores import Kafka, Redis
from bench.driver.tools import Tools, run_text
from stack import secure_kafka
from stack.certificates import Authority
from stack.component import Home
from stack.mesh import PROJECT, Mesh, Options

# Deleted topics give their disk back at once; segments of a size that is written in about a second.
BROKER = {"log.segment.delete.delay.ms": "1000", "log.segment.bytes": str(256 << 20)}
Say = Callable[[str], None]


def linger_us(build: Path) -> int:
    """What grpc-server waits for more events unless told otherwise; the bare producer waits as long."""
    told = json.loads(run_text([str(build / "grpc-server/grpc-server"), "--options"], 20))
    return int(next(each["default"] for each in told["options"] if each["name"] == "KAFKA_LINGER_US"))


@dataclass
class Peaks:
    """Events/s accepted, by events a request, as soon as a row has measured it."""

    per_s: dict[int, float] = field(default_factory=dict)


class Site:
    """Started once for all rows. Threads: the main one."""

    def __init__(self, folder: Path, build: Path, pace: Pace, say: Say, *, secure: bool = False) -> None:
        """secure: Kafka has a port for TLS and passwords, too, and .authority issues certificates."""
        self.folder = folder
        self.build = build
        self.pace = pace
        self.say = say
        self.tools = Tools(build)
        self.peaks = Peaks()
        self.linger_us = linger_us(build)
        listeners = secure_kafka.LISTENERS if secure else ()
        options = Options(build=build, jvm_defaults=True, partitions=PARTITIONS, kafka_listeners=listeners)
        self.servers = Mesh(folder / "servers", options)
        self.servers.kafka.properties |= BROKER
        self.authority: Authority | None = None
        if secure:
            shutil.rmtree(folder / "certificates", ignore_errors=True)
            self.authority = Authority(folder / "certificates")
            self.servers.kafka.properties |= secure_kafka.properties(self.authority)
        self.home = Home(folder / "tools")
        self.corpus: Corpus
        self.kafka: Kafka
        self.redis: Redis
        self.bare: BareKafka

    def start(self) -> Site:
        self.servers.erase()
        try:
            self.servers.start_servers()
            self.home.folder.mkdir(parents=True, exist_ok=True)
            self.corpus = Corpus.write(self.home.folder)
            self.kafka = Kafka(self.servers.kafka.url)
            self.redis = Redis(self.servers.redis.url)
            self.bare = BareKafka(self.tools, self.kafka, self.servers.kafka)
            self._warm_broker()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        for client in (getattr(self, "kafka", None), getattr(self, "redis", None)):
            if client is not None:
                client.close()
        self.servers.stop()

    def _warm_broker(self) -> None:
        """The JVM compiles what is used often; before that, whoever is measured first looks slow."""
        self.say(f"  warming the broker for {self.pace.broker_warm_s:g} s")
        self.produce_bare(self.corpus.singles, self.pace.broker_warm_s, linger_us=self.linger_us)

    def produce_bare(self, values: Path, seconds: float, *, warm: bool = False, **options: object) -> dict:
        """One run of the bare producer, idempotent, acks=all, into a topic of its own, which goes with it."""
        if warm:
            options["warmup"] = self.pace.warm_s
        return self.bare.produce(values, seconds=seconds, **options)

    def server_pids(self) -> dict[str, int]:
        servers = self.servers
        return {"kafka": servers.kafka.pid, "redis": servers.redis.pid, "mongo": servers.mongo.pid}

    @property
    def redis_port(self) -> int:
        return self.servers.redis.ports["redis"]


def declared_stream() -> dict:
    """The stream file of tweets, to be declared again under other names."""
    return json.loads((PROJECT / "streams/tweets.json").read_text())
