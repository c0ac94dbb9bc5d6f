# SPDX-License-Identifier: Apache-2.0
"""A Kepler of our own on a meter made of files, for a machine without a real one: its joules are fake."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

from stack.component import Component, Home
from stack.ports import free_port
from stack.process import StackError
from tools.energy.kepler import Kepler

WATTS = 20.0  # that the meter of files pretends
STEP_S = 0.1
ENERGY_UJ_MAX = 262_143_328_850  # where a real counter starts again at 0
READY_S_MAX = 30

CONFIGURATION = """\
kube:
  enabled: false
web:
  listenAddresses: ["127.0.0.1:{port}"]
monitor:
  interval: 2s
  staleness: 500ms
"""


def kepler_program() -> str | None:
    """The path of a kepler that can be started, if there is one ($KEPLER says where, or PATH)."""
    return shutil.which(os.environ.get("KEPLER") or "kepler")


class FileMeter:
    """Files as the kernel's powercap has them, whose energy grows by WATTS from start() to stop()."""

    def __init__(self, folder: Path) -> None:
        self.sysfs = folder / "sys"
        self._zone = self.sysfs / "class/powercap/intel-rapl:0"
        self._zone.mkdir(parents=True, exist_ok=True)
        for name, text in (("name", "package-0"), ("max_energy_range_uj", str(ENERGY_UJ_MAX)), ("enabled", "1")):
            (self._zone / name).write_text(text + "\n")
        self._started = time.monotonic()
        self._write()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _write(self) -> None:
        energy = int(1e6 * WATTS * (time.monotonic() - self._started)) % ENERGY_UJ_MAX
        partial = self._zone / "energy_uj.partial"
        partial.write_text(f"{energy}\n")
        partial.rename(self._zone / "energy_uj")  # who reads sees the old number or the new one

    def _run(self) -> None:
        while not self._end.wait(STEP_S):
            self._write()


class KeplerProcess(Component):
    """A kepler program on a meter of files. Calls from the main thread."""

    ready_seconds = READY_S_MAX

    def __init__(self, home: Home, program: str) -> None:
        super().__init__("kepler", home)
        self.ports = {"http": free_port()}
        self.program = program
        self.meter: FileMeter | None = None
        self.kepler = Kepler(self.url, fake=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    def prepare(self) -> None:
        (self.folder / "kepler.yaml").write_text(CONFIGURATION.format(port=self.ports["http"]))
        self.meter = FileMeter(self.folder)
        self.meter.start()

    def command(self) -> list[str]:
        return [
            self.program,
            f"--host.sysfs={self.folder / 'sys'}",
            f"--config.file={self.folder / 'kepler.yaml'}",
        ]

    def is_ready(self) -> bool:
        try:
            self.kepler.read()
        except StackError:
            return False
        return True

    def stop(self) -> int | None:
        code = super().stop()
        if self.meter is not None:
            self.meter.stop()
            self.meter = None
        return code
