# SPDX-License-Identifier: Apache-2.0
"""Ways: how clients and our programs reach our programs and the servers.

Each way has the name of a pair, "kafka-consumer-redis" for that of kafka-consumer to Redis. As a
rule they lead straight there; Links (links.py) and Wires (namespaces.py) put something in between
that can be disturbed. Who judges never takes a way: a server's own url is always undisturbed.
"""

from __future__ import annotations

from stack.component import Component
from stack.kafka import Brokers, Listener


class Ways:
    """The straight ones, and what the others must be able to do. Calls from one thread."""

    @property
    def parts(self) -> list[Component]:
        """What has to run before the servers; it is stopped after them."""
        return []

    def open(self) -> None:
        """Called when the parts are ready."""

    def place(self, server: Component) -> None:
        """Called for each server before it is first started, to say where it is to run."""

    def listeners(self, broker: str) -> list[Listener]:
        """What a broker of this name has to listen on, beyond its usual port."""
        return []

    def address(self, pair: str, target: Component, use: str) -> str:
        """host:port by which the first of the pair reaches this port of the second."""
        return f"{target.host}:{target.ports[use]}"

    def kafka(self, pair: str, kafka: Brokers) -> str:
        """The same for Kafka, as KAFKA_BROKERS takes it."""
        return kafka.url
