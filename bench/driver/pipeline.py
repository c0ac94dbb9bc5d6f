# SPDX-License-Identifier: Apache-2.0
"""Our programs on streams of their own, for one group of rows: loaded, measured, drained and audited.

Nothing but what was acknowledged may be in Kafka, Redis and the archive, and all of it must be: else the rows are void.
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench.driver.audit import Stream, audited
from bench.driver.corpus import BATCH
from bench.driver.site import PARTITIONS, Site, declared_stream
from bench.driver.tools import Sink
from bench.driver.watch import cpu_of, used
from stack.component import Home
from stack.kafka_log import log_bytes
from stack.mesh import Mesh, Options
from stack.process import StackError, poll_until
from stack.program import Program

CONNECTIONS = 64
WINDOW = 32  # messages under way on a gRPC stream
ACCEPTING = ("ws-redis", "grpc-server", "api")  # the archive is worked off when they are done
ALL = (*ACCEPTING[:2], "kafka-consumer", "api")
DATABASE = "bench"
DRAIN_SECONDS = 120
HINTS_SECONDS = 3
AUDIT_MB = 8192


@dataclass
class Setup:
    """Which programs and streams."""

    name: str
    programs: tuple[str, ...] = ALL
    archive: str = "sink"  # or "mongo": FerretDB, or what $MONGOD says
    partitions: tuple[int, ...] = (PARTITIONS,)  # of each stream's topic
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    pods: int = 1


@dataclass
class Load:
    """What became of one run of requests."""

    events: int
    seconds: float
    refused: int
    cpu: dict[str, float]  # seconds, by program and server
    latency: dict[str, dict]  # openloop's "acked", of the first pod
    client_cpu: float
    in_time: int | None = None  # events that were answered within the seconds; None: not told
    redis: dict[str, int] = field(default_factory=dict)  # bytes in, out and into its file, as stores.Redis says

    @property
    def per_s(self) -> float:
        """What was under way at the end is left out: it was answered after the clock had stopped."""
        return (self.events if self.in_time is None else self.in_time) / self.seconds

    def us_per_event(self, *programs: str) -> float:
        if self.events == 0:
            raise StackError("no event was accepted")
        names = [name for name in self.cpu if name.rstrip("0123456789").rstrip("-") in programs]
        return 1e6 * sum(self.cpu[name] for name in names) / self.events

    def cpu_us(self) -> dict[str, float]:
        """Of every process, per event, for the record."""
        per_event = {name: round(1e6 * seconds / max(1, self.events), 3) for name, seconds in self.cpu.items()}
        return per_event | {"client": round(1e6 * self.client_cpu / max(1, self.events), 3)}


class Pipeline:
    """Used in a `with`; Threads: the main one."""

    def __init__(self, site: Site, setup: Setup) -> None:
        self.site = site
        self.setup = setup
        self.folder = site.folder / "rows" / setup.name
        self.streams = [self._declare(number, count) for number, count in enumerate(setup.partitions, 1)]
        self.sink = Sink("mongo-sink", Home(self.folder), site.build) if setup.archive == "sink" else None
        self.mesh = self._mesh()
        self.doubts: list[str] = []
        self._archived = 0  # by consumers that have ended
        self._sent = 0

    def _declare(self, number: int, partitions: int) -> Stream:
        name = f"{self.setup.name}-{number}"
        stream = Stream(name, f"/{name}", name, name.replace("-", "_"), partitions)
        names = {"stream": name, "path": stream.path, "topic": stream.topic, "collection": stream.collection}
        streams = self.folder / "streams"
        streams.mkdir(parents=True, exist_ok=True)
        (streams / f"{name}.json").write_text(json.dumps(declared_stream() | names))
        return stream

    def _mesh(self) -> Mesh:
        site, setup = self.site, self.setup
        servers = site.servers
        archive = self.sink.url if self.sink else servers.mongo.url
        of_all = {"KAFKA_GROUP_ID": f"bench-{setup.name}", "MEMORY_MB_MAX": str(AUDIT_MB)}
        consumer = {"SNAPSHOT_MS": "0"} if self.sink else {}  # the sink would forget them
        settings = {**setup.settings, "all": of_all | setup.settings.get("all", {})}
        settings["kafka-consumer"] = consumer | setup.settings.get("kafka-consumer", {})
        mesh = Mesh(
            self.folder / "mesh",
            Options(
                build=site.build,
                streams=self.folder / "streams",
                database=DATABASE,
                external={"kafka": servers.kafka.url, "redis": servers.redis.url, "mongo": archive},
                settings=settings,
            ),
        )
        for pod in range(2, setup.pods + 1):
            mesh.add_program(f"grpc-server-{pod}")
            mesh.add_program(f"api-{pod}")
        return mesh

    def __enter__(self) -> Pipeline:
        try:
            for stream in self.streams:
                self.site.kafka.create(stream.topic, stream.partitions)
                self.site.kafka.create(f"{stream.topic}.dlq", 1)
            if self.sink:
                self.sink.start()
            self.start(*[each.name for each in self.programs(*self.setup.programs)])
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._leave()
        if kind is None:
            self.site.kafka.delete(*(name for stream in self.streams for name in (stream.topic, f"{stream.topic}.dlq")))
            for stream in self.streams:
                self.site.redis.forget(*(f"{{{stream.name}}}:{what}" for what in ("state", "totals", "country")))
            shutil.rmtree(self.folder, ignore_errors=True)

    def _leave(self) -> None:
        self.mesh.stop()
        if self.sink:
            self.sink.stop()

    # Programs.

    def __getitem__(self, name: str) -> Program:
        return self.mesh.programs[name]

    def programs(self, *kinds: str) -> list[Program]:
        """All instances of these programs, those that others need first."""
        return [each for kind in ALL if kind in kinds for each in self.mesh.programs.values() if each.program == kind]

    def start(self, *names: str) -> None:
        chosen = [self[name] for name in names]
        for program in chosen:
            program.prepare()
            program.launch()
        for program in chosen:
            program.wait_ready()

    def stop_consumer(self) -> None:
        consumer = self["kafka-consumer"]
        if consumer.alive():
            self._archived += int(consumer.metric("tweetmesh_archived_total"))
            if code := consumer.stop():
                raise StackError(f"kafka-consumer ended with {code}; log {consumer.log}")

    @property
    def archived(self) -> int:
        """What our consumers say they have put into the archive."""
        consumer = self["kafka-consumer"]
        return self._archived + (int(consumer.metric("tweetmesh_archived_total")) if consumer.alive() else 0)

    def pids(self) -> dict[str, int]:
        """Of our programs that run, and of the servers."""
        ours = {program.name: program.pid for program in self.mesh.programs.values() if program.alive()}
        sink = {"mongo-sink": self.sink.pid} if self.sink and self.sink.alive() else {}
        return ours | sink | self.site.server_pids()

    # Load.

    @property
    def stream(self) -> Stream:
        return self.streams[0]

    def load(
        self,
        seconds: float,
        *,
        batch: int = 1,
        connections: int = CONNECTIONS,
        rate: float = 0,
        pods: int = 1,
        stream: int = 0,
        **options: object,
    ) -> Load:
        """rate: requests/s in all; 0: as fast as they are answered. Connections and rate are shared by the pods."""
        target = self.streams[stream]
        given = options | {"connections": connections // pods, "rate": rate / pods}

        def one(program: Program) -> dict:
            bodies = self.site.corpus.of(batch)
            return self.site.tools.openloop(program.ports["http"], target.path, bodies, seconds=seconds, **given)

        pids = self.pids()
        before, redis = cpu_of(pids), self.site.redis.traffic()
        with ThreadPoolExecutor(pods) as pool:
            found = list(pool.map(one, self.programs("api")[:pods]))
        load = self._account(found, batch, target)
        self._wait_hints(target)
        load.cpu = used(before, cpu_of(pids))
        load.redis = grown(redis, self.site.redis.traffic())
        return load

    def _account(self, found: list[dict], batch: int, target: Stream) -> Load:
        events = refused = 0
        for figures in found:
            events += figures["acked"]["count"] * batch
            refused += figures["statuses"].get("503", 0)
            doubtful = {code: count for code, count in figures["statuses"].items() if code not in ("202", "503")}
            for what in ("broken", "unanswered"):
                doubtful |= {what: figures[what]} if figures[what] else {}
            if doubtful:
                self.doubts.append(f"requests without a clear outcome: {doubtful}")
        target.acked += events
        seconds = max(figures["seconds"] for figures in found)
        client = sum(figures["cpu_s"] for figures in found) / len(found)  # told for all that ran at once
        return Load(events, seconds, refused, {}, found[0]["acked"], client, in_time(found, batch))

    def warm(self, **how: object) -> None:
        self.load(self.site.pace.warm_s, **how)

    def publish(self, *, seconds: float | None = None, count: int | None = None, window: int = WINDOW) -> dict:
        """bench-stream, 100 events a message, straight to grpc-server; with seconds it warms up first."""
        words = ["--target", self.mesh.grpc_address, "--stream", self.stream.name, "--values", self.site.corpus.singles]
        words += ["--batch", BATCH, "--window", window]
        words += ["--count", count] if count else ["--warmup", self.site.pace.warm_s, "--seconds", f"{seconds:g}"]
        figures = self.site.tools.run("bench-stream", *words, seconds=(seconds or 0) + (count or 0) / 10_000 + 60)
        if figures["unknown"]:
            self.doubts.append(f"bench-stream: {figures['unknown']} events without a clear outcome")
        self.stream.acked += figures["stored"]  # warming up and at the end, too
        return figures

    def _wait_hints(self, stream: Stream) -> None:
        """Hints follow their answers; some may be lost, so it ends when no more come."""
        if "ws-redis" not in self.setup.programs:
            return
        last = -1
        for _ in poll_until(HINTS_SECONDS, 0.1):
            total = self.site.redis.total(stream.name)
            if total >= stream.acked or total == last:
                return
            last = total

    # The end.

    def settled(self) -> int:
        return sum(self.site.redis.settled(stream.name, stream.partitions) for stream in self.streams)

    def written(self) -> int:
        return sum(self.site.kafka.written(stream.topic, stream.partitions) for stream in self.streams)

    def log_bytes(self) -> float:
        """What an event of the first stream takes in Kafka's log."""
        broker = self.site.servers.kafka
        return log_bytes(broker, self.stream.topic) / max(
            1, self.site.kafka.written(self.stream.topic, self.stream.partitions)
        )

    def lag(self) -> int:
        """Records in Kafka that are not archived and settled yet."""
        settled = self.settled()
        return self.written() - settled

    def drain(self) -> None:
        """Waits until all that is in Kafka is archived, settled and shown."""
        written = self.written()
        for _ in poll_until(DRAIN_SECONDS + written / 5000, 0.05):
            if self.settled() >= written and all(
                self.site.redis.shown(each.name) == self.site.redis.total(each.name) for each in self.streams
            ):
                return
        raise StackError(f"{self.setup.name}: {self.lag():,} records are still not archived and settled")

    def verdict(self) -> str:
        """Empty where exactly the events that were acknowledged are everywhere; else why not."""
        if not self["kafka-consumer"].alive():
            self.start("kafka-consumer")
        self.site.say(f"  draining and auditing {sum(stream.acked for stream in self.streams):,} events")
        try:
            self.drain()
            return "; ".join([*self.doubts, *audited(self.mesh, self.streams, self.archived if self.sink else None)])
        except StackError as error:
            return str(error).splitlines()[0]


def in_time(found: list[dict], batch: int) -> int | None:
    """Events that were acknowledged before the end of the load; None where it did not last whole seconds."""
    if any(figures["seconds"] != int(figures["seconds"]) for figures in found):
        return None
    return batch * sum(sum(figures["acked_by_second"][: int(figures["seconds"])]) for figures in found)


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """By how much; 0 for a file that was written anew meanwhile."""
    return {name: max(0, after[name] - before[name]) for name in before}


def values_file(pipeline: Pipeline) -> Path:
    """Kafka values as our programs have just written them."""
    stream = pipeline.stream
    out = pipeline.folder / "values.ndjson"
    return pipeline.site.kafka.write_values(stream.topic, stream.partitions, out)
