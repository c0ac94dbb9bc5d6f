# SPDX-License-Identifier: Apache-2.0
"""bench: how close the mesh comes to the bare libraries, in ratios of one run; and how Kafka itself behaves."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from bench.driver import blocks, performance, results, runner, table
from bench.driver.costs import costs
from bench.driver.goals import GOALS, IDS
from bench.driver.kafka import measure, page
from bench.driver.matrix import needed
from bench.driver.pace import FULL, QUICK, Pace
from bench.driver.selection import UnknownRow, selected
from bench.driver.site import linger_us
from stack.cache import run_step
from stack.mesh import PROJECT
from stack.process import StackError
from tools.mesh.build import PROGRAMS, build_quietly
from tools.mesh.venv import venv

TARGETS = ("mongo-sink", "bench-mhd", "bench-producer", "bench-inserter", "bench-stream", "bench-hints")
KAFKA_TARGETS = ("bench-producer", "grpc-server")  # the second only says what its linger is
RESULTS = PROJECT / "bench/RESULTS.md"
FOLDER = PROJECT / ".mesh/bench"
DOCS = PROJECT / "docs"
PAGES = {"performance": "performance.md", "kafka": "kafka-behaviour.md"}


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


def build(targets: Iterable[str]) -> Path:
    if given := os.environ.get("TWEETMESH_BUILD"):
        return (PROJECT / given).resolve()
    return build_quietly("release", list(targets))


def run_folder() -> Path:
    return FOLDER / f"{time.strftime('%m%d-%H%M%S')}-{os.getpid()}"


def moment() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def complaint(arguments: Namespace) -> str:
    """What is wrong with the command line, if anything."""
    if any(given is not None and not given > 0 for given in (arguments.rounds, arguments.seconds)):
        return "--rounds and --seconds are above 0"
    if arguments.kafka and (arguments.only or arguments.list or arguments.keep):
        return "--kafka goes with --quick, --rounds, --seconds and --json only"
    return ""


def bench(arguments: Namespace) -> int:
    if told := complaint(arguments):
        print(f"mesh: {told}", file=sys.stderr)
        return 2
    if arguments.write_docs:
        return write_docs_of(arguments.write_docs)
    if arguments.kafka:
        return bench_kafka(arguments)
    try:
        ids = selected(arguments.only)
    except UnknownRow as error:
        print(f"mesh: {error}", file=sys.stderr)
        return 2
    pace = (QUICK if arguments.quick else FULL).cut(arguments.rounds, arguments.seconds)
    if arguments.list:
        print_list(ids, pace)
        return 0
    about = results.about()  # before we load the machine ourselves
    plan = runner.Plan(run_folder(), build([*PROGRAMS, *TARGETS]), pace, ids, say, arguments.keep)
    outcome = runner.Outcome()
    try:
        runner.run(plan, outcome)
    finally:
        # As committed: all rows, in full.
        complete = outcome.whole and ids == IDS and pace == FULL
        write(outcome, pace, about, complete, arguments.json)
    return 0 if outcome.ok else 1


def write(outcome: runner.Outcome, pace: Pace, about: dict[str, str], complete: bool, json_file: Path | None) -> None:
    rows = outcome.ordered()
    say("")
    for line in table.whole(rows):
        say(line)
    for name, seconds in outcome.seconds.items():
        say(f"  {seconds:>5.0f} s  {name}")
    say(f"  {outcome.total_s:>5.0f} s  in all")
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = RESULTS if complete else FOLDER / "RESULTS.md"
    file.write_text(results.text(outcome, pace, about))
    (FOLDER / "details.json").write_text(results.details(outcome))
    more = {"kind": "performance", "when": moment(), "pace": pace.text, "about": about, "costs": costs(rows)}
    text = table.as_json(rows, **more)
    for each in filter(None, (json_file, FOLDER / "performance.json")):
        each.write_text(text)
    say(f"  table {file}, rounds {FOLDER / 'details.json'}")
    if complete:
        write_docs(json.loads(text), FOLDER / "performance.json")


# How Kafka behaves.


def bench_kafka(arguments: Namespace) -> int:
    """The figures of docs/kafka-behaviour.md; only a whole, full run writes them there."""
    pace = measure.KAFKA_QUICK if arguments.quick else measure.KAFKA_FULL
    pace = pace.cut(arguments.rounds, arguments.seconds)
    about = results.about()
    venv()  # what is to draw the plots is there before it is measured, not missing after
    folder = build(KAFKA_TARGETS)
    say(f"{pace.text}; about {runner.clock(pace.estimate)} in all; starting Kafka")
    found = measure.Found()
    try:
        measure.run(run_folder(), folder, pace, say, found)
    finally:
        if found.runs:
            told = page.document(found, pace, about, moment(), linger_us(folder))
            write_kafka(told, found.whole and pace == measure.KAFKA_FULL, arguments.json)
    return 0 if found.ok else 1


def write_kafka(told: dict, complete: bool, json_file: Path | None) -> None:
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / "kafka.json"
    for each in filter(None, (json_file, kept)):
        each.write_text(text)
    say("")
    for name, part in page.parts(told).items():
        say(f"{name}:\n{part}\n")
    say(f"  {told['seconds']:.0f} s in all; figures {kept}")
    if complete:
        write_docs(told, kept)
    else:
        draw(kept, FOLDER / "pictures")


def draw(figures: Path, folder: Path) -> None:
    """In the tools' environment, which has what it takes."""
    command = [str(venv() / "bin/python"), "-m", "bench.driver.kafka.plots", str(figures), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "MPLCONFIGDIR": str(FOLDER / "matplotlib")}
    run_step(f"drawing into {folder}", command, log=FOLDER / "plots.log", env=environment)


# Figures into documents.


def write_docs(told: dict, figures: Path) -> None:
    """Rewrites what is made of figures in the page for them. Raises StackError where the page has other blocks."""
    kind = told.get("kind")
    if kind not in PAGES:
        raise StackError(f"{figures} was not written by ./mesh bench --json")
    parts = page.parts(told) if kind == "kafka" else performance.parts(told)
    file = DOCS / PAGES[kind]
    try:
        file.write_text(blocks.rewritten(file.read_text(), parts))
    except ValueError as error:
        raise StackError(f"{file}: {error}") from error
    if kind == "kafka":
        draw(figures, DOCS / "pictures")
    say(f"  written into {file}")


def write_docs_of(figures: Path) -> int:
    """--write-docs: of figures measured before."""
    try:
        told = json.loads(figures.read_text())
    except (OSError, ValueError) as error:
        raise StackError(f"{figures}: {error}") from error
    write_docs(told, figures)
    return 0
