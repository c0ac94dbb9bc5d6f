# SPDX-License-Identifier: Apache-2.0
"""Goal: a shifted clock is what the kernel shows when somebody sets the clock: times, and waits until a time.

Method: Python under the library, in a process of its own; its sem_timedwait() waits by the wall clock.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chaos.faults.clocks import HOUR_MS, build_library, write_shift

LOOK = """
import datetime, time
COARSE = 5  # CLOCK_REALTIME_COARSE
told = time.time(), time.clock_gettime(COARSE), datetime.datetime.now().timestamp()
print(*told, time.monotonic())
"""
# Waits until ten seconds from now by the wall clock, and says how long that took by the other.
WAIT = """
import ctypes, time
class Time(ctypes.Structure):
    _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]
libc = ctypes.CDLL(None, use_errno=True)
semaphore = ctypes.create_string_buffer(64)
libc.sem_init(semaphore, 0, 0)
until = Time(int(time.time()) + 10, 0)
began = time.monotonic()
print("waits", flush=True)
result = libc.sem_timedwait(semaphore, ctypes.byref(until))
print(result, time.monotonic() - began)
"""


@pytest.fixture
def shift(tmp_path: Path) -> Path:
    build_library(tmp_path)
    write_shift(tmp_path / "shift", 0)
    return tmp_path / "shift"


def under(shift: Path, program: str) -> subprocess.Popen[str]:
    environment = os.environ | {"LD_PRELOAD": str(shift.parent / "clock_shift.so"), "CLOCK_SHIFT_FILE": str(shift)}
    command = [sys.executable, "-S", "-c", program]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("hours", [0, 1, -1])
def test_the_wall_clock_is_shifted_and_the_other_is_not(shift: Path, hours: int) -> None:
    write_shift(shift, hours * HOUR_MS)
    before, monotonic = time.time(), time.monotonic()
    said = under(shift, LOOK).communicate(timeout=30)[0].split()
    after = time.time()
    for told in said[:3]:
        assert before - 1 <= float(told) - hours * 3600 <= after + 1
    assert monotonic <= float(said[3]) <= time.monotonic()


def test_a_wait_ends_when_the_clock_is_set_beyond_its_time(shift: Path) -> None:
    waiting = under(shift, WAIT)
    assert waiting.stdout is not None and waiting.stdout.readline() == "waits\n"
    write_shift(shift, HOUR_MS)
    result, took = waiting.communicate(timeout=30)[0].split()
    assert result == "-1"
    assert float(took) < 9, "it waited as if nobody had set the clock"


def test_a_wait_goes_on_when_the_clock_is_set_back(shift: Path) -> None:
    waiting = under(shift, WAIT)
    assert waiting.stdout is not None and waiting.stdout.readline() == "waits\n"
    write_shift(shift, -HOUR_MS)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(11)
    waiting.kill()
    waiting.communicate()
