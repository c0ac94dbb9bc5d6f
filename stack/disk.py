# SPDX-License-Identifier: Apache-2.0
"""A small disk for one component, so that it can be full: a tmpfs in a mount namespace of its own.

A holder process (bubblewrap and a sleep) keeps the namespace, so that the data outlives the
component; the component is started inside by nsenter, which becomes it and keeps its pid. Nobody
else sees the mount, and the kernel takes it away with the last process. Works for root and, by a
user namespace, for anybody else.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from stack.process import Process, StackError

MIB = 1 << 20
BALLAST = "ballast"  # what fill() writes and free() takes away


class Disk:
    """A disk of so many MiB at a folder. Its data is gone after unmount(). Calls from one thread: the main one."""

    def __init__(self, folder: Path, mib: int, log: Path) -> None:
        self.folder = folder
        self.mib = mib
        self._log = log
        self._process: Process | None = None
        self._holder = 0  # pid of the process inside the namespace

    def mount(self) -> None:
        """Makes the disk, with what lies in the folder copied onto it; a second call does nothing."""
        if self._process is not None:
            return
        bwrap = ["bwrap", "--die-with-parent", "--dev-bind", "/", "/"]
        tmpfs = ["--size", str(self.mib * MIB), "--tmpfs", str(self.folder)]
        self._process = Process.spawn(
            f"disk {self.folder}",
            [*bwrap, *tmpfs, "sleep", "infinity"],
            log=self._log,
            env=dict(os.environ),
            cwd=self.folder,
            dies_with_us=True,
        )
        self._process.wait_ready(self._is_mounted, 10, "mounted")
        shutil.copytree(self.folder, self.path, dirs_exist_ok=True, symlinks=True)

    def _is_mounted(self) -> bool:
        pid = self._process.pid if self._process else 0
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            self._holder = int(children[0]) if children else 0
            return self._holder != 0 and self.path.stat().st_dev != self.folder.stat().st_dev
        except OSError:  # not there yet, or not any more
            return False

    def unmount(self) -> None:
        """Forgets the disk and its data; nothing may run on it any more."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def path(self) -> Path:
        """The folder as seen from outside, where it is another one."""
        return Path(f"/proc/{self._holder}/root{self.folder}")

    def enter(self) -> list[str]:
        """The words before a command that is to see the disk."""
        if self._process is None:
            raise StackError(f"{self.folder} is not mounted")
        words = ["nsenter", "--target", str(self._holder), "--mount", f"--wdns={self.folder}"]
        if os.readlink(f"/proc/{self._holder}/ns/user") != os.readlink("/proc/self/ns/user"):
            words += ["--user", "--preserve-credentials"]
        return words

    def free_bytes(self) -> int:
        stat = os.statvfs(self.path)
        return stat.f_bavail * stat.f_frsize

    def fill(self) -> None:
        """Takes all space that is left; again, what has become free since."""
        block = os.statvfs(self.path).f_frsize
        with (self.path / BALLAST).open("ab") as ballast:
            while (left := self.free_bytes()) >= block:
                _grow(ballast.fileno(), left, block)

    def free(self) -> None:
        """Gives back what fill() took."""
        (self.path / BALLAST).unlink(missing_ok=True)


def _grow(file: int, size: int, block: int) -> None:
    """By size, or by as much as there is: others take space at the same time."""
    while size >= block:
        try:
            os.posix_fallocate(file, os.fstat(file).st_size, size)
            return
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            size //= 2
