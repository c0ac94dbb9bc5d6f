# SPDX-License-Identifier: Apache-2.0
"""Debian's Redis on loopback, with its append-only file."""

from __future__ import annotations

import socket

from stack.component import Component, Home

DEFAULTS = {
    "bind": "127.0.0.1",
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",  # the append-only file is the only store, as in production
    "logfile": "",
}


class Redis(Component):
    """One server. Options override and extend the configuration: {"appendfsync": "always"}."""

    usual_ports = {"redis": 6379}

    def __init__(self, name: str, home: Home, known: dict | None = None, *, options: dict | None = None) -> None:
        super().__init__(name, home, known)
        self.options = DEFAULTS | (options or {})

    @property
    def url(self) -> str:
        return self.url_at(f"{self.host}:{self.ports['redis']}")

    def url_at(self, address: str) -> str:
        """Its URL for somebody who reaches it at another host:port."""
        return f"redis://{address}/0"

    def command(self) -> list[str]:
        options = {"port": str(self.ports["redis"]), "dir": str(self.folder), **self.options}
        if self.namespace is not None:  # nobody else is in there
            options |= {"bind": self.bind, "protected-mode": "no"}
        return ["redis-server"] + [word for key, value in options.items() for word in (f"--{key}", value)]

    def is_ready(self) -> bool:
        """PING by hand: -LOADING and connection refused both mean not yet."""
        try:
            with socket.create_connection((self.host, self.ports["redis"]), 2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False
