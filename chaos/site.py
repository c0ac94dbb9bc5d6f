# SPDX-License-Identifier: Apache-2.0
"""The site: a mesh for one set of needs, the judge that watches it, and the supervisor of its programs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from chaos.fault import Needs
from chaos.judge.client import JudgeProcess
from chaos.judge.protocol import Target
from chaos.pods import Pods
from chaos.supervisor import Supervisor
from stack.mesh import Mesh, Options

STREAM = "tweets"
SETTINGS = {"all": {"DRAIN_DELAY_MS": "0", "LOG_LEVEL": "info"}}


def merged_settings(needs: Needs) -> dict[str, dict[str, str]]:
    settings = {name: dict(values) for name, values in SETTINGS.items()}
    for program, name, value in needs.settings:
        settings.setdefault(program, {})[name] = value
    return settings


def options_for(needs: Needs, build: Path) -> Options:
    return Options(
        build=build,
        redis=dict(needs.redis),
        settings=merged_settings(needs),
        brokers=needs.brokers,
        links=needs.links,
        namespaces=needs.namespaces,
        disks=dict(needs.disks),
    )


class Site:
    """Made by start(), ended by close(). Threads: the main one."""

    def __init__(self, folder: Path, needs: Needs, build: Path, *, usual_ports: bool = False) -> None:
        """folder: of its own, with no data in it. usual_ports: 8080 and so on where they are free, for people."""
        self.folder = folder
        self.needs = needs
        self.mesh = Mesh(folder, replace(options_for(needs, build), usual_ports=usual_ports))
        self.pods = Pods(self.mesh) if needs.apis > 1 else None
        self.judge: JudgeProcess | None = None
        self.supervisor = Supervisor(self.mesh)

    def start(self) -> Site:
        try:
            self.mesh.start()
            if self.pods:
                self.pods.start()
            self.judge = JudgeProcess(self.folder / "logs" / "judge.log")
            self.judge.watch(self._target())
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Stops everything; what was not right about that is in the supervisor's violations."""
        try:
            if self.judge:
                self.judge.close()
            self.supervisor.end()
        finally:
            if self.pods:
                self.pods.stop()
            self.mesh.stop()

    def _target(self) -> Target:
        mesh = self.mesh
        stream = json.loads((mesh.options.streams / f"{STREAM}.json").read_text())
        return Target(
            http_ports=[self.pods.http_port if self.pods else mesh.client_http_port],
            grpc_addresses=[self.pods.grpc_address if self.pods else mesh.client_grpc_address],
            live_url=mesh.ws_url,
            path=stream["path"],
            stream=stream["stream"],
            topic=stream["topic"],
            collection=stream["collection"],
            database=mesh.options.database,
            count_by=stream["count_by"],
            kafka=mesh.kafka.url,
            redis=mesh.redis.url,
            mongo=mesh.mongo.url,
            ops={name: program.url for name, program in mesh.programs.items()},
            state_file=str(mesh.state_file),
        )
