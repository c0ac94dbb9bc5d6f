# SPDX-License-Identifier: Apache-2.0
"""Debian's HAProxy on loopback: one TCP balancer in front of several instances of a program."""

from __future__ import annotations

from dataclasses import dataclass

from stack.component import Component, Home
from stack.ports import accepts

CHECK_MS = 100

_GLOBAL = f"""\
global
    maxconn 4096
    nbthread 1

defaults
    mode tcp
    maxconn 4096
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout check 1s
    retries 3
    option redispatch 1
    default-server check inter {CHECK_MS}ms fastinter {CHECK_MS}ms downinter {CHECK_MS}ms rise 1 fall 1
"""


@dataclass(frozen=True)
class Backend:
    """One instance: where it listens, and where GET /readyz says whether it can work."""

    name: str
    port: int
    ops_port: int


class HAProxy(Component):
    """Balances each of its entrances ("http", "grpc") over backends that are ready.

    An instance that is no longer ready gets no new connection, and keeps those it has: that is what
    its DRAIN_DELAY_MS is for.
    """

    def __init__(self, name: str, home: Home, entrances: dict[str, list[Backend]], known: dict | None = None) -> None:
        self.usual_ports = {entrance: 0 for entrance in entrances}
        super().__init__(name, home, known)
        self.entrances = entrances

    @property
    def url(self) -> str:
        """The first entrance."""
        return f"http://127.0.0.1:{self.ports[next(iter(self.entrances))]}"

    def prepare(self) -> None:
        text = _GLOBAL + "".join(self._section(name, backends) for name, backends in self.entrances.items())
        (self.folder / "haproxy.cfg").write_text(text)

    def _section(self, entrance: str, backends: list[Backend]) -> str:
        lines = [f"listen {entrance}", f"    bind 127.0.0.1:{self.ports[entrance]}", "    balance leastconn"]
        lines += ["    option httpchk GET /readyz", "    http-check expect status 200"]
        lines += [f"    server {each.name} 127.0.0.1:{each.port} port {each.ops_port}" for each in backends]
        return "\n" + "\n".join(lines) + "\n"

    def command(self) -> list[str]:
        return ["haproxy", "-db", "-f", str(self.folder / "haproxy.cfg")]

    def is_ready(self) -> bool:
        return all(accepts(port) for port in self.ports.values())
