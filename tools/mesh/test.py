# SPDX-License-Identifier: Apache-2.0
"""test: builds what the parts want, runs them side by side, and ends with what each runner said."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict

from stack.process import StackError
from tools.mesh import lanes
from tools.mesh.lanes import Ended
from tools.mesh.parts import PARTS, RESULTS, Part, build, builds_loaded, builds_saved, run_part

BUILDS = RESULTS / "builds.json"  # what came of the builds, for the processes of the lanes


def test(arguments: Namespace) -> int:
    if arguments.list:
        for part in PARTS:
            print(f"{part.name:<12} {part.text}")
        return 0
    by_name = {part.name: part for part in PARTS}
    if unknown := [name for name in arguments.parts if name not in by_name]:
        raise StackError(f"no such part: {', '.join(unknown)}; there are {', '.join(by_name)}")
    if arguments.lanes < 1:
        raise StackError(f"--lanes {arguments.lanes}: it takes at least 1")
    chosen = [by_name[name] for name in dict.fromkeys(arguments.parts or by_name)]
    if arguments.in_lane:
        return for_a_lane(chosen[0], arguments.extra)
    started = time.monotonic()
    count = min(arguments.lanes, len(chosen))
    ended = one_by_one(chosen, arguments.extra) if count == 1 else in_lanes(chosen, arguments.extra, count)
    print_summary(ended)
    print(f"\nall of it: {time.monotonic() - started:.0f} s, {count} at a time")
    return 0 if all(each.outcome.ok for each in ended) else 1


def one_by_one(parts: Sequence[Part], extra: list[str]) -> list[Ended]:
    ended = []
    for part in parts:
        started = time.monotonic()
        outcome = run_part(part, extra)
        ended.append(Ended(part, outcome, time.monotonic() - started))
    return ended


def in_lanes(parts: Sequence[Part], extra: list[str], count: int) -> list[Ended]:
    """Builds first: compilers use all cores anyway, and in one folder only one may build."""
    for preset in dict.fromkeys(preset for part in parts for preset in part.presets):
        print(f"\n=== building preset {preset}", flush=True)
        build(preset)
    RESULTS.mkdir(parents=True, exist_ok=True)
    builds_saved(BUILDS)
    me = [sys.executable, "-P", "-m", "tools.mesh", "test", "--in-lane"]
    return lanes.run(parts, count, lambda part: [*me, part.name, "--", *extra], RESULTS)


def for_a_lane(part: Part, extra: list[str]) -> int:
    """What a process of a lane does."""
    builds_loaded(BUILDS)
    outcome = run_part(part, extra)
    lanes.verdict_file(RESULTS, part).write_text(json.dumps(asdict(outcome)))
    return 0


def print_summary(ended: Sequence[Ended]) -> None:
    print("\n=== summary")
    for each in ended:
        missing = f", {len(each.outcome.skipped)} SKIPPED" if each.outcome.skipped else ""
        verdict = "passed" if each.outcome.ok else "FAILED"
        print(f"{each.part.name:<12} {verdict}{missing}  {each.seconds:.0f} s")
    for each in ended:
        for line in each.outcome.skipped:
            print(f"skipped in {each.part.name}: {line}")
    for each in ended:
        for line in each.outcome.summary:
            print(f"{each.part.name}: {line}")
