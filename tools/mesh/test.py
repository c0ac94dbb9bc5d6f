# SPDX-License-Identifier: Apache-2.0
"""test: runs the parts one after the other and ends with what each runner said.

A new part is one more entry in PARTS. A part is good only if its runner was content, something ran,
and nothing was skipped: a skipped test is a missing test, and its reason is listed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stack.mesh import PROJECT
from stack.process import StackError, dying_with_us
from tools.mesh import checks, instructions, rules
from tools.mesh.build import build_commands, build_folder
from tools.mesh.venv import venv

SANITIZED = "asan"
CHAOS = "chaos"
COMPLAINTS_SHOWN = 60
AGAIN_MAX = 3  # so many failures may be the machine's
RESULTS = PROJECT / ".mesh/test"


@dataclass
class Outcome:
    """What a part came to."""

    ok: bool
    summary: list[str] = field(default_factory=list)  # the runners' own last words
    skipped: list[str] = field(default_factory=list)  # "test: reason"


@dataclass(frozen=True)
class Part:
    name: str
    text: str
    run: Callable[[list[str]], Outcome]


def stream(command: list[str], env: dict[str, str] | None = None) -> tuple[int, list[str]]:
    """Runs a command with its output on the terminal; its exit code and the last lines."""
    child = subprocess.Popen(
        dying_with_us(command),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        text=True,
        errors="replace",
        start_new_session=True,
    )
    lines: list[str] = []
    try:
        for line in child.stdout or []:
            print(line, end="", flush=True)
            lines = [*lines[-40:], line.rstrip()]
        if child.stdout:
            child.stdout.close()
        return child.wait(), lines
    except BaseException:
        os.killpg(child.pid, signal.SIGINT)  # pytest then runs its fixtures' ends
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
        raise


def build(preset: str) -> Outcome | None:
    """None if it builds, else how it failed."""
    for command in build_commands(preset):
        code, lines = stream(command)
        if code != 0:
            failed = [line for line in lines if re.search(r"FAILED:|error:|CMake Error", line)]
            return Outcome(
                False, [f"{' '.join(command)} failed (exit code {code})", *list(dict.fromkeys(failed or lines))[-3:]]
            )
    return None


def skipped_in(results: Path) -> tuple[int, list[str]]:
    """How many tests a JUnit file tells of, and those of them that were skipped, with their reasons."""
    if not results.exists():
        return 0, []
    cases = ElementTree.parse(results).getroot().iter("testcase")
    count, skipped = 0, []
    for case in cases:
        count += 1
        reason = case.find("skipped")
        if reason is not None or case.get("status") in ("notrun", "disabled"):
            text = reason.get("message") if reason is not None else None
            skipped.append(f"{case.get('classname')}::{case.get('name')}: {text or 'not run'}")
    return count, skipped


def judged(name: str, command: list[str], results: Path, pattern: str, env: dict | None = None) -> Outcome:
    """Runs a test runner that writes a JUnit file; pattern finds its own summary lines."""
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    code, lines = stream(command, env)
    count, skipped = skipped_in(results)
    summary = [line for line in lines if re.search(pattern, line)] or lines[-1:]
    if count == 0:
        summary.append(f"{name}: no test ran")
    if code != 0:
        summary.append(f"{name}: the runner's exit code is {code}")
    return Outcome(code == 0 and count > 0 and not skipped, summary, skipped)


def failed_in(results: Path) -> list[str]:
    """The names of the tests that failed, from a JUnit file."""
    cases = ElementTree.parse(results).getroot().iter("testcase") if results.exists() else []
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    return [f"{case.get('classname')}::{case.get('name')}" for case in bad]


def judged_twice(name: str, command: list[str], again: list[str], pattern: str, env: dict | None = None) -> Outcome:
    """As judged(), but a few failures are run once more, alone. What passes then is told as FLAKY: a defect to be
    mended, but not of the change at hand. The command is completed with the name of a JUnit file; again: its words
    for "only what failed".
    """
    results, results_again = RESULTS / f"{name}.xml", RESULTS / f"{name}-again.xml"
    first = judged(name, [*command, str(results)], results, pattern, env)
    failed = failed_in(results)
    if first.ok or first.skipped or not 0 < len(failed) <= AGAIN_MAX:
        return first
    print(f"\n--- once more: {', '.join(failed)}", flush=True)
    second = judged(
        f"{name}, again", [*command[:-1], *again, command[-1], str(results_again)], results_again, pattern, env
    )
    if second.ok and skipped_in(results_again)[0] >= len(failed):
        return Outcome(True, [*first.summary, *(f"FLAKY, passed when run again: {test}" for test in failed)])
    return Outcome(False, [*first.summary, *second.summary], second.skipped)


def pytest(name: str, folders: list[str], extra: list[str], home: str = "tests", preset: str = SANITIZED) -> Outcome:
    """home: the folder of the pytest.ini; preset: whose programs are tested."""
    present = [folder for folder in folders if (PROJECT / folder).is_dir()]
    if not present:
        return Outcome(False, [f"{name}: {', '.join(folders)} is missing"])
    settings = ["-c", f"{home}/pytest.ini", "--rootdir", home, "-o", f"cache_dir={RESULTS}/cache-{name}"]
    command = [str(venv() / "bin/python"), "-m", "pytest", *settings, *present, *extra, "--junitxml"]
    again = ["--last-failed", "--last-failed-no-failures", "none"]
    env = {"TWEETMESH_BUILD": str(build_folder(preset)), "PYTHONPATH": str(PROJECT), "PYTHONFAULTHANDLER": "1"}
    pattern = r"^=+ .* in [\d.]+s.*=+$|^ERROR |^left out: |^panels: |^not run: |^counted: "
    return judged_twice(name, command, again, pattern, env)


STATIC_CHECKS: dict[str, Callable[[], list[str]]] = {
    "clang-format": checks.clang_format,
    "clang-tidy": checks.clang_tidy,
    "cppcheck": checks.cppcheck,
    "shellcheck": checks.shellcheck,
    "ruff": checks.ruff,
    "python": checks.python_compiles,
    "rules": rules.complaints,
}


def static(_extra: list[str]) -> Outcome:
    # clang-tidy wants generated headers, and to know who includes what; the others can do without.
    failure = build(SANITIZED)
    outcome = failure or Outcome(True)
    for name, check in STATIC_CHECKS.items():
        if failure and check is checks.clang_tidy:
            continue
        started = time.monotonic()
        found = check()
        print("\n".join(found[:COMPLAINTS_SHOWN]), end="\n" if found else "", flush=True)
        verdict = f"{len(found)} lines of complaint" if found else "clean"
        outcome.summary.append(f"{name}: {verdict} ({time.monotonic() - started:.1f} s)")
        print(outcome.summary[-1], flush=True)
        outcome.ok = outcome.ok and not found
    return outcome


def ctest(name: str, preset: str, extra: list[str]) -> Outcome:
    if failure := build(preset):
        return failure
    command = ["ctest", "--preset", preset, *extra, "--output-junit"]
    return judged_twice(name, command, ["--rerun-failed"], r"tests passed|tests failed|^Total Test time")


def unit(extra: list[str]) -> Outcome:
    return ctest("unit", SANITIZED, extra)


def tsan(extra: list[str]) -> Outcome:
    return ctest("tsan", "tsan", extra)


def scripts(extra: list[str]) -> Outcome:
    return build(SANITIZED) or pytest("scripts", ["tests/test_mesh", "locust/tests", "bench/tests"], extra)


def hot_paths(extra: list[str]) -> Outcome:
    ok, summary = instructions.guard(extra)
    print("\n".join(summary), flush=True)
    return Outcome(ok, summary)


def contract(extra: list[str]) -> Outcome:
    return build(SANITIZED) or pytest("contract", ["tests/contract"], extra)


def integration(extra: list[str]) -> Outcome:
    return build(SANITIZED) or pytest("integration", ["tests/integration"], extra)


def energy(extra: list[str]) -> Outcome:
    return build(SANITIZED) or pytest("energy", ["tests/energy"], extra)


def images(extra: list[str]) -> Outcome:
    outcome = pytest("images", ["tests/images"], extra)
    results = RESULTS / "images.xml"
    if results.exists():
        sizes = ElementTree.parse(results).getroot().iterfind(".//property[@name='compressed']")
        outcome.summary += [f"{size.get('value')} compressed" for size in sizes]
    return outcome


def deploy(extra: list[str]) -> Outcome:
    return pytest("deploy", ["tests/deploy"], extra)


def alert_rules(extra: list[str]) -> Outcome:
    return build(SANITIZED) or pytest("rules", ["tests/rules"], extra)


def dashboards(extra: list[str]) -> Outcome:
    return build(SANITIZED) or pytest("dashboards", ["tests/dashboards"], extra)


def browser(extra: list[str]) -> Outcome:
    # Release binaries: what watching costs is measured, too.
    return build("release") or pytest("browser", ["tests/browser"], extra, preset="release")


def quick_matrix() -> Outcome:
    """The quick faults; each row's verdict counts."""
    table = RESULTS / "chaos.json"
    table.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "tools.mesh", "chaos", "--quick", "--json", str(table)]
    code, lines = stream(command)
    if not table.exists():
        return Outcome(False, [f"chaos: no table was written (exit code {code})", *lines[-1:]])
    found = json.loads(table.read_text())
    bad = [f"{row['fault']}: {(row['violations'] or ['void'])[0]}" for row in found["rows"] if not row["ok"]]
    acked = sum(row["acked"] for row in found["rows"])
    summary = f"{len(found['rows'])} rows, {len(bad)} not ok, {acked:,} events acknowledged, seed {found['seed']}"
    return Outcome(code == 0 and found["ok"], [summary, *bad])


