# SPDX-License-Identifier: Apache-2.0
"""Wall clocks that are set one hour ahead or back while the programs run; monotonic ones stay."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from chaos.arena import Arena
from chaos.fault import Load, Needs, fault
from stack.mesh import PROJECT
from stack.program import PROGRAMS

SOURCE = PROJECT / "chaos/clock_shift.c"
HOUR_MS = 3_600_000
STEPS = len(PROGRAMS) + 1
# With sanitizers a program does not start with a preloaded library that asks for symbols.
RELEASE = Needs(build="release")
LOAD = Load(events_s=200)


def build_library(folder: Path) -> Path:
    """What shifts a program's clock, made for LD_PRELOAD."""
    library = folder / "clock_shift.so"
    command = ["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    subprocess.run(command, check=True)
    return library


def write_shift(file: Path, milliseconds: int) -> None:
    """In place: a program has the file mapped."""
    with file.open("r+b" if file.exists() else "wb") as out:
        out.write(milliseconds.to_bytes(8, "little", signed=True))


class Clocks:
    """Wall clocks that can be set, one for each program; the programs are started anew to get them."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        folder = arena.mesh.folder / "clocks"
        folder.mkdir(exist_ok=True)
        library = build_library(folder)
        self._shifts: dict[str, Path] = {name: folder / name for name in PROGRAMS}
        for name, shift in self._shifts.items():
            self.set(name, 0)
            self._restart(name, {"LD_PRELOAD": str(library), "CLOCK_SHIFT_FILE": str(shift)})

    def set(self, name: str, hours: int) -> None:
        write_shift(self._shifts[name], hours * HOUR_MS)

    def give_back(self) -> None:
        for name in PROGRAMS:
            self._restart(name, {})

    def _restart(self, name: str, settings: dict[str, str]) -> None:
        self._arena.stop(name)
        self._arena.start(name, settings)


def stepped(arena: Arena, hours: int) -> Iterator[None]:
    """Each program's clock alone, then those of all four, while events are acknowledged."""
    clocks = Clocks(arena)
    for name in PROGRAMS:
        clocks.set(name, hours)
        arena.struck()
        arena.wait_acked(100)
        clocks.set(name, 0)
        arena.wait_acked(50)
    for name in PROGRAMS:
        clocks.set(name, hours)
    arena.struck()
    arena.wait_acked(100)
    yield
    for name in PROGRAMS:
        clocks.set(name, 0)
    arena.wait_acked(100)
    clocks.give_back()


@fault(
    "clock-ahead",
    "one program's clock after the other is set an hour ahead, then all",
    family="resources",
    needs=RELEASE,
    load=LOAD,
    struck_min=STEPS,
)
def clock_ahead(arena: Arena) -> Iterator[None]:
    yield from stepped(arena, 1)


@fault(
    "clock-back",
    "one program's clock after the other is set an hour back, then all",
    family="resources",
    needs=RELEASE,
    load=LOAD,
    struck_min=STEPS,
)
def clock_back(arena: Arena) -> Iterator[None]:
    yield from stepped(arena, -1)
