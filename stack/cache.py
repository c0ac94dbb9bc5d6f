# SPDX-License-Identifier: Apache-2.0
"""What is made once and kept in the user's cache folder: jars, built tools, the Python environment.

Every item appears under its final name only when it is complete; two runs at once wait for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.process import StackError, dying_with_us, log_tail

RETRY_SECONDS = 2

_steps: set[subprocess.Popen] = set()  # running now, in whatever thread
_aborted = threading.Event()


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "tweetmesh"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def say(text: str) -> None:
    print(f"mesh: {text}", file=sys.stderr, flush=True)


def digest(*parts: bytes | str) -> str:
    joined = b"\0".join(part.encode() if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(joined).hexdigest()[:16]


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{what}: another run is at it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def abort_steps() -> None:
    """Ends all running steps, from the main thread, because the user wants out."""
    _aborted.set()
    for child in list(_steps):
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def run_step(text: str, command: list[str], *, log: Path, cwd: Path | None = None, env: dict | None = None) -> None:
    """Runs a long command, its output in the log, and shows every ten seconds that it lives.

    Any thread. The command is a process group of its own, which abort_steps() ends.
    """
    if _aborted.is_set():
        raise StackError(f"{text}: interrupted")
    with log.open("ab") as out:
        out.write(f"\n== {text}: {' '.join(command)}\n".encode())
        out.flush()
        child = subprocess.Popen(
            dying_with_us(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        _steps.add(child)
        started = time.monotonic()
        try:
            while True:
                try:
                    code = child.wait(10)
                    break
                except subprocess.TimeoutExpired:
                    say(f"  {text} … {time.monotonic() - started:.0f} s")
        except BaseException:
            abort_steps()
            child.wait()
            raise
        finally:
            _steps.discard(child)
    if code != 0:
        raise StackError(f"{text} failed (exit code {code}); whole log {log}:\n{log_tail(log)}")


def cached(name: str, make: Callable[[Path, Path], None], *, what: str, attempts: int = 3) -> Path:
    """The folder <cache>/<name>; if it is not there, make(new folder, log) fills it first.

    make() is tried several times, because what it does is mostly fetching. Should it fail for good, the
    StackError names the log; nothing half-made keeps its name.
    """
    final = cache_folder() / name
    if final.is_dir():
        return final
    log = cache_folder() / f"{name}.log"
    partial = cache_folder() / f"{name}.partial"
    with locked(cache_folder() / f"{name}.lock", what):
        if final.is_dir():
            return final
        started = time.monotonic()
        say(f"{what} (once)")
        for attempt in range(1, attempts + 1):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            try:
                make(partial, log)
                break
            except StackError as error:
                if attempt == attempts or _aborted.is_set():
                    raise
                say(f"{what}: attempt {attempt} of {attempts} failed: {str(error).splitlines()[0]}")
                time.sleep(RETRY_SECONDS * attempt)
        partial.rename(final)
        say(f"{what}: {time.monotonic() - started:.0f} s")
    return final
