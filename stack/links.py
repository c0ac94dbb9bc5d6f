# SPDX-License-Identifier: Apache-2.0
"""Links: every connection of the mesh goes through a proxy of its own, which can be disturbed.

    mesh.links["grpc-server-kafka"].cut()
    mesh.links["grpc-server-kafka"].heal()

A pair has one link whatever the number of its instances; that to a Kafka of several brokers has a
proxy for each of them, and each broker a listener whose advertised address is the proxy's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stack.component import LOOPBACK, Component, Home
from stack.kafka import Brokers, Listener
from stack.toxiproxy import Proxy, Toxiproxy
from stack.ways import Ways

PAIRS = (
    "client-api",
    "client-grpc",
    "api-grpc-server",
    "api-ws-redis",
    "grpc-server-kafka",
    "kafka-consumer-kafka",
    "kafka-consumer-mongodb",
    "kafka-consumer-redis",
    "ws-redis-redis",
)
KAFKA_CLIENTS = ("grpc-server", "kafka-consumer")
STREAMS = ("upstream", "downstream")  # to the server, from the server


@dataclass(frozen=True)
class Link:
    """The connections of one pair. What is done to it holds for those that are there and for new ones, until heal()."""

    name: str
    toxiproxy: Toxiproxy
    proxies: tuple[str, ...]

    def _poison(self, kind: str, streams: tuple[str, ...], **attributes: int) -> None:
        for proxy in self.proxies:
            for stream in streams:
                if f"{kind}_{stream}" not in self.toxiproxy.client.toxics(proxy):  # by a fault that overlaps
                    self.toxiproxy.client.add_toxic(proxy, kind, stream, **attributes)

    def latency(self, ms: int, jitter_ms: int = 0) -> None:
        """Each way takes so much longer, give or take the jitter."""
        self._poison("latency", STREAMS, latency=ms, jitter=jitter_ms)

    def bandwidth(self, kb_s: int) -> None:
        """So many kilobytes a second each way and connection."""
        self._poison("bandwidth", STREAMS, rate=kb_s)

    def reset_peer(self, ms: int = 0) -> None:
        """A connection on which something is sent is reset that much later; what was sent is gone."""
        self._poison("reset_peer", STREAMS, timeout=ms)

    def half_open(self) -> None:
        """Accepts, and never answers: what is sent vanishes. heal() ends the connections of that time."""
        self._poison("timeout", STREAMS, timeout=0)

    def one_way(self, blocked: str = "downstream") -> None:
        """Nothing gets through in this direction; heal() lets through what was held up, however late."""
        # Not by a latency without end: what that has collected, Toxiproxy would hand on piece by piece
        # when it is removed, and wait 5 s for each that nobody takes any more.
        self._poison("bandwidth", (blocked,), rate=0)

    def cut(self) -> None:
        """Its connections are closed, new ones are refused."""
        for proxy in self.proxies:
            self.toxiproxy.client.enable(proxy, False)

    def heal(self) -> None:
        """As if nothing had been."""
        for proxy in self.proxies:
            for toxic in self.toxiproxy.client.toxics(proxy):
                self.toxiproxy.client.remove_toxic(proxy, toxic)
            self.toxiproxy.client.enable(proxy, True)


class Links(Ways):
    """Ways through Toxiproxy."""

    def __init__(self, home: Home, brokers: list[str], known: dict | None = None) -> None:
        """brokers: their names; known: what Toxiproxy's state() was in an earlier run."""
        self._upstreams: dict[str, Callable[[], str]] = {}  # by proxy; asked when the parts are ready
        self._brokers = brokers
        self.toxiproxy = Toxiproxy("toxiproxy", home, known, proxies=[p for pair in PAIRS for p in self._proxies(pair)])
        self.links = {pair: Link(pair, self.toxiproxy, tuple(self._proxies(pair))) for pair in PAIRS}

    def _proxies(self, pair: str) -> list[str]:
        if not pair.endswith("-kafka"):
            return [pair]
        return [self._proxy(pair.removesuffix("-kafka"), broker) for broker in self._brokers]

    @staticmethod
    def _proxy(client: str, broker: str) -> str:
        return f"{client}-{broker}"

    @property
    def parts(self) -> list[Component]:
        return [self.toxiproxy]

    def open(self) -> None:
        ports = self.toxiproxy.ports
        self.toxiproxy.client.add_proxies(
            [Proxy(name, ports[name], upstream()) for name, upstream in self._upstreams.items()]
        )

    def _through(self, proxy: str, upstream: Callable[[], str]) -> str:
        self._upstreams[proxy] = upstream
        return f"{LOOPBACK}:{self.toxiproxy.ports[proxy]}"

    def listeners(self, broker: str) -> list[Listener]:
        ports = {client: self.toxiproxy.ports[self._proxy(client, broker)] for client in KAFKA_CLIENTS}
        return [Listener(client, lambda _own, port=port: f"{LOOPBACK}:{port}") for client, port in ports.items()]

    def address(self, pair: str, target: Component, use: str) -> str:
        if pair not in self.links:
            raise KeyError(f"there is no link {pair}")
        return self._through(pair, lambda: f"{target.host}:{target.ports[use]}")

    def kafka(self, pair: str, kafka: Brokers) -> str:
        client = pair.removesuffix("-kafka")
        return ",".join(
            self._through(self._proxy(client, broker.name), lambda b=broker: f"{LOOPBACK}:{b.ports[client]}")
            for broker in kafka.brokers
        )
