# SPDX-License-Identifier: Apache-2.0
"""P8, P9, P10: what the mesh adds to the time of a bare produce, and how soon after its 202 an event is counted.

Open loop at 30 % and 70 % of the accepted peak, at the same rate with the bare producer, whose linger is that of
grpc-server. All programs run, kafka-consumer too. Times are from when the schedule wanted the event.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.driver.experiment import Experiment, Verdict, accepted_peak, audited
from bench.driver.figures import median, quantile
from bench.driver.pace import Pace
from bench.driver.pipeline import Load, Pipeline, Setup, values_file
from bench.driver.probe import PAUSE_S, Probe
from bench.driver.row import Row, plain_row, ratio_row
from bench.driver.site import Site
from bench.driver.watch import Sampler
from stack.process import StackError

CALM, BUSY = 30, 70  # % of the peak
OPEN_CONNECTIONS = 512
KEPT_UP = 0.98  # of the events that were due


class Latency(Experiment):
    """Open loop, one event a request."""

    ids = ("P8", "P9", "P10")
    text = "open loop at 30 % and 70 % of the peak"

    def estimate(self, pace: Pace) -> float:
        return pace.rounds * 4 * (pace.seconds + pace.warm_s + 0.7) + 2

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        self._ours: dict[int, list[dict]] = defaultdict(list)
        self._bare: dict[int, list[dict]] = defaultdict(list)
        self._waits: list[list[float]] = []  # of each round
        self._void = ""
        peak = accepted_peak(site, 1)
        shares = [CALM, BUSY] if "P9" in wanted else [CALM]
        verdict = Verdict()
        with audited(site, Setup("latency"), verdict) as pipeline:
            pipeline.warm()
            values = values_file(pipeline)
            for number in range(site.pace.rounds):
                for share in shares:
                    self._round(pipeline, values, share, peak * share / 100)
                site.say(f"  round {number + 1}: {self._last()}")
        rows = verdict.of(self._rows(peak))
        for row in rows:
            row.void = row.void or self._void
        return rows

    def _round(self, pipeline: Pipeline, values: Path, share: int, rate: float) -> None:
        site, pace = pipeline.site, pipeline.site.pace
        pipeline.warm(rate=rate, connections=OPEN_CONNECTIONS)
        if share == CALM:
            load = self._probed(pipeline, rate)
        else:
            load = pipeline.load(pace.seconds, rate=rate, connections=OPEN_CONNECTIONS)
        if load.per_s < KEPT_UP * rate:
            self._void = f"at {share} % of the peak only {load.per_s:,.0f} of {rate:,.0f} events/s were accepted"
        self._ours[share].append(load.latency["ms_since_due"])
        # A queue for a second of events, and no limit of its own: an open loop.
        found = site.produce_bare(values, pace.seconds, warm=True, rate=float(round(rate)), linger_us=site.linger_us)
        if found["events_per_s"] < KEPT_UP * rate:
            told = f"the bare producer reached only {found['events_per_s']:,.0f} of {rate:,.0f} events/s"
            self._void = f"at {share} % of the peak {told}"
        self._bare[share].append(found["latency_ms"])

    def _probed(self, pipeline: Pipeline, rate: float) -> Load:
        stream = pipeline.stream
        body = pipeline.site.corpus.singles.read_text().splitlines()[0]
        port, url = pipeline["api"].ports["http"], pipeline.site.servers.redis.url
        probe = Probe(port, stream.path, stream.name, body, url)
        try:
            with Sampler(probe.once, PAUSE_S):
                load = pipeline.load(pipeline.site.pace.seconds, rate=rate, connections=OPEN_CONNECTIONS)
        finally:
            stream.acked += probe.acked
            probe.close()
        if not probe.waits_ms:
            raise StackError("no probe was counted")
        self._waits.append(probe.waits_ms)
        return load

    def _last(self) -> str:
        ours, bare = self._ours[CALM][-1], self._bare[CALM][-1]
        text = f"p50 {ours['p50']:.2f}, p99 {ours['p99']:.2f} ms; bare {bare['p50']:.2f}, {bare['p99']:.2f} ms"
        return f"at {CALM} %: {text}; counted after {median(self._waits[-1]):.2f} ms"

    def _rows(self, peak: float) -> list[Row]:
        ours, bare = self._ours, self._bare
        behind = {"peak events/s": round(peak)}
        rows = [self._added(behind)]
        for share in ours:
            name = f"P9-{share}"
            p99 = [times["p99"] for times in ours[share]], [times["p99"] for times in bare[share]]
            rows.append(ratio_row(name, *p99, "ms", **behind))
        waits = [wait for waits in self._waits for wait in waits]
        behind |= {"probes": len(waits), "most ms": round(max(waits), 2)}
        rows.append(plain_row("P10-p50", [median(each) for each in self._waits], **behind))
        # Of all probes: a round has too few of them for a p99.
        row = plain_row("P10-p99", [quantile(waits, 0.99)], **behind)
        row.rounds = [quantile(each, 0.99) for each in self._waits]
        return [*rows, row]

    def _added(self, behind: dict) -> Row:
        ours = [times["p50"] for times in self._ours[CALM]]
        bare = [times["p50"] for times in self._bare[CALM]]
        row = plain_row("P8", [one - other for one, other in zip(ours, bare, strict=True)], **behind)
        row.ours, row.baseline, row.unit = ours, bare, "ms"
        return row
