# SPDX-License-Identifier: Apache-2.0
"""Keeps the account: what each program has spent since the beginning, in CPU seconds and joules."""

from __future__ import annotations

from dataclasses import dataclass

from stack.component import External
from stack.mesh import Mesh
from stack.process import cpu_seconds
from stack.program import Program
from tools.energy.factors import MODELLED, Factors
from tools.energy.kepler import Kepler, Reading

CPU_TIME = "CPU seconds x W per vCPU x PUE"
NAMES = {"mongo": "mongodb"}  # as people call the server
ORDER = ("api", "grpc-server", "ws-redis", "kafka-consumer", "kafka", "redis", "mongodb")


@dataclass(frozen=True)
class Use:
    """What one program has spent."""

    program: str
    cpu_s: float
    joules: float  # with PUE, whoever said them
    quality: str
    source: str


@dataclass(frozen=True)
class State:
    """What was known at one moment."""

    cpu_s: dict[int, float]  # by process id
    kepler: Reading | None


def processes(mesh: Mesh) -> dict[str, list[int]]:
    """The process ids of each program; several instances count together, external servers have none."""
    found: dict[str, list[int]] = {}
    for component in mesh.components:
        if isinstance(component, External) or component.process is None:
            continue
        name = component.program if isinstance(component, Program) else component.name
        name = "kafka" if name.startswith("kafka-") and not isinstance(component, Program) else name
        found.setdefault(NAMES.get(name, name), []).append(component.pid)
    return dict(sorted(found.items(), key=lambda item: (_place(item[0]), item[0])))


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


class Account:
    """From its making on. Threads: any, one call at a time."""

    def __init__(self, programs: dict[str, list[int]], factors: Factors, kepler: Kepler | None) -> None:
        self.programs = programs
        self.factors = factors
        self.kepler = kepler
        self.doubts: list[str] = []  # why a program is estimated although there is a Kepler
        self._begin = self._state()

    def now(self) -> list[Use]:
        """What each program has spent so far; a Kepler may not have seen the last moment yet."""
        return self._uses(self._state())

    def close(self) -> list[Use]:
        """The same, when a Kepler has seen everything that was done before this call."""
        reading = self.kepler.read_after(self.kepler.read()) if self.kepler else None
        self.doubts.clear()
        return self._uses(State(self._cpu(), reading))

    def _cpu(self) -> dict[int, float]:
        return {pid: cpu_seconds(pid) for pids in self.programs.values() for pid in pids}

    def _state(self) -> State:
        return State(self._cpu(), self.kepler.read() if self.kepler else None)

    def _uses(self, state: State) -> list[Use]:
        return [self._use(program, pids, state) for program, pids in self.programs.items()]

    def _use(self, program: str, pids: list[int], state: State) -> Use:
        cpu_s = sum(state.cpu_s[pid] - self._begin.cpu_s[pid] for pid in pids)
        if self.kepler and state.kepler and self._begin.kepler:
            doubt, joules = self._metered(pids, cpu_s, self._begin.kepler, state.kepler)
            if doubt is None:
                quality = self.kepler.quality(state.kepler)
                return Use(program, cpu_s, self.factors.metered_joules(joules), quality, f"Kepler at {self.kepler.url}")
            self.doubts.append(f"{program} is {MODELLED}: {doubt}")
        return Use(program, cpu_s, self.factors.modelled_joules(cpu_s), MODELLED, CPU_TIME)

    @staticmethod
    def _metered(pids: list[int], cpu_s: float, begin: Reading, end: Reading) -> tuple[str | None, float]:
        """Why Kepler's word cannot be taken, or None; and the joules."""
        missing = [pid for pid in pids if pid not in end.joules]
        if missing:
            return f"Kepler does not know process {missing[0]}", 0.0
        spent = [end.joules[pid] - begin.joules.get(pid, 0.0) for pid in pids]
        if min(spent) < 0 or end.node_joules < begin.node_joules:
            return "Kepler was started again meanwhile", 0.0
        if cpu_s > 0 and sum(spent) == 0:
            return "Kepler says 0 joules, although it has worked", 0.0
        return None, sum(spent)
