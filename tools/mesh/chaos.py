# SPDX-License-Identifier: Apache-2.0
"""chaos: faults under load, judged; the named matrix, parts of it, or random rounds from a seed."""

from __future__ import annotations

import difflib
import fnmatch
import os
import secrets
import sys
import time
from argparse import Namespace
from functools import cache
from pathlib import Path

import chaos.faults  # noqa: F401 (registers them)
from chaos import schedule, table
from chaos.fault import REGISTER, Fault
from chaos.runner import Plan, Runner, clock, estimate
from stack.mesh import PROJECT
from tools.mesh.build import build_quietly


def selected(names: list[str], quick: bool) -> list[Fault]:
    """Those that are called so, match so, or are of that family; all, where nothing is said."""
    faults = [fault for fault in REGISTER.faults.values() if fault.quick or not quick]
    if not names:
        return faults
    chosen: dict[str, Fault] = {}
    for name in (part for each in names for part in each.split(",")):
        found = [each for each in faults if name == each.family or fnmatch.fnmatchcase(each.name, name)]
        if not found:
            near = difflib.get_close_matches(name, [fault.name for fault in faults])
            meant = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UnknownFault(f"no fault or family is called {name}{meant} ./mesh chaos --list shows them")
        chosen |= {fault.name: fault for fault in found}
    return list(chosen.values())


class UnknownFault(Exception):
    pass


def print_list(faults: list[Fault]) -> None:
    for fault in sorted(faults, key=lambda fault: (fault.family, fault.name)):
        marks = " ".join(word for word in ("quick", "at_random") if getattr(fault, word))
        print(f"{fault.family:<12} {fault.name:<{table.NAME_WIDTH}} {estimate(fault):>4.0f} s  {fault.text}  {marks}")


def builder(override: str | None):
    """From a preset's name to its folder of binaries, built if need be."""

    @cache
    def build(preset: str) -> Path:
        if given := os.environ.get("TWEETMESH_BUILD"):
            return (PROJECT / given).resolve()
        return build_quietly(override or preset)

    return build


def say(text: str) -> None:
    print(text, flush=True)


def chaos_command(arguments: Namespace) -> int:
    try:
        faults = selected(arguments.only, arguments.quick)
    except UnknownFault as error:
        print(f"mesh: {error}", file=sys.stderr)
        return 2
    if arguments.list:
        print_list(faults)
        return 0
    seed = secrets.randbits(31) if arguments.seed is None else arguments.seed
    folder = PROJECT / ".mesh/chaos" / f"{time.strftime('%m%d-%H%M%S')}-{os.getpid()}"
    plan = Plan(folder=folder, build=builder(arguments.preset), seed=seed, keep=arguments.keep, say=say)
    what = f"--minutes {arguments.minutes:g}" if arguments.random else f"{len(faults)} faults"
    say(f"seed {seed}, {what}, version {table.project_version()}")
    say(table.heading())
    started = time.monotonic()
    whole = False
    runner = Runner(plan)
    try:
        with runner:
            if arguments.random:
                run_random(runner, faults, seed, arguments.minutes)
            else:
                runner.run_matrix(faults)
        whole = True
    finally:
        seconds = round(time.monotonic() - started, 1)
        print_end(runner, seconds)
        if arguments.json:
            build = os.environ.get("TWEETMESH_BUILD") or arguments.preset or "as each fault asks"
            about = {"seed": seed, "random": arguments.random, "build": build, "seconds": seconds}
            arguments.json.write_text(table.as_json(runner.rows, about, whole=whole))
    return 0 if table.is_ok(runner.rows) else 1


def run_random(runner: Runner, faults: list[Fault], seed: int, minutes: float) -> None:
    """Rounds until the minutes are over; the last one is finished."""
    until = time.monotonic() + minutes * 60
    for drawn in schedule.rounds(seed, faults):
        if time.monotonic() >= until:
            return
        say(f"[{clock(max(0, until - time.monotonic()))} to go]  {drawn}")
        runner.run_row(schedule.as_fault(drawn), lambda arena, drawn=drawn: schedule.drive(arena, drawn, seed))


def print_end(runner: Runner, seconds: float) -> None:
    say("")
    for text in table.whole(runner.rows):
        say(text)
    say(f"  {seconds:.0f} s")