def chaos(extra: list[str]) -> Outcome:
    if failure := build(CHAOS):
        return failure
    tests = pytest("chaos", ["chaos/tests"], extra, home="chaos/tests", preset=CHAOS)
    matrix = quick_matrix()
    return Outcome(tests.ok and matrix.ok, tests.summary + matrix.summary, tests.skipped)


PARTS = (
    Part("static", "clang-format, clang-tidy, cppcheck, shellcheck, ruff, rules of the style guide", static),
    Part("unit", "cmocka tests through ctest, with AddressSanitizer and UBSan", unit),
    Part("tsan", "the same cmocka tests with ThreadSanitizer", tsan),
    Part("scripts", "pytest: ./mesh itself, the stack, the load generator, the driver of the bench", scripts),
    Part(
        "instructions", "instructions per event of the hot paths, counted by callgrind, against the record", hot_paths
    ),
    Part("contract", "pytest: HTTP against /openapi.json, gRPC from outside; sanitized binaries", contract),
    Part("integration", "pytest: real stack, real (sanitized) binaries, kills and restarts", integration),
    Part(
        "energy",
        "promtool on the energy rules; pytest: ./mesh energy on a running mesh, with and without a Kepler",
        energy,
    ),
    Part(
        "images",
        "pytest: container images built without a registry, looked into, and run as a mesh and as pods",
        images,
    ),
    Part(
        "deploy", "pytest: the Helm chart and k8s/, rendered, checked, and in a real Kubernetes control plane", deploy
    ),
    Part(
        "rules",
        "promtool on the Prometheus rules; then a real Prometheus: faults and the alerts they raise",
        alert_rules,
    ),
    Part("dashboards", "pytest: every query of every panel on a real Redis and Prometheus, with verdicts", dashboards),
    Part("browser", "pytest: the live page in Chromium: numbers, breaks, safety, accessibility, 200 viewers", browser),
    Part("chaos", "pytest: judge and runner; then the quick faults of ./mesh chaos, each with a verdict", chaos),
)


