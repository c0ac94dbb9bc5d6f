# SPDX-License-Identifier: Apache-2.0
"""What processes cost, from /proc: CPU time, resident memory, how often they were woken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.process import cpu_seconds, status_kib

SWITCHES = ("voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:")
MIB = 1024  # of KiB


@dataclass(frozen=True)
class Idling:
    """What a process has used since it began."""

    cpu_ns: int  # exact; /proc/PID/stat knows hundredths of a second only
    switches: int  # of all threads, voluntary and involuntary


def cpu_of(pids: Mapping[str, int]) -> dict[str, float]:
    """Seconds of user and system time, by name."""
    return {name: cpu_seconds(pid) for name, pid in pids.items()}


def used(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in before}


def rss_mib(pid: int) -> float:
    return status_kib(pid, "VmRSS") / MIB


def _of_thread(task: Path) -> tuple[int, int]:
    lines = (task / "status").read_text().splitlines()
    switches = sum(int(line.split()[1]) for line in lines if line.startswith(SWITCHES))
    return int((task / "schedstat").read_text().split()[0]), switches


def idling_of(pid: int) -> Idling:
    """Of all threads that live; one that ends while we read is left out."""
    cpu_ns = switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            ns, count = _of_thread(task)
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu_ns += ns
        switches += count
    return Idling(cpu_ns, switches)


@dataclass(frozen=True)
class Machine:
    """The time of all cores so far, in hundredths of a second."""

    total: int
    stolen: int  # by other guests of the host

    @classmethod
    def now(cls) -> Machine:
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return cls(sum(fields), fields[7])

    def stolen_since(self, before: Machine) -> float:
        """As a share of all time; much of it, and what was measured meanwhile says little."""
        return (self.stolen - before.stolen) / max(1, self.total - before.total)


class Sampler:
    """Calls something every few milliseconds on a thread of its own, from `with` to its end.

    What the function raises is raised again at the end, in the caller's thread.
    """

    def __init__(self, sample: Callable[[], None], interval_s: float) -> None:
        self._sample = sample
        self._interval_s = interval_s
        self._end = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                self._sample()
                self._end.wait(self._interval_s)
        except BaseException as error:
            self._error = error
