# SPDX-License-Identifier: Apache-2.0
"""The runner's side: starts the judge and asks it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

from chaos.judge.protocol import Counts, Run, Target, Verdict
from stack.process import dying_with_us, log_tail

PROJECT = Path(__file__).resolve().parents[2]
ANSWER_S = 60.0
END_S = 1800.0  # at the end of a long run it reads everything


class JudgeError(Exception):
    """The judge cannot do what it was asked, or is not there any more."""


class JudgeProcess:
    """Threads: any may ask; the one that makes it must live as long (the kernel ends the judge with it)."""

    def __init__(self, log_path: Path) -> None:
        self._log = log_path
        self._lock = threading.Lock()  # one request at a time
        self._target: Target | None = None
        self._rest = b""
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                dying_with_us([sys.executable, "-P", "-m", "chaos.judge"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"PYTHONPATH": str(PROJECT)},
                cwd=PROJECT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, target: Target) -> None:
        """The mesh that is judged from now on. The same with other entrances: what was read of it stays."""
        self._target = target
        self._ask("watch", target=asdict(target))

    def retarget(self, **changes: object) -> None:
        """The mesh has other entrances now: fields of Target."""
        if self._target is None:
            raise JudgeError("retarget before watch")
        self.watch(replace(self._target, **changes))

    def begin(self, run: Run) -> None:
        self._ask("begin", run=asdict(run))

    def struck(self, times: int = 1) -> None:
        self._ask("struck", times=times)

    def healed(self) -> None:
        self._ask("healed")

    def counts(self) -> Counts:
        return Counts(**self._ask("counts"))

    def end(self) -> Verdict:
        """Stops the load, waits until the mesh is at rest, compares. Takes seconds to minutes."""
        return Verdict(**self._ask("end", END_S))

    def close(self) -> None:
        """Ends the judge, whatever it is doing."""
        try:
            self._ask("close", 20)
        except JudgeError:
            self._process.kill()
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, call: str, seconds: float = ANSWER_S, **arguments: object) -> dict:
        with self._lock:
            try:
                self._process.stdin.write(json.dumps({"do": call, **arguments}).encode() + b"\n")
                self._process.stdin.flush()
            except (OSError, ValueError):  # ValueError: closed before
                raise self._gone(call) from None
            answer = json.loads(self._line(call, seconds))
        if "error" in answer:
            raise JudgeError(f"{call}: {answer['error']}")
        return answer["ok"]

    def _line(self, call: str, seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise JudgeError(f"{call}: no answer within {seconds:g} s; log {self._log}")
            got = os.read(self._process.stdout.fileno(), 1 << 16)
            if not got:
                raise self._gone(call)
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _gone(self, call: str) -> JudgeError:
        code = self._process.poll()
        return JudgeError(f"{call}: the judge has ended ({code}); log {self._log}:\n{log_tail(self._log)}")
