# SPDX-License-Identifier: Apache-2.0
"""P13, P14: the whole mesh at once: what it sustains, and how long it takes for a million events.

P13 looks for the greatest rate at which nothing falls behind by halving what is left between too much and little
enough, and then holds a little less than that for a minute. The figure is of the events settled in each part of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.driver.bare_archive import insert_bare
from bench.driver.corpus import BATCH
from bench.driver.experiment import Experiment, Verdict, accepted_peak, audited
from bench.driver.figures import median
from bench.driver.pace import Pace
from bench.driver.pipeline import Load, Pipeline, Setup, values_file
from bench.driver.row import Row, plain_row, ratio_row
from bench.driver.site import Site
from bench.driver.watch import Sampler
from stack.process import StackError, poll_until

OPEN_CONNECTIONS = 256
PROBES = 4  # halvings
PROBE_SHARE = 0.1  # of the long run, for each probe
PRUDENCE = 0.95  # of the greatest rate that a probe found
TRIES = 3  # of the long run, each with less
LAG_S = 0.25  # of events: so much may the lag grow and still count as not growing
KEPT_UP = 0.98
PARTS = 6
MILLION_CONNECTIONS = 64
DUE_S = 0.1
DRAIN_S = 600


@dataclass
class Watch:
    """How lag and settled events went during a run."""

    times: list[float] = field(default_factory=list)
    lags: list[int] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)

    def look(self, pipeline: Pipeline) -> None:
        settled = pipeline.settled()
        self.lags.append(pipeline.written() - settled)
        self.settled.append(settled)
        self.times.append(time.monotonic())

    def grown(self) -> float:
        """By how many records the lag is greater in the last third than in the one before."""
        third = len(self.lags) // 3
        if third == 0:
            raise StackError("too few looks at the lag")
        return median(self.lags[-third:]) - median(self.lags[-2 * third : -third])

    def rates(self, parts: int) -> list[float]:
        """Events settled a second in each part; the first looks, before it flows, are left out."""
        first = max(1, len(self.times) // 10)
        bounds = [first + (len(self.times) - 1 - first) * n // parts for n in range(parts + 1)]
        pairs = [(a, b) for a, b in zip(bounds, bounds[1:], strict=False) if b > a]
        return [(self.settled[b] - self.settled[a]) / (self.times[b] - self.times[a]) for a, b in pairs]


def keeps_up(rate: float, seconds: float, load: Load, watch: Watch) -> bool:
    """rate: events/s that were offered."""
    good = load.events >= KEPT_UP * rate * seconds and load.per_s >= KEPT_UP * rate
    return good and load.refused == 0 and watch.grown() <= LAG_S * rate


class Sustained(Experiment):
    """Open loop, 100 events a request, all programs, archive in mongo-sink."""

    ids = ("P13",)
    text = "the greatest rate at which nothing falls behind"

    def estimate(self, pace: Pace) -> float:
        return pace.sustain_s * (1 + PROBES * PROBE_SHARE * 1.5) + 15

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        peak = accepted_peak(site, BATCH)
        verdict = Verdict()
        row: Row | None = None
        with audited(site, Setup("sustained"), verdict) as pipeline:
            pipeline.warm(batch=BATCH)
            rate = PRUDENCE * self._search(pipeline, peak)
            for _ in range(TRIES):
                load, watch = self._offer(pipeline, rate, site.pace.sustain_s)
                if keeps_up(rate, site.pace.sustain_s, load, watch):
                    row = self._row(rate, peak, load, watch)
                    break
                rate *= 0.85
        if row is None:
            raise StackError(f"even {rate:,.0f} events/s were too much for {site.pace.sustain_s:g} s")
        return verdict.of([row])

    def _search(self, pipeline: Pipeline, peak: float) -> float:
        low, high = 0.0, 1.0
        seconds = pipeline.site.pace.sustain_s * PROBE_SHARE
        for _ in range(PROBES):
            share = (low + high) / 2
            load, watch = self._offer(pipeline, share * peak, seconds)
            good = keeps_up(share * peak, seconds, load, watch)
            low, high = (share, high) if good else (low, share)
        return peak * (low or high / 2)

    def _offer(self, pipeline: Pipeline, rate: float, seconds: float) -> tuple[Load, Watch]:
        pipeline.drain()
        watch = Watch()
        with Sampler(lambda: watch.look(pipeline), min(0.25, seconds / 20)):
            load = pipeline.load(seconds, batch=BATCH, rate=rate / BATCH, connections=OPEN_CONNECTIONS)
        told = f"lag {watch.lags[-1]:,}, grown by {watch.grown():,.0f}"
        pipeline.site.say(f"  {rate:,.0f} events/s for {seconds:.0f} s: {told}")
        return load, watch

    def _row(self, rate: float, peak: float, load: Load, watch: Watch) -> Row:
        settled = watch.rates(PARTS)
        behind = {"offered events/s": round(rate), "peak events/s": round(peak), "most lag": max(watch.lags)}
        behind |= {"p99 ms": load.latency["ms_since_due"]["p99"], "CPU µs/event": load.cpu_us()}
        return ratio_row("P13", settled, [peak] * len(settled), "/s", **behind)


class Million(Experiment):
    """A million events, 100 a request, accepted, archived in FerretDB, counted; beside the bare insert of as many."""

    ids = ("P14",)
    text = "a million events, from the first request to the last settled"

    def estimate(self, pace: Pace) -> float:
        return pace.million * (2 / 15_000 + 0.00012) + 8

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        verdict = Verdict()
        with audited(site, Setup("million", archive="mongo"), verdict) as pipeline:
            pipeline.warm(batch=BATCH, rate=50.0)  # little, for it is audited, too
            pipeline.drain()
            values = values_file(pipeline)
            bare = insert_bare(site, values, site.pace.million)["seconds"]
            site.say(f"  bare: {bare:.1f} s")
            ours, load = self._ours(pipeline)
            site.say(f"  ours: {ours:.1f} s")
        behind = {"events": site.pace.million, "accepted in s": round(load.seconds, 1), "CPU µs/event": load.cpu_us()}
        row = plain_row("P14", [ours / bare], **behind)
        row.ours, row.baseline, row.unit = [ours], [bare], "s"
        return verdict.of([row])

    def _ours(self, pipeline: Pipeline) -> tuple[float, Load]:
        requests = pipeline.site.pace.million // BATCH
        began = time.monotonic()
        # All are due almost at once; each goes as soon as a connection is free.
        options = {"connections": MILLION_CONNECTIONS, "rate": requests / DUE_S, "drain": DRAIN_S}
        load = pipeline.load(DUE_S, batch=BATCH, **options)
        if load.events != requests * BATCH:
            told = f"{load.events:,} of {requests * BATCH:,} events were accepted"
            raise StackError(f"{told}, {load.refused} requests were refused")
        load.seconds = load.latency["ms_since_due"]["max"] / 1000
        expected = pipeline.stream.acked
        for _ in poll_until(60 + pipeline.site.pace.million / 2000, 0.01):
            if pipeline.settled() >= expected:
                return time.monotonic() - began, load
        raise StackError(f"{pipeline.settled():,} of {expected:,} events were settled in time")
