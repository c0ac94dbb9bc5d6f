# SPDX-License-Identifier: Apache-2.0
"""Runs the experiments of the rows that are wanted, one after the other, and says how far it is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.driver import table
from bench.driver.experiment import Experiment
from bench.driver.goals import GOALS
from bench.driver.matrix import needed
from bench.driver.pace import Pace
from bench.driver.row import Row
from bench.driver.site import Say, Site
from bench.driver.watch import Machine

SERVERS_S = 10  # Kafka with the JVM's defaults takes that long


@dataclass
class Plan:
    """What is to be run, and how."""

    folder: Path  # of this run alone
    build: Path
    pace: Pace
    ids: tuple[str, ...]
    say: Say = print
    keep: bool = False


@dataclass
class Outcome:
    """What came of it so far; whole only when run() has returned."""

    rows: list[Row] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  # by the ids that were measured together
    stolen: dict[str, float] = field(
        default_factory=dict
    )  # share of the cores' time that the host gave others, likewise
    total_s: float = 0.0
    whole: bool = False

    def ordered(self) -> list[Row]:
        places = {goal.name: place for place, goal in enumerate(GOALS)}
        return sorted(self.rows, key=lambda row: places[row.goal.name])

    @property
    def ok(self) -> bool:
        return self.whole and bool(self.rows) and all(row.ok for row in self.rows)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def estimate(experiments: Sequence[Experiment], pace: Pace) -> float:
    return SERVERS_S + pace.broker_warm_s + sum(each.estimate(pace) for each in experiments)


def run(plan: Plan, outcome: Outcome) -> None:
    """Fills in outcome as it goes, so that who is interrupted has what was measured."""
    experiments = needed(plan.ids)
    expected = estimate(experiments, plan.pace)
    began = time.monotonic()
    plan.say(f"{plan.pace.text}; about {clock(expected)} in all; starting Kafka, Redis and the archive")
    try:
        site = Site(plan.folder, plan.build, plan.pace, plan.say, secure="P15" in plan.ids).start()
        try:
            for number, experiment in enumerate(experiments, 1):
                rest = estimate(experiments[number - 1 :], plan.pace) - SERVERS_S
                place = (
                    f"{number}/{len(experiments)}  {clock(time.monotonic() - began)} gone, about {clock(rest)} to go"
                )
                plan.say(f"[{place}]  {', '.join(experiment.ids)}: {experiment.text}")
                _one(experiment, site, plan, outcome)
        finally:
            site.close()
        outcome.whole = True
    finally:
        outcome.total_s = time.monotonic() - began
        if not plan.keep:
            clear(plan.folder, outcome)


def clear(folder: Path, outcome: Outcome) -> None:
    """All of it goes; where something went wrong only the servers' data, which may be gigabytes, and the logs stay."""
    good = outcome.whole and not any(row.void for row in outcome.rows)
    for gone in [folder] if good else [folder / "servers" / name for name in ("kafka", "redis", "mongo")]:
        shutil.rmtree(gone, ignore_errors=True)


def _one(experiment: Experiment, site: Site, plan: Plan, outcome: Outcome) -> None:
    began, machine = time.monotonic(), Machine.now()
    rows = experiment.rows(site, plan.ids)
    seconds, stolen = time.monotonic() - began, Machine.now().stolen_since(machine)
    outcome.rows += rows
    outcome.seconds[", ".join(experiment.ids)] = seconds
    outcome.stolen[", ".join(experiment.ids)] = stolen
    for row in rows:
        plan.say(f"  {table.line(row)}")
        if row.void:
            plan.say(f"    void: {row.void}")
    plan.say(f"  {seconds:.0f} s, {100 * stolen:.1f} % stolen by the host")
