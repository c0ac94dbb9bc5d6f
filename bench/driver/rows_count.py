# SPDX-License-Identifier: Apache-2.0
"""P7: how fast ws-redis counts, beside the usual way of counting, HINCRBY on a group and on a total.

bench-hints feeds frames as api does and never runs further ahead of Redis than ws-redis can keep, so nothing is
dropped; counted means: in the state in Redis. There are no events behind these hints, so no archive takes part.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.driver.corpus import BATCH
from bench.driver.experiment import Experiment
from bench.driver.figures import median
from bench.driver.pace import Pace
from bench.driver.pipeline import Pipeline, Setup
from bench.driver.row import Row, ratio_row
from bench.driver.site import PARTITIONS, Site
from bench.driver.tools import hincrby
from bench.driver.watch import cpu_of, used

GROUPS = ("United States", "Guatemala", "Indonesia", "Brazil", "Türkiye", "Japan", "Spain", "India", "France", "Peru")
NAIVE_PROBE = 200_000  # requests, to find out how many fit into a round
PER_EVENT = 2  # HINCRBYs of the naive way: the group and the total


class Counting(Experiment):
    """Frames of 100 into ws-redis over its WebSocket."""

    ids = ("P7",)
    text = "hints in frames of 100"

    def estimate(self, pace: Pace) -> float:
        return pace.rounds * (2 * pace.seconds + 1) + 6

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        ours, naive, cpu = [], [], []
        sent = 0
        void = ""
        with Pipeline(site, Setup("counting", programs=("ws-redis",))) as pipeline:
            sent += self._feed(pipeline, site.pace.warm_s, sent)["counted"]
            rate = hincrby(site.redis_port, NAIVE_PROBE, len(GROUPS))
            for number in range(site.pace.rounds):
                pids = pipeline.pids()
                before = cpu_of(pids)
                found = self._feed(pipeline, site.pace.seconds, sent)
                cpu.append({name: 1e6 * s / found["counted"] for name, s in used(before, cpu_of(pids)).items()})
                sent += found["counted"]
                ours.append(found["events_per_s"])
                rate = hincrby(site.redis_port, int(rate * site.pace.seconds), len(GROUPS))
                naive.append(rate / PER_EVENT)
                site.say(f"  round {number + 1}: {ours[-1]:,.0f} events/s; HINCRBY {rate:,.0f}/s")
            total = site.redis.total(pipeline.stream.name)
            if total != sent:
                void = f"{sent:,} events sent, {total:,} counted"
        site.redis.forget("bench:naive")
        behind = {"CPU µs/event": {name: round(median([each[name] for each in cpu]), 3) for name in cpu[0]}}
        row = ratio_row("P7", ours, naive, "/s", **behind)
        row.void = void
        return [row]

    def _feed(self, pipeline: Pipeline, seconds: float, sent: int) -> dict:
        """sent: by the runs before, spread evenly over the partitions."""
        site = pipeline.site
        words: list[object] = ["--port", pipeline["ws-redis"].ports["ws"], "--stream", pipeline.stream.name]
        words += ["--redis", site.servers.redis.url, "--partitions", PARTITIONS, "--first", sent // PARTITIONS]
        words += ["--frame", BATCH, "--groups", ",".join(GROUPS), "--seconds", f"{seconds:g}"]
        return site.tools.run("bench-hints", *words, seconds=seconds)
