# SPDX-License-Identifier: Apache-2.0
"""The runner: takes the faults in a good order, gives each its row, and ends with a table.

A row: the judge begins; a second of load; the fault strikes, holds and heals, as often as it says; load goes on
for a moment; the judge clears up what is unknown and compares. Faults with equal needs share a site.
"""

from __future__ import annotations

import random
import re
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos import table
from chaos.arena import Arena, held
from chaos.fault import Fault, Needs
from chaos.judge.client import JudgeError
from chaos.judge.protocol import Run, Verdict
from chaos.site import Site
from chaos.table import Row
from stack.process import StackError

BEFORE_S = 1.0  # of load, before the first strike
BETWEEN_S = (0.3, 0.8)  # from one healing to the next strike
AFTER_S = 1.5  # of load, after the last healing
SITE_S = 12.0  # what a site takes to start and to end, for the estimate
JUDGING_S = 2.5  # what the end of a row takes, likewise

Say = Callable[[str], None]


@dataclass
class Plan:
    """How a run is to be."""

    folder: Path  # of this run alone
    build: Callable[[str], Path]  # the folder of binaries for a preset's name
    seed: int
    keep: bool = False  # folders with data stay, failed or not
    say: Say = print


def estimate(fault: Fault) -> float:
    """About how many seconds its row takes."""
    return BEFORE_S + AFTER_S + JUDGING_S + fault.times * (fault.hold_s + sum(BETWEEN_S) / 2 + 0.5)


def _cost(needs: Needs) -> tuple:
    """Cheap sites first; the rest only keeps equal ones together, in the same order each time."""
    extras = needs.brokers + needs.apis + needs.links + needs.namespaces + len(needs.disks)
    return (extras, needs.build, len(needs.redis) + len(needs.settings), repr(needs))


def ordered(faults: list[Fault]) -> list[Fault]:
    """The order in which they run: a site after the other, what is fresh behind its likes, short rows first."""
    return sorted(faults, key=lambda fault: (_cost(fault.needs), fault.fresh, estimate(fault), fault.name))


def sites_of(faults: list[Fault]) -> int:
    """How many sites they need if none fails."""
    shared = {fault.needs for fault in faults if not fault.fresh}
    return len(shared) + sum(fault.fresh for fault in faults)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


@dataclass
class Progress:
    """How far a run is, and how long the rest may take."""

    rows: int
    seconds: float  # estimated for all
    started: float = field(default_factory=time.monotonic)
    begun: int = 0
    done_s: float = 0.0  # estimated for what is done

    def next(self, name: str) -> str:
        self.begun += 1
        elapsed = time.monotonic() - self.started
        pace = elapsed / self.done_s if self.done_s > 60 else 1.0
        rest = pace * max(0.0, self.seconds - self.done_s)
        return f"[{self.begun}/{self.rows}  {clock(elapsed)} gone, about {clock(rest)} to go]  {name}"


def drive(arena: Arena, fault: Fault) -> None:
    """What a row of the matrix does between its first and its last second of load."""
    for _ in range(fault.times):
        with held(arena, fault):
            arena.wait(fault.hold_s)
        arena.wait(arena.random.uniform(*BETWEEN_S))


