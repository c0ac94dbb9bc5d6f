# SPDX-License-Identifier: Apache-2.0
"""P11, P12: memory idle and at peak; start to ready; what doing nothing costs.

The figure is that of the worst program; those of all four stand behind it.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence

from bench.driver.corpus import BATCH
from bench.driver.experiment import Experiment, Verdict, audited
from bench.driver.figures import median
from bench.driver.pace import Pace
from bench.driver.pipeline import ALL, Pipeline, Setup
from bench.driver.row import Row, plain_row
from bench.driver.site import Site
from bench.driver.watch import Sampler, idling_of, rss_mib
from stack.ports import accepts
from stack.process import StackError
from stack.program import Program

CONNECTIONS = 1000
CALM_S = 2.0  # after the last request, before idleness is measured
LOOK_S = 0.001
READY_SECONDS = 30
RSS_LOOK_S = 0.1


def is_ready(port: int) -> bool:
    """As Program.is_ready(), but cheap while nobody listens, so that it can be asked every millisecond."""
    if not accepts(port):
        return False
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/readyz")
        ready = connection.getresponse().status == 200
        connection.close()
        return ready
    except (OSError, http.client.HTTPException):
        return False


def start_ms(program: Program) -> float:
    """Starts a program that does not run; from before its exec to its first 200 on /readyz."""
    began = time.perf_counter()
    program.launch()
    while not is_ready(program.ports["ops"]):
        if time.perf_counter() - began > READY_SECONDS:
            raise StackError(f"{program.name} was not ready after {READY_SECONDS} s; log {program.log}")
        time.sleep(LOOK_S)
    return 1000 * (time.perf_counter() - began)


def worst(figures: dict[str, float]) -> float:
    return max(figures.values())


class Idle(Experiment):
    """All four programs, doing nothing, then starting one by one, then with 1,000 connections."""

    ids = ("P11", "P12")
    text = "idle, starting, and with 1,000 connections"

    def estimate(self, pace: Pace) -> float:
        return CALM_S + pace.idle_s + pace.rounds * 3 + 2 * pace.seconds + 8

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        rows: list[Row] = []
        verdict = Verdict()
        with audited(site, Setup("idle"), verdict) as pipeline:
            pipeline.warm(connections=10)
            pipeline.drain()
            rows += self._idle(pipeline)
            if "P12" in wanted:
                rows.append(self._starts(pipeline))
            if "P11" in wanted:
                rows.append(self._peak(pipeline))
        return verdict.of(rows)

    def _idle(self, pipeline: Pipeline) -> list[Row]:
        programs = pipeline.programs(*ALL)
        time.sleep(CALM_S)  # connections that linger, and the last commits
        memory = {program.name: rss_mib(program.pid) for program in programs}
        before = {program.name: idling_of(program.pid) for program in programs}
        began = time.monotonic()
        time.sleep(pipeline.site.pace.idle_s)
        seconds = time.monotonic() - began
        cpu, woken = {}, {}
        for program in programs:
            after, name = idling_of(program.pid), program.name
            cpu[name] = 100 * (after.cpu_ns - before[name].cpu_ns) / 1e9 / seconds
            woken[name] = (after.switches - before[name].switches) / seconds
        told = f"{worst(memory):.1f} MiB, {worst(cpu):.3f} %, {worst(woken):.1f} wake-ups/s"
        pipeline.site.say(f"  idle, at worst: {told}")
        return [
            plain_row("P11-idle", [worst(memory)], **{"MiB": rounded(memory)}),
            plain_row("P12-cpu", [worst(cpu)], **{"%": rounded(cpu, 4)}),
            plain_row("P12-wake", [worst(woken)], **{"per second": rounded(woken)}),
        ]

    def _starts(self, pipeline: Pipeline) -> Row:
        """Each alone, while what it depends on is up."""
        took: dict[str, list[float]] = {}
        for _ in range(pipeline.site.pace.rounds):
            for program in pipeline.programs(*ALL):
                if program.program == "kafka-consumer":
                    pipeline.stop_consumer()
                else:
                    program.stop()
                took.setdefault(program.name, []).append(start_ms(program))
        for program in pipeline.programs(*ALL):
            program.wait_ready()  # who lost a neighbour for a moment
        middle = {name: median(values) for name, values in took.items()}
        slowest = max(middle, key=middle.get)
        pipeline.site.say(f"  start to ready: {slowest} {middle[slowest]:.0f} ms, {rounded(middle)}")
        return plain_row("P12-start", took[slowest], **{"ms": rounded(middle)})

    def _peak(self, pipeline: Pipeline) -> Row:
        """Singly and in hundreds: whichever takes more."""
        most: dict[str, float] = {}
        totals: dict[int, float] = {1: 0, BATCH: 0}

        def look(batch: int) -> None:
            now = {program.name: rss_mib(program.pid) for program in pipeline.programs(*ALL)}
            if sum(now.values()) > max(totals.values()):
                most.update(now)
            totals[batch] = max(totals[batch], sum(now.values()))

        for batch in totals:
            with Sampler(lambda batch=batch: look(batch), RSS_LOOK_S):
                pipeline.load(pipeline.site.pace.seconds, batch=batch, connections=CONNECTIONS)
        pipeline.site.say(f"  at peak: {max(totals.values()):.0f} MiB")
        behind = {"MiB": rounded(most), "1 a request MiB": round(totals[1]), "100 a request MiB": round(totals[BATCH])}
        return plain_row("P11-peak", [max(totals.values())], **behind)


def rounded(figures: dict[str, float], digits: int = 1) -> dict[str, float]:
    return {name: round(value, digits) for name, value in figures.items()}
