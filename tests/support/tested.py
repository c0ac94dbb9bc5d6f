# SPDX-License-Identifier: Apache-2.0
"""One mesh under test: a stream of its own and our real programs, on the Kafka, Redis and MongoDB of the run."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from stack.component import Component
from stack.kafka import create_topics
from stack.mesh import Mesh, Options, stream_topics
from stack.program import Program, complaints
from support.http import Client
from support.judges import Judge
from support.streams import PARTITIONS, PROJECT, Stream, declare

# Upstream first, so that whoever needs another finds it.
ALL = ("ws-redis", "grpc-server", "kafka-consumer", "api")
DOWNSTREAM = ("api", "grpc-server", "kafka-consumer", "ws-redis")  # the order in which nothing is lost
DATABASE = "tweetmesh_tests"


def build_folder() -> Path:
    """Where the binaries are: $TWEETMESH_BUILD, or build/release."""
    return (PROJECT / os.environ.get("TWEETMESH_BUILD", "build/release")).resolve()


class Tested:
    """Programs are started by start() and must end well: close() fails the test for any that did not.

    Threads: the main one only.
    """

    __test__ = False  # for pytest: no test case

    def __init__(
        self, folder: Path, servers: Mesh, *, settings: dict | None = None, stream: dict | None = None
    ) -> None:
        self.folder = folder
        self.servers = servers
        self.group = f"tests-{secrets.token_hex(4)}"
        self.stream: Stream = declare(folder / "streams", **(stream or {}))
        own = settings or {}
        of_all = {"KAFKA_GROUP_ID": self.group, "DRAIN_DELAY_MS": "0", "LOG_LEVEL": "info"} | own.get("all", {})
        self.mesh = Mesh(
            folder / "mesh",
            Options(
                build=build_folder(),
                streams=self.stream.folder,
                database=DATABASE,
                external={name: getattr(servers, name).url for name in ("kafka", "redis", "mongo")},
                settings=own | {"all": of_all},
            ),
        )
        self.judge = Judge(servers.kafka.url, servers.redis.url, servers.mongo.url, DATABASE)
        self._clients: list[Client] = []

    # Programs.

    def __getitem__(self, name: str) -> Program:
        return self.mesh.programs[name]

    def start(self, *names: str) -> Tested:
        """Starts these programs (all, unless told) and waits until they are ready; makes the topics."""
        create_topics(self.servers.kafka.url, stream_topics(self.stream.folder, PARTITIONS))
        chosen = [self[name] for name in names or ALL]
        for program in chosen:
            program.prepare()
            program.launch()
        for program in chosen:
            program.wait_ready()
        return self

    def add(self, name: str, **settings: str) -> Program:
        """Another instance, "api-2", ready to work."""
        program = self.mesh.add_program(name, settings)
        program.start()
        return program

    def close(self) -> None:
        """Stops what still runs, api first; each must exit with 0 and have left no bad word in its log."""
        faults = []
        for program in sorted(self.mesh.programs.values(), key=lambda program: DOWNSTREAM.index(program.program)):
            faults += _ended(program)
        self.mesh.stop()  # nothing runs any more; it gives back its folder
        for client in self._clients:
            client.close()
        self.judge.close()
        for program in self.mesh.programs.values():
            faults += complaints(program.log)
        assert not faults, "\n".join(faults)

    def add_stream(self, name: str, **changes: object) -> Stream:
        """Another stream beside the first; before start()."""
        return declare(self.stream.folder, name, **changes)

    # Entrances.

    def client(self, name: str = "api", port: str = "http") -> Client:
        """A new connection to a program's port, closed with the mesh."""
        client = Client(self[name].ports[port])
        self._clients.append(client)
        return client

    @property
    def http_port(self) -> int:
        return self["api"].ports["http"]

    def stored(self) -> int:
        """How many records Kafka holds for the stream."""
        return sum(self.judge.ends(self.stream.topic).values())


def _ended(program: Component) -> list[str]:
    if program.process is None:
        return []
    if not program.alive():
        return [f"{program.name} died on its own with {program.stop()}; log {program.log}"]
    code = program.stop()
    return [] if code == 0 else [f"{program.name} exited with {code} after SIGTERM; log {program.log}"]
