# SPDX-License-Identifier: Apache-2.0
"""instructions: what each step of an event's way costs, in instructions, against what is recorded.

Callgrind counts them on fixed events (tests/instructions/), so that load, clock and caches have no say:
two runs differ by less than 0.3 %. Libraries choose by the processor how they copy and compare;
they are told to take what every x86-64 has, so that the machine has no say either.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from stack.cache import run_step
from stack.mesh import PROJECT
from stack.process import StackError
from stack.program import PROGRAMS
from tools.mesh.build import build_quietly

RECORD = PROJECT / "tests/instructions/expected.json"
PROFILES = PROJECT / ".mesh/test/instructions"
INPUT = ("locust/data/tweets.json", "streams/tweets.json")
LIBRARIES = ("hiredis", "libbson-1.0", "libprotobuf-c", "rdkafka", "yyjson")  # as pkg-config knows them
CHANGE_MAX_PERCENT = 5.0
HOW_TO_RECORD = "./mesh test instructions -- --record"

BEYOND_X86_64 = "AVX AVX2 AVX_Fast_Unaligned_Load BMI1 BMI2 ERMS FSRM LZCNT MOVBE RTM SSE4_1 SSE4_2 SSSE3".split()
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LD_BIND_NOW": "1",  # looking symbols up is no part of a step
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + ",".join(f"-{name}" for name in BEYOND_X86_64),
}

Figures = dict[str, float]  # "<service>.<path>" -> instructions per event


@dataclass
class Verdict:
    """What the comparison of two sets of figures came to."""

    table: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def events_in(log: str) -> dict[str, int]:
    """What a program says: each path's name, and how many events were counted."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) (\d+)$", log, re.MULTILINE)}


def dump_in(text: str) -> tuple[str, int] | None:
    """Name and instructions of the path that a callgrind file is about; None: of no path."""
    name = re.search(r"^desc: Trigger: Client Request: (\w+)$", text, re.MULTILINE)
    total = re.search(r"^summary: (\d+)$", text, re.MULTILINE)
    return (name[1], int(total[1])) if name and total else None


def count_service(service: str, build: Path, folder: Path, options: list[str]) -> Figures:
    """Runs one service's paths; leaves <service>.<path>.callgrind of each in the folder. Any thread."""
    program = build / "tests/instructions" / f"instructions-{service}"
    log = folder / f"{service}.log"
    counting = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--vgdb=no"]
    command = [*counting, f"--callgrind-out-file={folder / service}.dump", str(program), *options]
    run_step(f"counting the instructions of {service}", command, log=log, cwd=PROJECT, env=ENVIRONMENT)
    totals = {}
    for file in folder.glob(f"{service}.dump*"):
        if dump := dump_in(file.read_text(errors="replace")):
            totals[dump[0]] = dump[1]
            file.rename(folder / f"{service}.{dump[0]}.callgrind")
        else:  # what was counted after the last path: nothing
            file.unlink()
    events = events_in(log.read_text(errors="replace"))
    if not events or totals.keys() != events.keys():
        raise StackError(f"{service} ran {', '.join(events)}; callgrind counted {', '.join(totals)}; see {log}")
    return {f"{service}.{path}": totals[path] / count for path, count in events.items()}


def count(build: Path, folder: Path, *options: str) -> Figures:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(lambda service: count_service(service, build, folder, list(options)), PROGRAMS)
        return {path: figure for part in parts for path, figure in part.items()}


def said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def surroundings() -> dict[str, str]:
    """What besides our own code the figures depend on."""
    found = {name: said_by("pkg-config", "--modversion", name) for name in LIBRARIES}
    found["gcc"] = said_by("gcc", "-dumpfullversion")
    found["glibc"] = platform.libc_ver()[1]
    found["valgrind"] = said_by("valgrind", "--version").removeprefix("valgrind-")
    for name in INPUT:
        found[name] = sha256((PROJECT / name).read_bytes()).hexdigest()[:16]
    return dict(sorted(found.items()))


