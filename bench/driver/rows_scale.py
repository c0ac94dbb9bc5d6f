# SPDX-License-Identifier: Apache-2.0
"""P16: what an event costs with more pods, more partitions, more connections, at one and the same total load.

CPU and events are taken while the load flows, after its connections are open.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.driver.experiment import Experiment, Verdict, accepted_peak, audited
from bench.driver.figures import deviation, median
from bench.driver.pace import Pace
from bench.driver.pipeline import CONNECTIONS, Pipeline, Setup
from bench.driver.row import Row, plain_row
from bench.driver.site import Site
from bench.driver.watch import cpu_of, used

SHARE = 0.15  # of the accepted peak: 10 connections must be able to carry it
SETTLE_S = 0.5
PODS = 3
PARTITIONS = (4, 1, 16)  # the first is what the other two series run on
KEPT_UP = 0.95
SERIES = ("pods", "partitions", "connections")


@dataclass(frozen=True)
class Point:
    """One way to carry the load."""

    series: str
    label: str
    pods: int = 1
    stream: int = 0
    connections: int = CONNECTIONS

    @property
    def programs(self) -> list[str]:
        """The instances it goes through: those of the pods that are loaded."""
        numbers = ["", *(f"-{pod}" for pod in range(2, self.pods + 1))]
        return ["ws-redis", *(name + number for number in numbers for name in ("api", "grpc-server"))]


POINTS = (
    *(Point("pods", f"{pods:,}", pods=pods) for pods in (1, 2, 3)),
    *(Point("partitions", f"{PARTITIONS[n]:,}", stream=n) for n in (1, 0, 2)),
    *(Point("connections", f"{count:,}", connections=count) for count in (10, 1000, 10_000)),
)


class Scale(Experiment):
    """Pods, partitions, connections."""

    ids = ("P16",)
    text = "the same load over more pods, partitions, connections"

    def estimate(self, pace: Pace) -> float:
        return pace.scale_rounds * len(POINTS) * (pace.scale_s + SETTLE_S + 1) + 5

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        rate = SHARE * accepted_peak(site, 1)
        costs: dict[Point, list[float]] = defaultdict(list)
        self._void: dict[str, str] = {}  # by series
        verdict = Verdict()
        settings = {"api": {"CONNECTIONS_MAX": "20000"}}
        with audited(site, Setup("scale", partitions=PARTITIONS, settings=settings, pods=PODS), verdict) as pipeline:
            pipeline.warm(pods=PODS)
            for number in range(site.pace.scale_rounds):
                for point in POINTS:
                    costs[point].append(self._cost(pipeline, point, rate))
                told = ", ".join(f"{series} {self._last(costs, series)}" for series in SERIES)
                site.say(f"  round {number + 1}, µs per event: {told}")
        return verdict.of([self._row(series, costs, rate) for series in SERIES])

    def _last(self, costs: dict[Point, list[float]], series: str) -> str:
        return " → ".join(f"{costs[point][-1]:.1f}" for point in POINTS if point.series == series)

    def _cost(self, pipeline: Pipeline, point: Point, rate: float) -> float:
        """µs per event of all programs on the way to the answer and to the counters."""
        seconds = pipeline.site.pace.scale_s
        settle = SETTLE_S + point.connections / rate
        target = pipeline.streams[point.stream]
        how = {"rate": rate, "pods": point.pods, "stream": point.stream, "connections": point.connections}
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(pipeline.load, settle + seconds + SETTLE_S, spread=True, **how)
            time.sleep(settle)
            pids = {name: pipeline[name].pid for name in point.programs}
            before, events = cpu_of(pids), pipeline.site.kafka.written(target.topic, target.partitions)
            began = time.monotonic()
            time.sleep(seconds)
            spent = sum(used(before, cpu_of(pids)).values())
            events = pipeline.site.kafka.written(target.topic, target.partitions) - events
            took = time.monotonic() - began
            running.result()
        if events < KEPT_UP * rate * took:
            self._void[point.series] = (
                f"at {point.label} only {events / took:,.0f} of {rate:,.0f} events/s were accepted"
            )
        return 1e6 * spent / max(1, events)

    def _row(self, series: str, costs: dict[Point, list[float]], rate: float) -> Row:
        points = [point for point in POINTS if point.series == series]
        rounds = [100 * deviation([costs[point][n] for point in points]) for n in range(len(costs[points[0]]))]
        middle = {point.label: round(median(costs[point]), 2) for point in points}
        row = plain_row(f"P16-{series}", [100 * deviation(list(middle.values()))], events_per_s=round(rate))
        row.rounds = rounds
        row.behind["µs/event"] = middle
        row.void = self._void.get(series, "")
        return row
