# SPDX-License-Identifier: Apache-2.0
"""The TCP connections that programs really have: who opened them, to whom, at which port.

/proc/net/tcp tells each connection with the inode of its socket, /proc/PID/fd whose socket that is. A thread looks
again and again, and remembers all that it has seen. All is on one host, so that a port names who listens there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from support.waiting import wait_for

LOOK_SECONDS = 0.005
LISTENS = "0A"
MAPPED = "0000000000000000FFFF0000"  # what an IPv4 address begins with in tcp6
Address = tuple[str, int]


@dataclass(frozen=True, order=True)
class End:
    """A program, and the component whose pod it is in; "": it is in none."""

    program: str
    component: str = ""


UNKNOWN = End("unknown")


@dataclass(frozen=True, order=True)
class Connection:
    client: End
    server: End
    port: int  # where the server listens

    @property
    def leaves_a_pod(self) -> bool:
        """Whether a NetworkPolicy sees it."""
        return self.client.component != self.server.component

    def __str__(self) -> str:
        return f"{self.client.program} to {self.server.program} at {self.port}"


class Row(NamedTuple):
    """A socket of the kernel's table that a process still has."""

    local: Address
    remote: Address
    listens: bool
    inode: int


class Seen(NamedTuple):
    """An end of a connection."""

    owner: End
    local: int  # ports
    remote: int
    peer: End | None  # whose the other end is, where it still had it and was added


def _address(text: str) -> Address:
    host, port = text.split(":")
    return host.removeprefix(MAPPED), int(port, 16)


def _table() -> Iterator[Row]:
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            _, local, remote, state, _, _, _, _, _, inode, *_ = line.split()
            if inode != "0":
                yield Row(_address(local), _address(remote), state == LISTENS, int(inode))


def _sockets(pid: int) -> Iterator[int]:
    """The inodes of a process' sockets; none where it has ended."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError):
        return
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except (FileNotFoundError, ProcessLookupError):
            continue  # closed since
        if target.startswith("socket:["):
            yield int(target.removeprefix("socket:[").removesuffix("]"))


class Connections:
    """Of the processes that add() was told, with each other and with servers that are known by their ports.

    Threads: add(), seen() and close() are the main one's; a thread of its own looks.
    """

    def __init__(self, servers: dict[int, End]) -> None:
        self._owners: dict[int, End] = {}  # by inode; the thread's own
        self._lock = threading.Lock()  # guards what follows
        self._listeners = dict(servers)  # by port
        self._processes: dict[int, End] = {}
        self._seen: set[Seen] = set()
        self._looks = 0
        self._fault: Exception | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="connections", daemon=True)
        self._thread.start()

    def add(self, pid: int, end: End) -> None:
        with self._lock:
            self._processes[pid] = end

    def seen(self) -> set[Connection]:
        """All since the beginning, and every connection that is open now."""
        before = self._looked()
        wait_for("two more looks", lambda: self._looked() >= before + 2)  # the first may have begun earlier
        with self._lock:
            return set(self._connections())

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _looked(self) -> int:
        with self._lock:
            if self._fault is not None:
                raise self._fault
            return self._looks

    def _run(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            try:
                self._look()
            except Exception as error:
                with self._lock:
                    self._fault = error
                return

    def _look(self) -> None:
        with self._lock:
            processes = list(self._processes.items())
        rows = list(_table())  # before the owners: who still has a socket then had it already
        for pid, end in processes:
            self._owners |= dict.fromkeys(_sockets(pid), end)
        with self._lock:
            for row in rows:
                if row.listens and row.inode in self._owners:
                    self._listeners.setdefault(row.local[1], self._owners[row.inode])
            self._seen |= set(self._ends([row for row in rows if not row.listens]))
            self._looks += 1

    def _ends(self, rows: list[Row]) -> Iterator[Seen]:
        others = {(row.local, row.remote): row.inode for row in rows}
        for row in rows:
            if owner := self._owners.get(row.inode):
                peer = self._owners.get(others.get((row.remote, row.local), 0))
                yield Seen(owner, row.local[1], row.remote[1], peer)

    def _connections(self) -> Iterator[Connection]:
        """Which end is the server's is decided last: somebody may be called who does not listen yet."""
        for owner, local, remote, peer in self._seen:
            if self._listeners.get(local) != owner:
                yield Connection(owner, self._listeners.get(remote, UNKNOWN), remote)
            elif peer is not None:  # else one that had closed it already, or that nobody asked about
                yield Connection(peer, owner, local)
