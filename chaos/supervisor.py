# SPDX-License-Identifier: Apache-2.0
"""The supervisor: knows how each program is meant to end, and calls any other end a violation (I8)."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from stack.component import Component, External
from stack.mesh import Mesh
from stack.process import StackError, log_tail, poll_until, stat_fields
from stack.program import PROGRAMS, Program, complaints

BY_FAULT = (-signal.SIGKILL,)  # how a failpoint ends its program


class Supervisor:
    """Starts and ends programs, and looks after all that die in between. Threads: the main one."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._lasting = set(mesh.programs)  # those of the mesh; a fault may add others for its row
        self._meant_to_run: set[str] = set()
        self._started_otherwise: set[str] = set()  # with settings that must not outlast the row
        self._log_starts: dict[Path, int] = {}
        self.violations: list[str] = []
        self.notes: list[str] = []

    def begin(self) -> None:
        """A row begins: all that runs now is meant to run; what was said before is forgotten."""
        self._meant_to_run = {name for name, program in self._mesh.programs.items() if program.alive()}
        self._log_starts = {log: log.stat().st_size for log in (self._mesh.folder / "logs").glob("*.log")}
        self.violations, self.notes = [], []

    # What a fault asks for.

    def kill(self, name: str) -> None:
        self.check()
        self._meant_to_run.discard(name)
        self._mesh.programs[name].kill()

    def stop(self, name: str) -> None:
        self.check()
        self._meant_to_run.discard(name)
        self._expect_good_end(self._mesh.programs[name])

    def start(self, name: str, settings: dict[str, str] | None = None) -> None:
        """Launches it; an unknown instance ("kafka-consumer-2") is added until the end of the row."""
        program = self._mesh.programs.get(name) or self._mesh.add_program(name)
        usual = program.settings
        program.settings = usual | (settings or {})
        try:
            program.launch()
        finally:
            program.settings = usual
        self._meant_to_run.add(name)
        (self._started_otherwise.add if settings else self._started_otherwise.discard)(name)

    def expect_death(self, name: str, seconds: float, codes: tuple[int, ...] = BY_FAULT) -> None:
        """Waits for its end, which must come with one of these exit codes."""
        self._meant_to_run.discard(name)
        program = self._mesh.programs[name]
        if program.process is None:
            raise StackError(f"{name} was to die, but does not run at all")
        try:
            code = program.process.wait(seconds)
        except TimeoutError:
            self._meant_to_run.add(name)
            raise
        program.stop()  # forgets the process, which has ended
        if code not in codes:
            self._complain(program, f"died with {code}, and not by the fault")
        elif code == -signal.SIGABRT:
            self._log_starts[program.log] = program.log.stat().st_size  # why it aborts is no complaint of ours

    # What it sees by itself.

    def check(self) -> None:
        """Notices programs that ended and were not meant to."""
        for name in sorted(self._meant_to_run):
            program = self._mesh.programs[name]
            if not program.alive():
                self._meant_to_run.discard(name)
                self._complain(program, f"died on its own with {program.stop()}")

    def _expect_good_end(self, program: Program) -> None:
        if program.process is None:
            return
        if not program.alive():
            self._complain(program, f"died on its own with {program.stop()}")
        elif (code := program.stop()) != 0:
            self._complain(program, f"exited with {code} after SIGTERM")

    def _complain(self, program: Program, text: str) -> None:
        self.violations.append(f"I8: {program.name} {text}")
        self.notes.append(f"the end of {program.log}:\n{log_tail(program.log)}")

    def inspect_logs(self) -> None:
        """Looks for what sanitizers, assertions and the C library said since begin()."""
        programs = {program.log for program in self._mesh.programs.values()}
        for log in sorted(programs | {log for log in self._log_starts if log.stem.startswith(PROGRAMS)}):
            self.violations += [f"I8: {line}" for line in complaints(log, self._log_starts.get(log, 0))]

    def save_logs(self, folder: Path) -> None:
        """What all logs have got since begin(), for somebody to read."""
        folder.mkdir(parents=True, exist_ok=True)
        for log in (self._mesh.folder / "logs").glob("*.log"):
            with log.open("rb") as source:
                source.seek(self._log_starts.get(log, 0))
                with (folder / log.name).open("wb") as target:
                    shutil.copyfileobj(source, target)

    # Whole again.

    def repair(self) -> list[str]:
        """Heals links, resumes what hangs and starts what is dead, servers first; what it had to do.

        Programs that a fault added are stopped and forgotten. Raises StackError if something does not
        become ready: then this mesh is of no use any more.
        """
        self.check()
        done = self._forget_added()
        for name in sorted(self._started_otherwise):
            self._expect_good_end(self._mesh.programs[name])
            done.append(f"{name} was left with settings of the fault")
            self._mesh.programs[name].launch()
        self._started_otherwise.clear()
        for way in (*self._mesh.links.values(), *self._mesh.wires.values()):
            way.heal()
        for component in self._mesh.components:
            if isinstance(component, External):
                continue
            if not component.alive():
                component.stop()
                component.launch()
                done.append(f"{component.name} was left dead")
            elif is_stopped(component):
                component.resume()
                done.append(f"{component.name} was left stopped")
            component.wait_ready()
        self._meant_to_run = set(self._mesh.programs)
        return done

    def _forget_added(self) -> list[str]:
        done = []
        for name in [name for name in self._mesh.programs if name not in self._lasting]:
            program = self._mesh.programs[name]
            if is_stopped(program):
                program.resume()
                done.append(f"{name} was left stopped")
            self._meant_to_run.discard(name)
            self._started_otherwise.discard(name)
            self._expect_good_end(program)
            self._log_starts.setdefault(program.log, 0)
            del self._mesh.programs[name]
        return done

    def end(self) -> None:
        """SIGTERM to all programs, in the order in which nothing is lost; each must exit with 0."""
        self.check()
        for program in self._mesh.downstream:
            if is_stopped(program):
                program.resume()
            self._expect_good_end(program)
        self._meant_to_run.clear()


def is_stopped(component: Component) -> bool:
    """Does SIGSTOP hold it?"""
    fields = stat_fields(component.pid) if component.process is not None else None
    return fields is not None and fields[0] == "T"


def wait_alive(program: Program, seconds: float = 30) -> None:
    """Waits until the program turns; whether it is ready may depend on what is broken at the moment."""
    for _ in poll_until(seconds):
        try:
            if program.get("/healthz", 2)[0] == 200:
                return
        except OSError:
            pass
        if not program.alive():
            break
    raise StackError(f"{program.name} does not turn; log {program.log}:\n{log_tail(program.log)}")
