# SPDX-License-Identifier: Apache-2.0
"""bench: how close the mesh comes to the bare libraries, in ratios measured in one run."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from pathlib import Path

from bench.driver import results, runner, table
from bench.driver.goals import GOALS, IDS
from bench.driver.matrix import needed
from bench.driver.pace import FULL, QUICK, Pace
from bench.driver.selection import UnknownRow, selected
from stack.mesh import PROJECT
from tools.mesh.build import PROGRAMS, build_quietly

TARGETS = ("mongo-sink", "bench-mhd", "bench-producer", "bench-inserter", "bench-stream", "bench-hints")
RESULTS = PROJECT / "bench/RESULTS.md"
FOLDER = PROJECT / ".mesh/bench"


def say(text: str) -> None:
    print(text, flush=True)


def print_list(ids: tuple[str, ...], pace: Pace) -> None:
    """Each figure, then how long the experiments take that measure them."""
    for goal in (goal for goal in GOALS if goal.id in ids):
        sign = "≤" if goal.better == "lower" else "≥"
        unit = f" {goal.unit}" if goal.unit else ""
        stretch = f" (stretch {table.plain(goal.stretch)})" if goal.stretch is not None else ""
        say(f"{goal.id:<4} {goal.what:<{table.WHAT_WIDTH}} {sign} {table.plain(goal.goal)}{unit}{stretch}")
    say("")
    experiments = needed(ids)
    for experiment in experiments:
        say(f"{runner.clock(experiment.estimate(pace)):>6}  {', '.join(experiment.ids)}: {experiment.text}")
    say(f"{runner.clock(runner.estimate(experiments, pace)):>6}  in all")


def build() -> Path:
    if given := os.environ.get("TWEETMESH_BUILD"):
        return (PROJECT / given).resolve()
    return build_quietly("release", [*PROGRAMS, *TARGETS])


def bench(arguments: Namespace) -> int:
    try:
        ids = selected(arguments.only)
    except UnknownRow as error:
        print(f"mesh: {error}", file=sys.stderr)
        return 2
    if any(given is not None and not given > 0 for given in (arguments.rounds, arguments.seconds)):
        print("mesh: --rounds and --seconds are above 0", file=sys.stderr)
        return 2
    pace = (QUICK if arguments.quick else FULL).cut(arguments.rounds, arguments.seconds)
    if arguments.list:
        print_list(ids, pace)
        return 0
    about = results.about()  # before we load the machine ourselves
    folder = FOLDER / f"{time.strftime('%m%d-%H%M%S')}-{os.getpid()}"
    plan = runner.Plan(folder, build(), pace, ids, say, arguments.keep)
    outcome = runner.Outcome()
    try:
        runner.run(plan, outcome)
    finally:
        # As committed: all rows, in full.
        complete = outcome.whole and ids == IDS and pace == FULL
        write(outcome, pace, about, RESULTS if complete else FOLDER / "RESULTS.md", arguments.json)
    return 0 if outcome.ok else 1


def write(outcome: runner.Outcome, pace: Pace, about: dict[str, str], file: Path, json_file: Path | None) -> None:
    rows = outcome.ordered()
    say("")
    for line in table.whole(rows):
        say(line)
    for name, seconds in outcome.seconds.items():
        say(f"  {seconds:>5.0f} s  {name}")
    say(f"  {outcome.total_s:>5.0f} s  in all")
    FOLDER.mkdir(parents=True, exist_ok=True)
    file.write_text(results.text(outcome, pace, about))
    (FOLDER / "details.json").write_text(results.details(outcome))
    if json_file:
        json_file.write_text(table.as_json(rows))
    say(f"  table {file}, rounds {FOLDER / 'details.json'}")
