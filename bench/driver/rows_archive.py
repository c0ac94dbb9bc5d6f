# SPDX-License-Identifier: Apache-2.0
"""P6, P6b: how fast kafka-consumer works off a backlog, settling included, beside a bare bulk insert of as many.

A round: kafka-consumer is away while events come in over gRPC; then it is started, and measured from its first settled
batch to its last. The collection of the bare insert has the indexes that kafka-consumer gives its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bson
import pymongo

from bench.driver.bare_archive import insert_bare
from bench.driver.experiment import Experiment, Verdict, audited
from bench.driver.figures import median
from bench.driver.pace import Pace
from bench.driver.pipeline import DATABASE, Pipeline, Setup, grown, values_file
from bench.driver.row import Row, plain_row, ratio_row
from bench.driver.site import Site
from bench.driver.watch import cpu_of, used
from stack.process import StackError, poll_until

FILLING = ("ws-redis", "grpc-server")  # the second takes the events; the consumer comes and goes
START_SECONDS = 60
WARM_DOCUMENTS = 5000
SAMPLE = 500  # documents, to know their size


@dataclass(frozen=True)
class Drain:
    """A backlog that was worked off."""

    documents: int
    seconds: float
    cpu: dict[str, float]  # seconds, by program and server
    redis: dict[str, int]  # bytes in, out and into its file

    @property
    def per_s(self) -> float:
        return self.documents / self.seconds

    @property
    def us_per_document(self) -> float:
        return self.us("kafka-consumer")

    def us(self, process: str) -> float:
        return 1e6 * self.cpu[process] / self.documents


def fill_and_drain(pipeline: Pipeline, documents: int) -> Drain:
    """Without kafka-consumer before and after. What is done before the first batch is settled does not count."""
    if pipeline.sink:
        pipeline.sink.restart()
    pipeline.publish(count=documents)
    start, end = pipeline.settled(), pipeline.written()
    consumer = pipeline["kafka-consumer"]
    consumer.launch()
    pids, redis = pipeline.pids(), pipeline.site.redis
    first = _settled_beyond(pipeline, start)
    began, cpu, traffic = time.monotonic(), cpu_of(pids), redis.traffic()
    for _ in poll_until(60 + documents / 1000, 0.005):
        if pipeline.settled() >= end:
            break
    else:
        raise StackError(f"{pipeline.settled() - start:,} of {end - start:,} documents archived in time")
    seconds = time.monotonic() - began
    drain = Drain(end - first, seconds, used(cpu, cpu_of(pids)), grown(traffic, redis.traffic()))
    consumer.wait_ready()
    pipeline.stop_consumer()
    if drain.documents <= 0 or seconds <= 0:
        raise StackError("the backlog is too small: it was archived at once")
    return drain


def _settled_beyond(pipeline: Pipeline, start: int) -> int:
    for _ in poll_until(START_SECONDS, 0.002):
        if (settled := pipeline.settled()) > start:
            return settled
    raise StackError(f"kafka-consumer settled nothing in {START_SECONDS} s; log {pipeline['kafka-consumer'].log}")


class Archive(Experiment):
    """What the two rows have in common."""

    name: str
    archive: str

    def documents(self, pace: Pace) -> int:
        raise NotImplementedError

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        drains, bares = [], []
        verdict = Verdict()
        setup = Setup(self.name, programs=FILLING, archive=self.archive)
        with audited(site, setup, verdict) as pipeline:
            fill_and_drain(pipeline, max(WARM_DOCUMENTS, self.documents(site.pace) // 10))  # warms up
            values = values_file(pipeline)
            for number in range(site.pace.rounds):
                drains.append(fill_and_drain(pipeline, self.documents(site.pace)))
                bares.append(self.bare_round(pipeline, values))
                ours, bare = drains[-1], bares[-1]
                told = (
                    f"{ours.us_per_document:.2f} µs; bare {bare['docs_per_s']:,.0f}/s, {bare['cpu_us_per_doc']:.2f} µs"
                )
                site.say(f"  round {number + 1}: {ours.per_s:,.0f} documents/s, {told}")
            self._document = document_bytes(pipeline)
        return verdict.of(self.compared(drains, bares))

    def behind(self, drains: list[Drain], bares: list[dict]) -> dict[str, object]:
        figures = behind(drains, bares)
        if self._document is not None:
            figures["bytes/document"] |= {"document": self._document}
        return figures

    def bare_round(self, pipeline: Pipeline, values: Path) -> dict:
        raise NotImplementedError

    def compared(self, drains: list[Drain], bares: list[dict]) -> list[Row]:
        raise NotImplementedError


def document_bytes(pipeline: Pipeline) -> float | None:
    """A document as BSON, on the average of some; None where the archive keeps none."""
    if pipeline.sink:
        return None
    with pymongo.MongoClient(pipeline.site.servers.mongo.url) as client:
        found = [len(bson.encode(each)) for each in client[DATABASE][pipeline.stream.collection].find().limit(SAMPLE)]
    return round(sum(found) / len(found), 1) if found else None


def behind(drains: list[Drain], bares: list[dict]) -> dict[str, object]:
    each = {name: round(median([drain.us(name) for drain in drains]), 2) for name in drains[0].cpu}
    redis = {
        f"redis {name}": round(median([drain.redis[name] / drain.documents for drain in drains]), 1)
        for name in drains[0].redis
    }
    return {
        "every process' CPU µs/document": each,
        "bytes/document": redis,
        "CPU µs/document": round(median([drain.us_per_document for drain in drains]), 2),
        "bare CPU µs/document": round(median([bare["cpu_us_per_doc"] for bare in bares]), 2),
        "documents/s": round(median([drain.per_s for drain in drains])),
        "bare documents/s": round(median([bare["docs_per_s"] for bare in bares])),
    }


class ArchiveReal(Archive):
    """Into FerretDB."""

    ids = ("P6",)
    text = "a backlog into FerretDB"
    name = "archive"
    archive = "mongo"

    def documents(self, pace: Pace) -> int:
        return pace.documents

    def estimate(self, pace: Pace) -> float:
        return pace.rounds * (3 * pace.documents / 30_000 + 2) + pace.rounds * pace.documents * 0.00013 + 6

    def bare_round(self, pipeline: Pipeline, values: Path) -> dict:
        return insert_bare(pipeline.site, values, self.documents(pipeline.site.pace))

    def compared(self, drains: list[Drain], bares: list[dict]) -> list[Row]:
        ours = [drain.per_s for drain in drains]
        return [ratio_row("P6", ours, [bare["docs_per_s"] for bare in bares], "/s", **self.behind(drains, bares))]


class ArchiveSink(Archive):
    """Into mongo-sink, which costs nothing and so shows what the consumer itself costs."""

    ids = ("P6b",)
    text = "a backlog into mongo-sink"
    name = "sink"
    archive = "sink"

    def documents(self, pace: Pace) -> int:
        return pace.sink_documents

    def estimate(self, pace: Pace) -> float:
        return pace.rounds * (pace.sink_documents * 3 / 400_000 + 1.5) + pace.rounds * pace.sink_documents / 500_000 + 5

    def bare_round(self, pipeline: Pipeline, values: Path) -> dict:
        return pipeline.site.tools.inserter(
            pipeline.sink.url, "bare", "round", values, self.documents(pipeline.site.pace)
        )

    def compared(self, drains: list[Drain], bares: list[dict]) -> list[Row]:
        figures = self.behind(drains, bares)
        ours = [drain.us_per_document for drain in drains]
        return [
            ratio_row("P6b-cpu", ours, [bare["cpu_us_per_doc"] for bare in bares], "µs", **figures),
            plain_row("P6b-rate", [drain.per_s for drain in drains], **figures),
        ]