def judge(recorded: Figures, now: Figures) -> Verdict:
    verdict = Verdict([f"{'path':<32} {'recorded':>9} {'now':>9} {'change':>8}  instructions per event"])
    for path in [*now, *(path for path in recorded if path not in now)]:
        before, after = recorded.get(path), now.get(path)
        if before is None or after is None:
            verdict.failures.append(f"{path} is {'not recorded' if before is None else 'recorded, but not counted'}")
            change = verdict.failures[-1].removeprefix(f"{path} is ")
        else:
            percent = (after / before - 1) * 100
            change = f"{round(percent, 1) + 0.0:+.1f} %"  # + 0.0: no "-0.0"
            said = f"{path}: {before:,.0f} instructions per event were recorded, now {after:,.0f} ({change})"
            if percent > CHANGE_MAX_PERCENT:
                verdict.failures.append(said)
            elif percent < -CHANGE_MAX_PERCENT:
                verdict.warnings.append(f"{said}: record it, so that it stays")
        columns = [f"{figure:,.1f}" if figure is not None else "-" for figure in (before, after)]
        verdict.table.append(f"{path:<32} {columns[0]:>9} {columns[1]:>9} {change:>8}")
    return verdict


def unnoticed(now: Figures, slowed: Figures) -> list[str]:
    """The paths whose figure would pass although they do 1.1 times the work: those are not guarded."""
    return [path for path in now if path not in slowed or not judge({path: now[path]}, {path: slowed[path]}).failures]


def differences(recorded: dict[str, str], now: dict[str, str]) -> list[str]:
    names = sorted(recorded.keys() | now.keys())
    return [
        f"{name} is {now.get(name, 'gone')}, recorded with {recorded.get(name, 'none')}"
        for name in names
        if recorded.get(name) != now.get(name)
    ]


def compared(recorded: dict, now: Figures, around: dict[str, str]) -> tuple[bool, list[str]]:
    """A rise fails even where compiler or libraries are others: else one new package would switch the guard off."""
    verdict = judge(recorded["instructions_per_event"], now)
    others = differences(recorded["with"], around)
    print("\n".join([*others, *verdict.table]), flush=True)
    if not verdict.failures:
        return True, [f"{len(now)} paths, none above +{CHANGE_MAX_PERCENT:g} %", *others, *verdict.warnings]
    profile = PROFILES.relative_to(PROJECT) / "PATH.callgrind"
    advice = [
        f"where they go: ./mesh shell callgrind_annotate --threshold=100 {profile}",
        f"if it is worth its price, record it and say why in the commit: {HOW_TO_RECORD}",
    ]
    if others:
        advice.append("compiler, libraries or input are not those of the record (see above): it may be them")
    return False, [*verdict.failures, *verdict.warnings, *others, *advice]


def guard(extra: list[str]) -> tuple[bool, list[str]]:
    """The part `instructions` of ./mesh test: whether all is well, and the lines that say so."""
    if extra not in ([], ["--record"]):
        raise StackError(f"instructions: {' '.join(extra)}: only --record is known")
    build = build_quietly("release", ["instructions"])
    now, slowed = count(build, PROFILES), count(build, PROFILES / "slowed", "--slowed")
    if missed := unnoticed(now, slowed):
        return False, [f"{path}: 1.1 times the work is not noticed: it is not guarded" for path in missed]
    around, machine = surroundings(), platform.machine()
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if extra:
        figures = {path: round(figure, 1) for path, figure in now.items()}
        recorded[machine] = {"with": around, "instructions_per_event": figures}
        RECORD.write_text(json.dumps(recorded, indent=2) + "\n")
        return True, [f"{len(now)} paths recorded for {machine} in {RECORD.relative_to(PROJECT)}"]
    if machine not in recorded:
        return True, [f"NOT COMPARED: nothing is recorded for {machine}; {HOW_TO_RECORD}"]
    return compared(recorded[machine], now, around)
