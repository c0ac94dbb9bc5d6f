# SPDX-License-Identifier: Apache-2.0
"""Wires: Kafka, Redis and MongoDB each in a network namespace of its own, behind a wire that can be disturbed.

    mesh.wires["redis"].lose(0.2)     packets vanish, both ways
    mesh.wires["redis"].take_down()
    mesh.wires["redis"].heal()

              ┌ ours ┐   our programs       ┌ exchange ┐             ┌ redis ┐
              │      ├──────────────────────┤ routes,  ├──the wire───┤       │
              │      │                      │ loses    │             │       │
              │      ├──────────────────────┴──────────┴─────────────┤       │
              └──────┘   who judges: undisturbed                     └───────┘

The namespaces have no names: each is held by a process, and the kernel takes it away, with its ends
of the wires, when the last process in it has ended, however that came.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stack.component import Component, Home
from stack.kafka import Brokers, Listener
from stack.process import StackError
from stack.ways import Ways

SERVERS = ("kafka", "redis", "mongo")
LISTENER = "wire"  # Kafka's, for those who come over the wire
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21
_numbers = itertools.count(1)  # of the Wires that this process has made
NOT_POSSIBLE = (
    "network namespaces need the capabilities NET_ADMIN and SYS_ADMIN here: "
    "run as root, or all of it in `unshare --user --map-root-user --net`"
)


def possible() -> bool:
    """May we make network namespaces, and put wires into our own?"""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    capabilities = int(found[1], 16) if found else 0
    if not all(capabilities >> each & 1 for each in (CAP_NET_ADMIN, CAP_SYS_ADMIN)):
        return False
    # As root of a user namespace we are not root of the network outside.
    return subprocess.run(["ip", "link", "set", "lo", "up"], capture_output=True, check=False).returncode == 0


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Namespace(Component):
    """A network namespace: a process that does nothing but be in it."""

    @property
    def url(self) -> str:
        return f"/proc/{self.pid}/ns/net"

    def prepare(self) -> None:
        if not possible():
            raise StackError(NOT_POSSIBLE)

    def command(self) -> list[str]:
        return ["unshare", "--net", "sleep", "infinity"]

    def is_ready(self) -> bool:
        try:
            there = os.readlink(self.url) != os.readlink("/proc/self/ns/net")
            return there and Path(f"/proc/{self.pid}/comm").read_text() == "sleep\n"
        except OSError:  # it has ended
            return False

    def enter(self) -> list[str]:
        """The words before a command that is to run in it; the pid stays the same."""
        return ["nsenter", f"--net={self.url}", "--"]

    def run(self, *words: str) -> str:
        return _run(*self.enter(), *words)


@dataclass(frozen=True)
class Wire:
    """The way to one server, as the exchange sees it: an interface called as the server."""

    name: str
    exchange: Namespace

    def lose(self, share: float) -> None:
        """This share of the packets of either direction vanishes."""
        for side in ("--in-interface", "--out-interface"):
            chance = ["--match", "statistic", "--mode", "random", "--probability", f"{share:.3f}"]
            self.exchange.run("iptables", "--wait", "--append", "FORWARD", side, self.name, *chance, "--jump", "DROP")

    def take_down(self) -> None:
        self.exchange.run("ip", "link", "set", self.name, "down")

    def heal(self) -> None:
        """As if nothing had been. Nobody else has a wire disturbed meanwhile: all losses end."""
        self.exchange.run("iptables", "--wait", "--flush", "FORWARD")
        self.exchange.run("ip", "link", "set", self.name, "up")


def _free_block() -> ipaddress.IPv4Network:
    """256 addresses of 10.0.0.0/8 that this machine has no route to but its default one."""
    taken = [route["dst"] for route in json.loads(_run("ip", "-json", "-4", "route")) if route["dst"] != "default"]
    networks = [ipaddress.ip_network(each, strict=False) for each in taken]
    chance = random.SystemRandom()
    for _ in range(200):
        block = ipaddress.ip_network(f"10.{chance.randint(64, 250)}.{chance.randint(0, 255)}.0/24")
        if not any(block.overlaps(network) for network in networks):
            return block
    raise StackError("no free addresses in 10.0.0.0/8")


class Cable:
    """Two addresses of their own, four apart from the next ones."""

    def __init__(self, block: ipaddress.IPv4Network, number: int) -> None:
        self.near, self.far = (str(block[number * 4 + at]) for at in (1, 2))
        self.network = f"{block[number * 4]}/30"

    def lay(self, near: Namespace | None, near_name: str, far: Namespace, far_name: str) -> None:
        """near: None for our own namespace."""
        here = near.enter() if near else []
        peer = ["peer", "name", far_name, "netns", str(far.pid)]
        _run(*here, "ip", "link", "add", near_name, "type", "veth", *peer)
        for enter, name, address in ((here, near_name, self.near), (far.enter(), far_name, self.far)):
            _run(*enter, "ip", "address", "add", f"{address}/30", "dev", name)
            _run(*enter, "ip", "link", "set", name, "up")


class Wires(Ways):
    """Ways that lead through the exchange."""

    def __init__(self, home: Home, known: dict[str, dict | None]) -> None:
        """known: what state() of each part was in an earlier run, by name."""
        names = ("exchange", *(f"network-{server}" for server in SERVERS))
        self.exchange, *inner = (Namespace(name, home, known.get(name)) for name in names)
        self._inner = dict(zip(SERVERS, inner, strict=True))
        block = _free_block()
        self._trunk = Cable(block, 0)
        self._wires = {server: Cable(block, 1 + at) for at, server in enumerate(SERVERS)}
        self._judged = {server: Cable(block, 1 + len(SERVERS) + at) for at, server in enumerate(SERVERS)}
        self.wires = {server: Wire(server, self.exchange) for server in SERVERS}

    @property
    def parts(self) -> list[Component]:
        return [self.exchange, *self._inner.values()]

    def place(self, server: Component) -> None:
        server.namespace = self._inner[server.name]
        server.host = self._judged[server.name].far

    def open(self) -> None:
        """Lays the cables. The names of our ends begin with our pid, so that two runs get on."""
        ours = f"tm{os.getpid()}-{next(_numbers)}"
        self.exchange.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self._trunk.lay(None, f"{ours}x", self.exchange, "ours")
        for number, (server, inner) in enumerate(self._inner.items()):
            inner.run("ip", "link", "set", "lo", "up")
            wire = self._wires[server]
            wire.lay(self.exchange, server, inner, "wire")
            inner.run("ip", "route", "add", "default", "via", wire.near)
            _run("ip", "route", "add", wire.network, "via", self._trunk.far)
            self._judged[server].lay(None, f"{ours}j{number}", inner, "judge")

    def listeners(self, broker: str) -> list[Listener]:
        return [Listener(LISTENER, lambda port: f"{self._wires[broker].far}:{port}")]

    def address(self, pair: str, target: Component, use: str) -> str:
        if target.name not in self._wires:
            return super().address(pair, target, use)
        return f"{self._wires[target.name].far}:{target.ports[use]}"

    def kafka(self, pair: str, kafka: Brokers) -> str:
        return ",".join(self.address(pair, broker, LISTENER) for broker in kafka.brokers)
