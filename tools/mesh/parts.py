# SPDX-License-Identifier: Apache-2.0
"""The parts of ./mesh test: what each runs, and what it came to.

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
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

from stack.mesh import PROJECT
from stack.process import StackError, dying_with_us
from tools.mesh import checks, instructions, rules
from tools.mesh.build import build_commands, build_folder, building
from tools.mesh.venv import venv

SANITIZED = "asan"
CHAOS = "chaos"
TSAN = "tsan"
RELEASE = "release"
COMPLAINTS_SHOWN = 60
AGAIN_MAX = 3  # so many failures may be the machine's
RESULTS = PROJECT / ".mesh/test"

_builds: dict[str, Outcome | None] = {}  # what came of each preset, once this run has built it


@dataclass
class Outcome:
    """What a part came to."""

    ok: bool
    summary: list[str] = field(default_factory=list)  # the runners' own last words
    skipped: list[str] = field(default_factory=list)  # "test: reason"


class Company(Enum):
    """What may run beside a part on the same machine."""

    ANY = "any"  # it mostly waits
    BUSY = "busy"  # it keeps the cores busy
    TIMED = "timed"  # it goes by the clock: nothing busy beside it, and no other such one
    NONE = "none"  # it measures: nothing beside it


@dataclass(frozen=True)
class Part:
    name: str
    text: str
    run: Callable[[list[str]], Outcome]  # with further words for its runner
    presets: tuple[str, ...]  # that must be built, or it fails
    seconds: int  # what it takes, roughly
    company: Company = Company.ANY


def spawn(command: list[str], env: dict[str, str]) -> subprocess.Popen:
    """A child in a session of its own, whose lines of output are read from its stdout."""
    return subprocess.Popen(
        dying_with_us(command),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
        text=True,
        errors="replace",
        start_new_session=True,
    )


def stream(command: list[str], env: dict[str, str] | None = None) -> tuple[int, list[str]]:
    """Runs a command with its output on the terminal; its exit code and the last lines."""
    child = spawn(command, env or {})
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
    """None if it builds, else how it failed. Each preset is built once in a run."""
    if preset not in _builds:
        with building(preset):
            _builds[preset] = _build(preset)
    return _builds[preset]


def _build(preset: str) -> Outcome | None:
    for command in build_commands(preset):
        code, lines = stream(command)
        if code != 0:
            failed = [line for line in lines if re.search(r"FAILED:|error:|CMake Error", line)]
            return Outcome(
                False, [f"{' '.join(command)} failed (exit code {code})", *list(dict.fromkeys(failed or lines))[-3:]]
            )
    return None


def builds_saved(file: Path) -> None:
    """Writes what came of the builds, for builds_loaded() of another process of the same run."""
    file.write_text(json.dumps({preset: failure and asdict(failure) for preset, failure in _builds.items()}))


def builds_loaded(file: Path) -> None:
    for preset, failure in json.loads(file.read_text()).items():
        _builds[preset] = failure and Outcome(**failure)


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
    outcome = Outcome(False, [*failure.summary]) if failure else Outcome(True)
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
    command = ["ctest", "--preset", preset, *extra, "--output-junit"]
    return judged_twice(name, command, ["--rerun-failed"], r"tests passed|tests failed|^Total Test time")


def unit(extra: list[str]) -> Outcome:
    return ctest("unit", SANITIZED, extra)


def tsan(extra: list[str]) -> Outcome:
    return ctest("tsan", TSAN, extra)


def scripts(extra: list[str]) -> Outcome:
    return pytest("scripts", ["tests/test_mesh", "locust/tests", "bench/tests"], extra)


def hot_paths(extra: list[str]) -> Outcome:
    ok, summary = instructions.guard(extra)
    print("\n".join(summary), flush=True)
    return Outcome(ok, summary)


def contract(extra: list[str]) -> Outcome:
    return pytest("contract", ["tests/contract"], extra)


def integration(extra: list[str]) -> Outcome:
    return pytest("integration", ["tests/integration"], extra)


def energy(extra: list[str]) -> Outcome:
    return pytest("energy", ["tests/energy"], extra)


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
    return pytest("rules", ["tests/rules"], extra)


def dashboards(extra: list[str]) -> Outcome:
    return pytest("dashboards", ["tests/dashboards"], extra)


def browser(extra: list[str]) -> Outcome:
    return pytest("browser", ["tests/browser"], extra, preset=RELEASE)


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
    tests = pytest("chaos", ["chaos/tests"], extra, home="chaos/tests", preset=CHAOS)
    matrix = quick_matrix()
    return Outcome(tests.ok and matrix.ok, tests.summary + matrix.summary, tests.skipped)


PARTS = (
    Part(
        "static",
        "clang-format, clang-tidy, cppcheck, shellcheck, ruff, rules of the style guide",
        static,
        (),  # most of it does without
        120,
        Company.BUSY,
    ),
    Part("unit", "cmocka tests through ctest, with AddressSanitizer and UBSan", unit, (SANITIZED,), 140, Company.BUSY),
    Part("tsan", "the same cmocka tests with ThreadSanitizer", tsan, (TSAN,), 130, Company.BUSY),
    Part(
        "scripts",
        "pytest: ./mesh itself, the stack, the load generator, the driver of the bench",
        scripts,
        (SANITIZED,),
        200,
    ),
    Part(
        "instructions",
        "instructions per event of the hot paths, counted by callgrind, against the record",
        hot_paths,
        (),  # a few targets of preset release, which it builds
        50,
        Company.BUSY,
    ),
    Part(
        "contract",
        "pytest: HTTP against /openapi.json, gRPC from outside; sanitized binaries",
        contract,
        (SANITIZED,),
        35,
    ),
    Part(
        "integration",
        "pytest: real stack, real (sanitized) binaries, kills and restarts",
        integration,
        (SANITIZED,),
        600,
    ),
    Part(
        "energy",
        "promtool on the energy rules; pytest: ./mesh energy on a running mesh, with and without a Kepler",
        energy,
        (SANITIZED,),
        65,
    ),
    Part(
        "images",
        "pytest: container images built without a registry, looked into, and run as a mesh and as pods",
        images,
        (),
        300,
        Company.BUSY,
    ),
    Part(
        "deploy",
        "pytest: the Helm chart and k8s/, rendered, checked, and in a real Kubernetes control plane",
        deploy,
        (),
        255,
    ),
    Part(
        "rules",
        "promtool on the rules; then a real Prometheus: faults and the alerts they raise, two in a real kubelet",
        alert_rules,
        (SANITIZED,),
        280,
        Company.TIMED,
    ),
    Part(
        "dashboards",
        "pytest: every query of every panel on a real Redis and Prometheus, with verdicts",
        dashboards,
        (SANITIZED,),
        40,
    ),
    Part(
        "browser",
        "pytest: the live page in Chromium: numbers, breaks, safety, accessibility, 200 viewers",
        browser,
        (RELEASE,),  # what watching costs is measured, too
        100,
        Company.NONE,
    ),
    Part(
        "chaos",
        "pytest: judge and runner; then the quick faults of ./mesh chaos, each with a verdict",
        chaos,
        (CHAOS,),
        330,
        Company.TIMED,
    ),
)


def run_part(part: Part, extra: list[str]) -> Outcome:
    print(f"\n=== {part.name}: {part.text}", flush=True)
    try:
        for preset in part.presets:
            if failure := build(preset):
                return failure
        return part.run(extra)
    except StackError as error:
        print(error, flush=True)
        return Outcome(False, [str(error).splitlines()[0]])
