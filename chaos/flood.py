# SPDX-License-Identifier: Apache-2.0
"""A flood of requests beside the judge's own load, from bench/openloop, and what it says of the answers."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.judge.protocol import FOREIGN
from stack.mesh import Mesh
from stack.process import StackError, dying_with_us, log_tail, status_kib
from stack.program import Program

BODIES = 1000
TEXT_LENGTH = 100
SAMPLE_S = 0.5
PRIORITY = os.sched_param(1)


def may_hurry() -> bool:
    """Whether the kernel lets us have real-time priority."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, PRIORITY)
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


@contextmanager
def hurried(program: Program) -> Iterator[None]:
    """Its threads come before all others': what is measured is not what else this machine does."""

    def schedule(policy: int, priority: os.sched_param) -> None:
        for thread in os.listdir(f"/proc/{program.pid}/task"):
            os.sched_setscheduler(int(thread), policy, priority)

    schedule(os.SCHED_RR, PRIORITY)
    try:
        yield
    finally:
        schedule(os.SCHED_OTHER, os.sched_param(0))


class Flood:
    """One run of openloop, from its making on. Its events are strangers that the judge knows as such."""

    def __init__(self, mesh: Mesh, *, seconds: float, hurry: bool = False, **options: float | str | bool) -> None:
        """options: those of openloop, with _ for -; hurry: with real-time priority."""
        self._seconds = seconds
        self._log = mesh.folder / "logs" / "openloop.log"
        self._resident: dict[str, list[int]] = {name: [] for name in ("api", "grpc-server")}
        self._pids = {name: mesh.programs[name].pid for name in self._resident}
        port = str(mesh.programs["api"].ports["http"])
        command = [str(mesh.options.build / "bench/openloop/openloop"), "--port", port]
        command += ["--bodies", str(_bodies(mesh.folder)), "--seconds", str(seconds)]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        if hurry:
            command = ["chrt", "--rr", str(PRIORITY.sched_priority), *command]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(dying_with_us(command), stdout=subprocess.PIPE, stderr=log, text=True)
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="flood", daemon=True)
        self._sampler.start()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            for name, pid in self._pids.items():
                self._resident[name].append(status_kib(pid, "VmRSS"))

    def growth(self, program: str, after_s: float) -> float:
        """Its memory at the end of the flood, as a multiple of what it was after so many seconds."""
        samples = self._resident[program]
        return samples[-1] / samples[int(after_s / SAMPLE_S)]

    def result(self) -> dict:
        """Waits for the end. What openloop printed."""
        try:
            text, _ = self._process.communicate(timeout=self._seconds + 60)
        finally:
            self.stop()
        if self._process.returncode != 0:
            raise StackError(f"openloop exited with {self._process.returncode}: {log_tail(self._log)}")
        return json.loads(text)

    def stop(self) -> None:
        """Ends it, however far it is; for clean-up."""
        self._over.set()
        self._sampler.join()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _bodies(folder: Path) -> Path:
    path = folder / "flood.ndjson"
    if not path.exists():
        events = ({"text": f"{FOREIGN}flood {n} ".ljust(TEXT_LENGTH, "~"), "country": "GT"} for n in range(BODIES))
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path
