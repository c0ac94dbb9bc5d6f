# SPDX-License-Identifier: Apache-2.0
"""A cgroup of our own for what starts containers, in the one hierarchy of version 2 or in the many of version 1.

Its name says whose it is, so that what a killed run left behind goes with the next run.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from stack.process import StackError, poll_until

MOUNTED = Path("/sys/fs/cgroup")
PREFIX = "tweetmesh"
GONE_SECONDS = 20


def hierarchies() -> list[Path]:
    """Where cgroups are made: each that is mounted in the usual place, with version 2 beside version 1, too."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    found = {Path(place) for _, place, kind, *_ in mounts if kind in ("cgroup", "cgroup2")}
    return sorted(place for place in found if place.is_relative_to(MOUNTED))


def memory_is_limited() -> bool:
    """Can a cgroup have a limit of memory here?"""
    unified = MOUNTED / "cgroup.controllers"
    if unified.exists():
        return "memory" in unified.read_text().split()
    return any(path.name == "memory" for path in hierarchies())


class Cgroup:
    """/tweetmesh-<name>-<pid> in every hierarchy, from make() to remove(), with all that is made below."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.path = f"/{PREFIX}-{name}-{os.getpid()}"

    def make(self) -> None:
        self._remove_left_behind()
        try:
            for root in hierarchies():
                _let_through(root)
                (root / self.path[1:]).mkdir(exist_ok=True)
        except OSError as error:
            raise StackError(f"no cgroup can be made: {error}; that needs root") from error

    def remove(self) -> None:
        """Once nothing runs in it any more; waits a little for what is just ending."""
        left: list[Path] = []
        for _ in poll_until(GONE_SECONDS, 0.1):
            left = [path for root in hierarchies() if not _removed(path := root / self.path[1:])]
            if not left:
                return
        raise StackError(f"cgroups that cannot be removed: {', '.join(map(str, left))}")

    def _remove_left_behind(self) -> None:
        pattern = re.compile(rf"{PREFIX}-{self._name}-(\d+)")
        for root in hierarchies():
            for path in root.glob(f"{PREFIX}-{self._name}-*"):
                found = pattern.fullmatch(path.name)
                if found and not Path(f"/proc/{found[1]}").exists():
                    _removed(path)


def _let_through(root: Path) -> None:
    """In version 2 a cgroup has the controllers that the one above passes on; these stay, for others may use them."""
    controllers = root / "cgroup.controllers"
    for name in controllers.read_text().split() if controllers.exists() else []:
        with suppress(OSError):  # whoever needs one will say that it is missing
            (root / "cgroup.subtree_control").write_text(f"+{name}")


def _removed(top: Path) -> bool:
    """Whether it is gone, with all below. The deepest first, for only an empty one can go."""
    for folder, _, _ in os.walk(top, topdown=False):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:  # something is just ending in it
            return False
    return not top.exists()
