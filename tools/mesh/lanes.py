# SPDX-License-Identifier: Apache-2.0
"""Parts side by side: each in a process of its own, its lines under its name, and who may run beside whom.

Most parts wait for clocks and servers more than they compute, so two use the cores better than one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

from stack.ports import HIGHEST, LOWEST
from tools.mesh.parts import Company, Outcome, Part, spawn

END_S_MAX = 75  # a part gives its own runner 60 s for the ends of its fixtures

_output = Lock()  # guards standard output: a line is written whole


@dataclass(frozen=True)
class Ended:
    part: Part
    outcome: Outcome
    seconds: float


@dataclass
class Running:
    """A part and its process. Its thread reads what it prints, and then puts it into `ended`."""

    part: Part
    lane: int
    child: subprocess.Popen
    ended: SimpleQueue[Running]
    started: float = field(default_factory=time.monotonic)
    last_line: str = ""

    def __post_init__(self) -> None:
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.child.stdout:
            self.last_line = line.rstrip() or self.last_line
            tell(f"{self.part.name:<12} | {line.rstrip()}")
        self.child.stdout.close()
        self.child.wait()
        self.ended.put(self)

    def result(self, file: Path) -> Ended:
        if file.exists():
            outcome = Outcome(**json.loads(file.read_text()))
        else:
            said = f"it ended without a verdict (exit code {self.child.returncode})"
            outcome = Outcome(False, [said, self.last_line])
        return Ended(self.part, outcome, time.monotonic() - self.started)


def tell(line: str) -> None:
    with _output:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def verdict_file(folder: Path, part: Part) -> Path:
    """Where the process of a part leaves its Outcome, as JSON."""
    return folder / f"verdict-{part.name}.json"


def in_order(parts: Sequence[Part]) -> list[Part]:
    """The choosy first, while there is much they can run beside; then the longest, so that lanes end together."""
    rank = {Company.TIMED: 0, Company.ANY: 1, Company.BUSY: 1, Company.NONE: 2}
    return sorted(parts, key=lambda part: (rank[part.company], -part.seconds))


def may_run_beside(part: Part, others: Sequence[Part]) -> bool:
    kinds = {part.company, *(other.company for other in others)}
    timed = sum(each.company is Company.TIMED for each in (part, *others))
    return not others or (Company.NONE not in kinds and not (timed and Company.BUSY in kinds) and timed < 2)


def next_part(waiting: Sequence[Part], running: Sequence[Part]) -> Part | None:
    """The first that may run beside these; rather one that waits beside one that computes, and the reverse."""
    fitting = [part for part in waiting if may_run_beside(part, running)]
    busy = any(part.company is Company.BUSY for part in running)
    wanted = [part for part in fitting if (part.company is Company.BUSY) != busy] if running else fitting
    return next(iter(wanted or fitting), None)


def started(part: Part, lane: int, count: int, command: list[str], ended: SimpleQueue[Running]) -> Running:
    """Each lane has ports of its own: what looks free while its server starts again is not taken by another."""
    width = (HIGHEST - LOWEST + 1) // count
    ports = f"{LOWEST + lane * width}-{LOWEST + (lane + 1) * width - 1}"
    return Running(part, lane, spawn(command, {"TWEETMESH_PORTS": ports}), ended)


def run(parts: Sequence[Part], count: int, command: Callable[[Part], list[str]], folder: Path) -> list[Ended]:
    """Runs them in so many lanes; what came of each, in the order of `parts`. From the main thread.

    command: what runs a part and leaves its verdict_file() in the folder. An exception, KeyboardInterrupt
    above all, goes on only after all processes have ended.
    """
    waiting = in_order(parts)
    running: dict[int, Running] = {}  # by lane
    results: dict[str, Ended] = {}
    ended: SimpleQueue[Running] = SimpleQueue()
    try:
        while waiting or running:
            free = [lane for lane in range(count) if lane not in running]
            part = next_part(waiting, [each.part for each in running.values()]) if free else None
            if part is not None:
                waiting.remove(part)
                verdict_file(folder, part).unlink(missing_ok=True)
                tell(f"=== {part.name} begins; beside it: {names(running) or 'nothing'}")
                running[free[0]] = started(part, free[0], count, command(part), ended)
                continue
            done = ended.get()
            del running[done.lane]
            result = results[done.part.name] = done.result(verdict_file(folder, done.part))
            verdict = "passed" if result.outcome.ok else "FAILED"
            tell(f"=== {done.part.name} {verdict}, {result.seconds:.0f} s; {len(results)} of {len(parts)} are done")
    except BaseException:
        end(list(running.values()))
        raise
    return [results[part.name] for part in parts]


def names(running: dict[int, Running]) -> str:
    return ", ".join(each.part.name for each in running.values())


def signalled(each: Running, number: int) -> None:
    try:
        os.killpg(each.child.pid, number)
    except ProcessLookupError:
        pass


def end(running: Sequence[Running]) -> None:
    """Interrupts all at once, then waits: their fixtures take down what they put up."""
    for each in running:
        signalled(each, signal.SIGINT)
    until = time.monotonic() + END_S_MAX
    for each in running:
        each.reader.join(max(0.0, until - time.monotonic()))
        if each.reader.is_alive():
            signalled(each, signal.SIGKILL)
            each.reader.join(5)
