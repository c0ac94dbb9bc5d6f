# SPDX-License-Identifier: Apache-2.0
"""P1, P2, P2b, P3, P4, P5: what accepting an event costs, and how fast it goes, singly, in hundreds, and over gRPC.

kafka-consumer is started when the rounds are over, so that generator, broker and the programs that accept share the
cores as they do with the bare producer; what has been accepted is then archived and audited. P13 is measured with all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.driver.corpus import BATCH
from bench.driver.experiment import Experiment, Verdict, audited
from bench.driver.figures import median
from bench.driver.pace import Pace
from bench.driver.pipeline import ACCEPTING, CONNECTIONS, Load, Pipeline, Setup, values_file
from bench.driver.row import Row, plain_row, ratio_row
from bench.driver.site import Site
from bench.driver.tools import BareHttp
from stack.process import cpu_seconds

GATEWAY = ("api", "grpc-server")
HOPS = (*GATEWAY, "ws-redis")


def cpu_behind(loads: Sequence[Load]) -> dict[str, float]:
    """The median of each process over the rounds, µs per event."""
    return {name: round(median([load.cpu_us()[name] for load in loads]), 2) for name in loads[0].cpu_us()}


def bytes_behind(pipeline: Pipeline, loads: Sequence[Load], batch: int) -> dict[str, float]:
    """Per event: the request's body, the record in Kafka's log, what Redis was sent, answered and wrote to its file."""
    body = pipeline.site.corpus.of(batch)
    lines = body.read_bytes().count(b"\n")
    told = {"body": body.stat().st_size / lines / batch, "kafka log": pipeline.log_bytes()}
    for name in loads[0].redis:
        told[f"redis {name}"] = median([load.redis[name] / max(1, load.events) for load in loads])
    return {name: round(value, 1) for name, value in told.items()}


def producer_behind(runs: Sequence[dict]) -> dict[str, float]:
    return {
        "bare CPU µs/event": round(median([run["cpu_us_per_event"] for run in runs]), 2),
        "bare p50 ms": round(median([run["latency_ms"]["p50"] for run in runs]), 3),
        "bare p99 ms": round(median([run["latency_ms"]["p99"] for run in runs]), 3),
    }


class Singles(Experiment):
    """One event a request, 64 keep-alive connections; beside it libmicrohttpd alone, and librdkafka alone."""

    ids = ("P1", "P2", "P2b")
    text = "one event a request"

    def estimate(self, pace: Pace) -> float:
        return pace.rounds * (3 * pace.seconds + 3 * pace.warm_s + 1.5) + 2 * pace.seconds + 6

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        self._loads: list[Load] = []
        self._http: list[float] = []  # µs a request
        self._http_per_s: list[float] = []
        self._producer: list[dict] = []
        verdict = Verdict()
        with audited(site, Setup("singles", programs=ACCEPTING), verdict) as pipeline:
            pipeline.warm()
            values = values_file(pipeline)
            http = BareHttp(site.home, site.tools)
            http.start()
            try:
                for number in range(site.pace.rounds):
                    self._round(pipeline, http, values if "P2b" in wanted else None)
                    site.say(f"  round {number + 1}: {self._last()}")
            finally:
                http.stop()
            self._bytes = bytes_behind(pipeline, self._loads, 1)
        site.peaks.per_s[1] = median([load.per_s for load in self._loads])
        return verdict.of(self._rows())

    def _round(self, pipeline: Pipeline, http: BareHttp, values: Path | None) -> None:
        site, pace = pipeline.site, pipeline.site.pace
        pipeline.warm()
        self._loads.append(pipeline.load(pace.seconds))
        before = cpu_seconds(http.pid)
        target = (http.ports["http"], "/input", site.corpus.singles)
        found = site.tools.openloop(*target, seconds=pace.seconds, connections=CONNECTIONS)
        answered = found["acked"]["count"]
        self._http.append(1e6 * (cpu_seconds(http.pid) - before) / max(1, answered))
        self._http_per_s.append(answered / found["seconds"])
        if values:
            run = site.produce_bare(values, pace.seconds, warm=True, in_flight=CONNECTIONS, linger_us=0)
            self._producer.append(run)

    def _last(self) -> str:
        load = self._loads[-1]
        text = f"{load.per_s:,.0f} events/s, {load.us_per_event(*HOPS):.1f} µs; libmicrohttpd {self._http[-1]:.1f} µs"
        return text + (f"; producer {self._producer[-1]['events_per_s']:,.0f} events/s" if self._producer else "")

    def _rows(self) -> list[Row]:
        loads = self._loads
        behind = {"CPU µs/event": cpu_behind(loads), "bytes/event": self._bytes}
        behind |= {"events/s": round(median([load.per_s for load in loads]))}
        behind |= {"bare requests/s": round(median(self._http_per_s))}
        rows = [
            ratio_row("P1", [load.us_per_event("api") for load in loads], self._http, "µs", **behind),
            ratio_row("P2", [load.us_per_event(*HOPS) for load in loads], self._http, "µs", **behind),
        ]
        if self._producer:
            behind = {"refused": sum(load.refused for load in loads)} | producer_behind(self._producer)
            behind |= {"p50 ms": round(median([load.latency["ms_since_sent"]["p50"] for load in loads]), 3)}
            bare = [run["events_per_s"] for run in self._producer]
            rows.append(ratio_row("P2b", [load.per_s for load in loads], bare, "/s", **behind))
        return rows


class Batches(Experiment):
    """100 events a request, and a message; beside them a bare producer whose queue is always full."""

    ids = ("P3", "P4", "P5")
    text = "100 events a request, 100 a gRPC message"

    def estimate(self, pace: Pace) -> float:
        # What was accepted is drained at about that rate, and read once more by the audit.
        return pace.rounds * (3 * pace.seconds + 3 * pace.warm_s + 2) + 3 * pace.rounds * pace.seconds + 10

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        self._loads: list[Load] = []
        self._figures: dict[str, list[dict]] = defaultdict(list)
        self._bytes: dict[str, float] = {}
        streamed, accepted = "P5" in wanted, bool({"P3", "P4"} & set(wanted))
        compared = streamed or "P3" in wanted
        verdict = Verdict()
        with audited(site, Setup("batches", programs=ACCEPTING), verdict) as pipeline:
            pipeline.warm(batch=BATCH)
            values = values_file(pipeline)
            for number in range(site.pace.rounds):
                if accepted:
                    pipeline.warm(batch=BATCH)
                    self._loads.append(pipeline.load(site.pace.seconds, batch=BATCH))
                if compared:
                    run = site.produce_bare(values, site.pace.seconds, warm=True, linger_us=site.linger_us)
                    self._figures["bare"].append(run)
                if streamed:
                    self._figures["stream"].append(pipeline.publish(seconds=site.pace.seconds))
                site.say(f"  round {number + 1}: {self._last()}")
            if self._loads:
                self._bytes = bytes_behind(pipeline, self._loads, BATCH)
        if self._loads:
            site.peaks.per_s[BATCH] = median([load.per_s for load in self._loads])
        return verdict.of(self._rows())

    def _last(self) -> str:
        parts = [f"{self._loads[-1].per_s:,.0f} events/s accepted"] if self._loads else []
        parts += [f"{name} {runs[-1]['events_per_s']:,.0f}/s" for name, runs in self._figures.items()]
        return ", ".join(parts)

    def _rows(self) -> list[Row]:
        rows = []
        bare = [run["events_per_s"] for run in self._figures["bare"]]
        loads = self._loads
        if loads:
            cpu = {"CPU µs/event": cpu_behind(loads), "bytes/event": self._bytes}
            cpu |= {"events/s": round(median([load.per_s for load in loads]))}
            rows.append(plain_row("P4", [load.us_per_event(*GATEWAY) for load in loads], **cpu))
        if loads and bare:
            behind = {"refused": sum(load.refused for load in loads)} | producer_behind(self._figures["bare"])
            rows.append(ratio_row("P3", [load.per_s for load in loads], bare, "/s", **behind))
        if streams := self._figures["stream"]:
            behind = {
                "client CPU µs/event": round(median([run["cpu_us_per_event"] for run in streams]), 2),
                "p50 ms": round(median([run["latency_ms"]["p50"] for run in streams]), 3),
            }
            rows.append(ratio_row("P5", [run["events_per_s"] for run in streams], bare, "/s", **behind))
        return rows
