# SPDX-License-Identifier: Apache-2.0
"""Toxiproxy on loopback: TCP proxies that can be told to be slow, to break, to swallow."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stack.component import LOOPBACK, Component, Home
from stack.go_tools import toxiproxy
from stack.ports import accepts
from stack.process import StackError

ANSWER_SECONDS = 30  # removing a toxic can take 5 s for a connection that one side has given up


@dataclass(frozen=True)
class Proxy:
    name: str
    port: int  # where it listens, on loopback
    upstream: str  # host:port that it connects to


class ToxiproxyError(StackError):
    """Toxiproxy refused a request, or did not answer it."""


class Client:
    """Toxiproxy's HTTP API. Blocks up to 30 s a call. Threads: any, a connection a call."""

    def __init__(self, port: int) -> None:
        self._port = port

    def add_proxies(self, proxies: list[Proxy]) -> None:
        """Adds them and opens their ports; one of the same name and addresses stays as it is."""
        listed = [
            {"name": proxy.name, "listen": f"{LOOPBACK}:{proxy.port}", "upstream": proxy.upstream, "enabled": True}
            for proxy in proxies
        ]
        self._ask("POST", "/populate", listed)

    def add_toxic(self, proxy: str, kind: str, stream: str, **attributes: int) -> None:
        """stream: "upstream" (to the server) or "downstream" (from it). The toxic is called kind_stream."""
        toxic = {"name": f"{kind}_{stream}", "type": kind, "stream": stream, "attributes": attributes}
        self._ask("POST", f"/proxies/{quote(proxy)}/toxics", toxic)

    def toxics(self, proxy: str) -> list[str]:
        return [toxic["name"] for toxic in self._ask("GET", f"/proxies/{quote(proxy)}/toxics")]

    def remove_toxic(self, proxy: str, name: str) -> None:
        self._ask("DELETE", f"/proxies/{quote(proxy)}/toxics/{quote(name)}")

    def enable(self, proxy: str, enabled: bool) -> None:
        """Not enabled: its connections are closed and its port refuses new ones."""
        self._ask("POST", f"/proxies/{quote(proxy)}", {"enabled": enabled})

    def reset(self) -> None:
        """Every proxy enabled, every toxic gone."""
        self._ask("POST", "/reset")

    def _ask(self, method: str, path: str, body: object = None) -> list:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise ToxiproxyError(f"toxiproxy, {method} {path}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise ToxiproxyError(f"toxiproxy, {method} {path}: {answer.status} {text[:300]}")
        return json.loads(text) if text else []


class Toxiproxy(Component):
    """The server. Its ports: "api", and one for each proxy that it will have, by name."""

    _binary: Path | None = None

    def __init__(self, name: str, home: Home, known: dict | None = None, *, proxies: list[str]) -> None:
        self.usual_ports = {"api": 0} | {proxy: 0 for proxy in proxies}
        super().__init__(name, home, known)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['api']}"

    @property
    def client(self) -> Client:
        return Client(self.ports["api"])

    def prepare(self) -> None:
        self._binary = toxiproxy()

    def command(self) -> list[str]:
        return [str(self._binary), "-host", LOOPBACK, "-port", str(self.ports["api"])]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"LOG_LEVEL": "error"}

    def is_ready(self) -> bool:
        return accepts(self.ports["api"])
