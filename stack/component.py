# SPDX-License-Identifier: Apache-2.0
"""What all parts of the stack have in common: start, stop, kill, pause, restart, a log and an address."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stack.disk import Disk
from stack.ports import free_port
from stack.process import Process, StackError

if TYPE_CHECKING:
    from stack.namespaces import Namespace

LOOPBACK = "127.0.0.1"


def _nothing() -> None:
    pass


@dataclass
class Home:
    """Where a component lives, and how long."""

    folder: Path  # its data, its log and its configuration go below here
    dies_with_us: bool = True  # ended by the kernel when this Python ends, however it ends
    usual_ports: bool = False  # prefer 8080, 9092 …, so that addresses are the same every day
    remember: Callable[[], None] = field(default=_nothing)  # called after each start and stop


class Component:
    """A server process that can be started again and again on the same ports and data.

    start() returns when the component is ready to work. launch() only begins, so that several can
    come up at once; wait_ready() then waits. All calls from one thread.
    """

    ready_seconds = 60.0
    stop_seconds = 15.0
    usual_ports: dict[str, int] = {}

    def __init__(self, name: str, home: Home, known: dict | None = None) -> None:
        """known: what state() returned in an earlier run that is to be taken over."""
        self.name = name
        self.home = home
        self.folder = home.folder / name
        self.log = home.folder / "logs" / f"{name}.log"
        self.process: Process | None = None
        self.host = LOOPBACK  # where we reach it
        self.namespace: Namespace | None = None  # its network, if not that of all others
        self.disk: Disk | None = None  # where its folder lies, if not on that of all others
        if known:
            self.ports = dict(known["ports"])
            if known["process"]:
                self.process = Process.adopt(name, known["process"], self.log)
        else:
            usual = home.usual_ports
            self.ports = {use: free_port(port if usual else None) for use, port in self.usual_ports.items()}

    # What a component has to say about itself.

    def prepare(self) -> None:
        """Fetches, builds and writes what start needs; costs nothing the second time."""

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def is_ready(self) -> bool:
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The address as our programs take it in their environment."""
        raise NotImplementedError

    @property
    def data(self) -> Path:
        """Its folder as we see it: on its own disk, if it has one."""
        return self.disk.path if self.disk is not None else self.folder

    @property
    def bind(self) -> str:
        """The address a server listens on: all of its namespace's, or loopback alone."""
        return LOOPBACK if self.namespace is None else "0.0.0.0"

    # What can be done with it.

    @property
    def pid(self) -> int:
        if self.process is None:
            raise StackError(f"{self.name} is not running")
        return self.process.pid

    def alive(self) -> bool:
        return self.process is not None and self.process.alive()

    def launch(self) -> None:
        if self.alive():
            raise StackError(f"{self.name} runs already (pid {self.pid})")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = self.command()
        if self.disk is not None:
            self.disk.mount()
            command = [*self.disk.enter(), *command]
        if self.namespace is not None:
            command = [*self.namespace.enter(), *command]
        self.process = Process.spawn(
            self.name,
            command,
            log=self.log,
            env=self.environment(),
            cwd=self.folder,
            dies_with_us=self.home.dies_with_us,
        )
        self.home.remember()

    def wait_ready(self, seconds: float | None = None) -> None:
        if self.process is None:
            raise StackError(f"{self.name} was not started")
        self.process.wait_ready(self.is_ready, seconds or self.ready_seconds)

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def stop(self) -> int | None:
        """SIGTERM, wait; the exit code (negative: the signal that ended it), None if it did not run
        or was started by another run of ours."""
        return self._ended(lambda process: process.stop(self.stop_seconds))

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._ended(lambda process: process.kill())

    def _ended(self, end: Callable[[Process], int | None]) -> int | None:
        if self.process is None:
            return None
        code = end(self.process)
        self.process = None
        self.home.remember()
        return code

    def restart(self) -> None:
        """Stops it (if it runs) and starts it on the same ports and data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: it hangs, its connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.process is None or not self.process.send(number):
            raise StackError(f"{self.name} is not running")

    def state(self) -> dict:
        """For state.json: what another run needs to find this process again."""
        return {
            "process": self.process.identity.as_dict() if self.process else None,
            "ports": self.ports,
            "log": str(self.log),
        }


class External(Component):
    """A server that somebody else runs: used, never started, never stopped."""

    def __init__(self, name: str, home: Home, url: str) -> None:
        super().__init__(name, home)
        self._url = url

    @property
    def url(self) -> str:
        return self._url

    def alive(self) -> bool:
        return True

    def launch(self) -> None:
        pass

    def wait_ready(self, seconds: float | None = None) -> None:
        pass

    def stop(self) -> int | None:
        return None

    def kill(self) -> None:
        raise StackError(f"{self.name} is external ({self.url}); it is not ours to kill")

    def _signal(self, number: int) -> None:
        raise StackError(f"{self.name} is external ({self.url}); it is not ours to signal")