class Runner:
    """Runs rows, one after the other, and keeps the site as long as rows can share it. Threads: the main one."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows: list[Row] = []
        self._site: Site | None = None
        self._sites = 0

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def run_matrix(self, faults: list[Fault]) -> None:
        """A row for each; they are in self.rows, and told as they come."""
        progress = Progress(len(faults), sum(map(estimate, faults)) + SITE_S * sites_of(faults))
        for fault in ordered(faults):
            self.plan.say(progress.next(fault.name))
            self.run_row(fault, lambda arena, fault=fault: drive(arena, fault))
            progress.done_s += estimate(fault) + (SITE_S if self._site is None else 0)
        self._leave()

    def run_row(self, fault: Fault, course: Callable[[Arena], None]) -> Row:
        """One row with the needs, the load and the goals of this fault; course strikes and heals."""
        started = time.monotonic()
        try:
            site = self._site_for(fault)
        except (JudgeError, StackError) as error:
            row = Row(fault.name, Verdict(void=True), [f"no mesh: {first_line(error)}"], [str(error)])
        else:
            row = RowRun(site, fault, self.plan.seed).run(course)
        row.seconds = time.monotonic() - started
        self._tell(row)
        if fault.fresh or row.spoiled:
            self._leave()
        return row

    def _tell(self, row: Row) -> None:
        if not row.ok and self._site:
            row.logs = self.plan.folder / "failed" / re.sub(r"[^\w.-]+", "-", row.fault)
            self._site.supervisor.save_logs(row.logs)
        self.rows.append(row)
        for text in (table.line(row), *table.remarks(row)):
            self.plan.say(text)

    def _site_for(self, fault: Fault) -> Site:
        if self._site and (fault.fresh or self._site.needs != fault.needs):
            self._leave()
        if self._site is None:
            self._sites += 1
            folder = self.plan.folder / str(self._sites)
            self._site = Site(folder, fault.needs, self.plan.build(fault.needs.build)).start()
        return self._site

    def _leave(self) -> None:
        """Ends the site. Programs that then do not end well are a row of their own, which only shows if so."""
        if self._site is None:
            return
        site = self._site
        site.supervisor.begin()
        site.close()
        site.supervisor.inspect_logs()
        if site.supervisor.violations:
            supervisor = site.supervisor
            self._tell(Row(f"end-of-mesh-{self._sites}", Verdict(), supervisor.violations, supervisor.notes))
        self._site = None
        if not self.plan.keep:
            shutil.rmtree(site.folder)


class RowRun:
    """One row on a site that is whole."""

    def __init__(self, site: Site, fault: Fault, seed: int) -> None:
        self._site = site
        self._fault = fault
        self._judge = site.judge
        self._supervisor = site.supervisor
        self._chance = random.Random(f"{seed}/{fault.name}")
        self._arena = Arena(site.mesh, site.judge, site.supervisor, self._chance)
        self._failures: list[str] = []

    def run(self, course: Callable[[Arena], None]) -> Row:
        fault = self._fault
        self._supervisor.begin()
        verdict, spoiled = Verdict(void=True), True
        try:
            self._judge.begin(self._order())
            self._strike(course)
            self._make_whole()
            verdict = self._judge.end()
            spoiled = bool(verdict.violations)
        except (JudgeError, StackError) as error:
            self._fail(error)
        self._supervisor.check()
        self._supervisor.inspect_logs()
        verdict.figures["ready_s"] = round(self._arena.ready_s, 2)
        violations = [*self._failures, *self._arena.demands, *self._supervisor.violations, *verdict.violations]
        notes = [*self._arena.notes, *self._supervisor.notes]
        return Row(fault.name, verdict, violations, notes, spoiled=spoiled)

    def _order(self) -> Run:
        fault = self._fault
        return Run(
            name=fault.name,
            seed=self._chance.getrandbits(32),
            events_s=fault.load.events_s,
            workers=fault.load.workers,
            http_only=fault.load.http_only,
            first_ack_s=fault.first_ack_s,
            exact_s=fault.exact_s,
            struck_min=fault.struck_min,
            acked_min=fault.acked_min,
            late_answers=fault.late_answers,
        )

    def _strike(self, course: Callable[[Arena], None]) -> None:
        """Whatever goes wrong in it fails the row, and the row goes on to its end."""
        try:
            self._arena.wait(BEFORE_S)
            course(self._arena)
        except JudgeError:
            raise
        except Exception as error:
            self._fail(error)
        self._arena.wait(AFTER_S)

    def _fail(self, error: Exception) -> None:
        self._failures.append(f"{type(error).__name__}: {first_line(error)}")
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/chaos/faults/" in frame.filename]
        self._supervisor.notes += [f"in {frame.filename}:{frame.lineno}: {frame.line}" for frame in frames]
        self._supervisor.notes.append(str(error))

    def _make_whole(self) -> None:
        """What a failed strike, or a careless one, has left broken must not hurt the next row."""
        done = self._supervisor.repair()
        if done:
            self._failures += done
            self._judge.healed()
            self._arena.wait(AFTER_S)


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