def run_part(part: Part, extra: list[str]) -> Outcome:
    print(f"\n=== {part.name}: {part.text}", flush=True)
    try:
        return part.run(extra)
    except StackError as error:
        print(error, flush=True)
        return Outcome(False, [str(error).splitlines()[0]])


def test(arguments: Namespace) -> int:
    if arguments.list:
        for part in PARTS:
            print(f"{part.name:<12} {part.text}")
        return 0
    by_name = {part.name: part for part in PARTS}
    if unknown := [name for name in arguments.parts if name not in by_name]:
        raise StackError(f"no such part: {', '.join(unknown)}; there are {', '.join(by_name)}")
    outcomes: list[tuple[str, Outcome, float]] = []
    for name in arguments.parts or by_name:
        started = time.monotonic()
        outcomes.append((name, run_part(by_name[name], arguments.extra), time.monotonic() - started))
    print_summary(outcomes)
    return 0 if all(outcome.ok for _, outcome, _ in outcomes) else 1


def print_summary(outcomes: list[tuple[str, Outcome, float]]) -> None:
    print("\n=== summary")
    for name, outcome, seconds in outcomes:
        missing = f", {len(outcome.skipped)} SKIPPED" if outcome.skipped else ""
        print(f"{name:<12} {'passed' if outcome.ok else 'FAILED'}{missing}  {seconds:.0f} s")
    for name, outcome, _ in outcomes:
        for line in outcome.skipped:
            print(f"skipped in {name}: {line}")
    for name, outcome, _ in outcomes:
        for line in outcome.summary:
            print(f"{name}: {line}")
