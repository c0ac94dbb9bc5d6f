# SPDX-License-Identifier: Apache-2.0
"""One process of ours: started, watched, stopped, and never confused with somebody else's.

A process is known by its pid *and* its start time (and the boot it was started in), so that what
an earlier, killed run left behind can be ended safely even after its pid was given away.
"""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


class StackError(Exception):
    """Something of the stack did not do what it should; the message says what, and where its log is."""


@dataclass(frozen=True)
class Identity:
    """What tells one process from all others, also from a later one with the same pid."""

    pid: int
    start_time: int  # clock ticks after boot, field 22 of /proc/PID/stat
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        fields = stat_fields(pid)
        return cls(pid, int(fields[19]), boot_id()) if fields and fields[0] not in "ZX" else None

    def alive(self) -> bool:
        return Identity.of(self.pid) == self

    def open(self) -> int | None:
        """A pidfd of exactly this process, or None if it has ended."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        if self.alive():  # checked after opening: the fd cannot change its process any more
            return fd
        os.close(fd)
        return None

    def as_dict(self) -> dict:
        return asdict(self)


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third (state) on, None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far; 0 if it is gone."""
    fields = stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def status_kib(pid: int, field: str) -> int:
    """A figure of /proc/PID/status that is told in kB, "VmRSS" say. Raises FileNotFoundError if it is gone."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def log_tail(path: Path, lines: int = 15) -> str:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 16384))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return "    (no log)"
    return "\n".join("    " + line for line in text.splitlines()[-lines:]) or "    (log is empty)"


def poll_until(seconds: float, interval: float = 0.03) -> Iterator[float]:
    """Yields the seconds left, at once and then every interval; ends when they are used up."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        yield left
        time.sleep(min(interval, max(0.0, deadline - time.monotonic())))


def dying_with_us(command: list[str]) -> list[str]:
    """The same command, which the kernel kills when the thread that starts it ends.

    Not by preexec_fn: what runs there runs in a fork of this whole process, where a lock that another
    thread holds (of a gRPC or Kafka client, say) is never given back. The pid stays the same, for each
    of these programs makes way for the next; sh asks whether we were gone before the kernel knew.
    """
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    ask = '[ "$PPID" = "$0" ] && exec "$@"'
    return ["setpriv", "--pdeathsig", "KILL", "sh", "-c", ask, str(os.getpid()), program, *command[1:]]


class Process:
    """A process and its log. Made by spawn(), or by adopt() from what state.json remembers.

    Threads: one owner thread. With dies_with_us the kernel ends the process when the *thread*
    that called spawn() ends, so call it from the main thread.
    """

    def __init__(self, name: str, identity: Identity, log: Path, child: subprocess.Popen | None) -> None:
        self.name = name
        self.identity = identity
        self.log = log
        self._child = child

    @classmethod
    def spawn(
        cls, name: str, command: list[str], *, log: Path, env: dict[str, str], cwd: Path, dies_with_us: bool
    ) -> Process:
        """Starts the command in a session of its own, so that Ctrl-C at the terminal does not reach it."""
        with log.open("ab") as out:
            try:
                child = subprocess.Popen(
                    dying_with_us(command) if dies_with_us else command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env=env,
                    cwd=cwd,
                    start_new_session=True,
                )
            except OSError as error:
                raise StackError(f"{name} cannot be started: {command[0]}: {error.strerror}") from error
        identity = Identity.of(child.pid)
        if identity is None:
            child.wait()
            raise StackError(f"{name} ended at once (exit code {child.returncode}); log {log}:\n{log_tail(log)}")
        return cls(name, identity, log, child)

    @classmethod
    def adopt(cls, name: str, identity: dict, log: Path) -> Process | None:
        """The process that another run of ours started, or None if it has ended since."""
        known = Identity(**identity)
        return cls(name, known, log, None) if known.alive() else None

    @property
    def pid(self) -> int:
        return self.identity.pid

    def alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return self.identity.alive()

    def send(self, number: int) -> bool:
        """Sends a signal; False if the process has ended."""
        if self._child is not None and self._child.poll() is not None:
            return False
        fd = self.identity.open()
        if fd is None:
            return False
        try:
            signal.pidfd_send_signal(fd, number)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)

    def wait(self, seconds: float) -> int | None:
        """Waits for the end. The exit code, negative for a signal; None where only init may know it.

        Raises TimeoutError if it is still there after that many seconds.
        """
        if self._child is not None:
            try:
                return self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                raise TimeoutError(f"{self.name} (pid {self.pid}) still runs after {seconds:g} s") from None
        fd = self.identity.open()
        if fd is None:
            return None
        try:
            poller = select.poll()
            poller.register(fd, select.POLLIN)
            if not poller.poll(seconds * 1000):
                raise TimeoutError(f"{self.name} (pid {self.pid}) still runs after {seconds:g} s")
            return None
        finally:
            os.close(fd)

    def stop(self, seconds: float = 15) -> int | None:
        """SIGTERM, and SIGKILL for who does not obey in time. The exit code, as wait()."""
        self.send(signal.SIGCONT)  # a stopped process would not see SIGTERM
        self.send(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except TimeoutError:
            return self.kill()

    def kill(self) -> int | None:
        self.send(signal.SIGKILL)
        return self.wait(15)

    def wait_ready(self, ready: Callable[[], bool], seconds: float, what: str = "ready") -> None:
        """Polls until ready() is true; raises with the last log lines when it ends or takes too long."""
        for _ in poll_until(seconds):
            if ready():
                return
            if not self.alive():
                code = self._child.returncode if self._child is not None else "unknown"
                raise StackError(
                    f"{self.name} ended before it was {what} (exit code {code}); log {self.log}:\n{log_tail(self.log)}"
                )
        raise StackError(f"{self.name} was not {what} after {seconds:g} s; log {self.log}:\n{log_tail(self.log)}")
