# SPDX-License-Identifier: Apache-2.0
"""The arena: a running mesh under the judge's load, as a fault sees it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from chaos.fault import Fault
from chaos.judge.client import JudgeProcess
from chaos.judge.protocol import Counts
from chaos.supervisor import BY_FAULT, Supervisor, wait_alive
from stack.mesh import Mesh
from stack.process import poll_until

CHECK_S = 0.25


class ArenaError(Exception):
    """What a fault waited for did not come; the row fails with this text."""


class Arena:
    """What a fault gets. Threads: the main one.

    Kill, stop and start programs only through the arena: a program that ends otherwise is a
    violation (I8).
    """

    mesh: Mesh
    random: random.Random  # seeded; the only source of chance

    def __init__(self, mesh: Mesh, judge: JudgeProcess, supervisor: Supervisor, chance: random.Random) -> None:
        self.mesh = mesh
        self.random = chance
        self.demands: list[str] = []  # that were not met
        self.notes: list[str] = []
        self.overlapping = False  # another fault holds as well: nobody can be expected to be ready
        self.healed_by_itself = False  # the fault has said when
        self.ready_s = 0.0  # the longest that a program took from its start until it was ready
        self._unready: set[str] = set()  # started while overlapping
        self._judge = judge
        self._supervisor = supervisor

    def struck(self, times: int = 1) -> None:
        """The fault has struck just now."""
        self._judge.struck(times)

    def healed(self) -> None:
        """Healed just now; else that is when the generator ends. The last call counts."""
        self.healed_by_itself = True
        self._judge.healed()

    def kill(self, name: str) -> None:
        """kill -9; the program is expected to end."""
        self._supervisor.kill(name)

    def stop(self, name: str) -> None:
        """SIGTERM; the program is expected to end with 0."""
        self._supervisor.stop(name)

    def start(self, name: str, settings: dict[str, str] | None = None, ready: bool = True) -> None:
        """Starts it; settings: for this start alone (failpoints, clocks). ready: wait for /readyz.

        An instance that is not there ("kafka-consumer-2") is added; it goes at the end of the row.
        Does nothing if it runs: another fault, that overlaps with this one, may have started it.
        """
        if name in self.mesh.programs and self.mesh.programs[name].alive() and not settings:
            return
        started = time.monotonic()
        self._supervisor.start(name, settings)
        if ready or self.overlapping:
            self.wait_ready(name)
            self.ready_s = max(self.ready_s, time.monotonic() - started)

    def revive(self, name: str) -> None:
        """Starts again what the fault has ended; it counts as healed from then on, not when it is ready."""
        self.healed()
        self.start(name)

    def wait_ready(self, name: str) -> None:
        """Waits until a program is ready; while another fault overlaps, only until it lives, for its
        servers may be away: then it has to become ready when all is healed."""
        if self.overlapping:
            wait_alive(self.mesh.programs[name])
            self._unready.add(name)
        else:
            self.mesh.programs[name].wait_ready()

    def settle(self) -> None:
        """Nothing overlaps any more: what was started meanwhile becomes ready, and only then all is healed."""
        self.overlapping = False
        for name in sorted(self._unready & set(self.mesh.programs)):
            if self.mesh.programs[name].alive():
                self.mesh.programs[name].wait_ready()
        if self._unready:
            self.healed()
        self._unready.clear()

    def expect_death(self, name: str, seconds: float = 30, codes: tuple[int, ...] = BY_FAULT) -> None:
        """Waits until the program has died by a fault (a failpoint, its memory limit).

        codes: the exit codes that are the fault's doing; any other is a violation.
        """
        self._supervisor.expect_death(name, seconds, codes)

    def wait(self, seconds: float) -> None:
        """Lets time go by under load."""
        for _ in poll_until(seconds, CHECK_S):
            self._supervisor.check()

    def wait_acked(self, more: int, seconds: float = 30) -> None:
        """Waits until so many events more have been acknowledged; fails the row if they are not."""
        goal = self.counts().acked + more
        for _ in poll_until(seconds, 0.05):
            if self.counts().acked >= goal:
                return
            self._supervisor.check()
        missing = goal - self.counts().acked
        raise ArenaError(f"in {seconds:g} s {more - missing} of {more} events were acknowledged")

    def counts(self) -> Counts:
        """What the judge has counted in this row so far."""
        return self._judge.counts()

    def require(self, condition: object, text: str) -> None:
        """A demand of this fault's own; False makes the row fail with this text."""
        if not condition:
            self.demands.append(text)

    def note(self, text: str) -> None:
        """Said below the row, verdict or not."""
        self.notes.append(text)


@contextmanager
def held(arena: Arena, fault: Fault) -> Iterator[None]:
    """The fault has struck inside the with, and has healed behind it, however that ends."""
    outer, arena.healed_by_itself = arena.healed_by_itself, False
    steps = fault.strike(arena)
    try:
        next(steps, None)
        yield
        for _ in steps:  # one that yields more than once holds as often
            arena.wait(fault.hold_s)
        if not arena.healed_by_itself:
            arena.healed()
    finally:
        steps.close()
        arena.healed_by_itself = outer
