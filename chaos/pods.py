# SPDX-License-Identifier: Apache-2.0
"""Two pods, each an api with a grpc-server of its own, behind a balancer."""

from __future__ import annotations

from stack.component import Home
from stack.haproxy import Backend, HAProxy
from stack.mesh import Mesh

ENTRANCES = {"http": "api", "grpc": "grpc-server"}  # the ports that are balanced, and whose they are
SECOND = ("grpc-server-2", "api-2")


class Pods:
    """Adds the second pod to a mesh that is not started yet, and the balancer in front of both."""

    def __init__(self, mesh: Mesh) -> None:
        for name in SECOND:
            mesh.add_program(name)
        entrances = {
            use: [
                Backend(name, each.ports[use], each.ports["ops"])
                for name, each in mesh.programs.items()
                if each.program == program
            ]
            for use, program in ENTRANCES.items()
        }
        self.balancer = HAProxy("haproxy", Home(mesh.folder), entrances)

    def start(self) -> None:
        self.balancer.start()

    def stop(self) -> None:
        self.balancer.stop()

    @property
    def http_port(self) -> int:
        return self.balancer.ports["http"]

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.balancer.ports['grpc']}"
