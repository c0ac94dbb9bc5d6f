# SPDX-License-Identifier: Apache-2.0
"""Containers as the tests want them: images as folders, and programs of ours that run in podman."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.mesh import Mesh
from stack.process import StackError
from stack.program import Program
from support.tested import Tested
from tools.mesh.images import Engine, image_name

USER = 65532
MEMORY = "256m"
# As the chart and compose.yaml have it; seccomp is podman's own default profile.
CONFINED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    f"--memory={MEMORY}",
    "--pids-limit=200",
    "--pull=never",
    "--network=host",
)


def ran(engine: Engine, program: str, *arguments: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """A confined container that runs to its end."""
    return engine.run("podman", "run", "--rm", *CONFINED, *options, image_name(program), *arguments, check=False)


@dataclass(frozen=True)
class Unpacked:
    """An image as files."""

    folder: Path
    members: dict[str, tarfile.TarInfo]  # by path without a slash in front
    config: dict  # of the OCI image

    @classmethod
    def of(cls, engine: Engine, program: str, folder: Path) -> Unpacked:
        container = engine.run("podman", "create", "--pull=never", image_name(program)).stdout.strip()
        archive = folder / "image.tar"
        engine.run("podman", "export", "-o", str(archive), container)
        engine.run("podman", "rm", container)
        with tarfile.open(archive) as tar:
            members = {member.name.strip("/"): member for member in tar}
            tar.extractall(folder / "root", filter="tar")
        return cls(folder / "root", members, engine.inspect(image_name(program)))

    @property
    def bill(self) -> dict:
        """Its bill of materials."""
        return json.loads((self.folder / "usr/share/doc/tweetmesh/sbom.cdx.json").read_text())

    def libraries(self) -> set[str]:
        return {name for name, member in self.members.items() if ".so" in Path(name).name and member.isfile()}


class Container(Program):
    """A program of ours in its container, confined as in a pod."""

    stop_seconds = 60

    def __init__(self, program: Program, engine: Engine, sockets: Path) -> None:
        known = {"ports": program.ports, "process": None}
        super().__init__(
            program.name, program.home, known, program=program.program, build=Path(), settings=dict(program.settings)
        )
        self.engine = engine
        self.streams = self.settings.pop("STREAMS_DIR")  # mounted where the image looks
        self.sockets = sockets
        for name in ("GRPC_LISTEN", "GRPC_TARGET"):
            if name in self.settings:
                first, *others = self.settings[name].split(",")
                self.settings[name] = ",".join(["unix:/run/tweetmesh/grpc.sock", *others])

    @property
    def container(self) -> str:
        return f"tests-{os.getpid()}-{self.name}"

    def prepare(self) -> None:
        if not self.engine.has(image_name(self.program)):
            raise StackError(f"there is no image {image_name(self.program)}")

    def command(self) -> list[str]:
        ops = {"OPS_HOST": "127.0.0.1", "OPS_PORT": str(self.ports["ops"])}
        settings = [f"--env={name}={value}" for name, value in (ops | self.settings).items()]
        mounts = [f"--volume={self.streams}:/etc/tweetmesh/streams:ro", f"--volume={self.sockets}:/run/tweetmesh"]
        name = f"--name={self.container}"
        return ["podman", "run", "--rm", name, *CONFINED, *mounts, *settings, image_name(self.program)]

    def environment(self) -> dict[str, str]:
        return self.engine.environment

    def processes(self) -> list[dict[str, str]]:
        """/proc/PID/status of what runs in the container, as the kernel tells it outside."""
        found = self.engine.run("podman", "inspect", "--format={{.State.Pid}}", self.container).stdout.split()
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in found]
        return [dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line) for text in texts]


class Contained(Tested):
    """A mesh under test whose programs are containers."""

    def __init__(self, folder: Path, servers: Mesh, engine: Engine) -> None:
        super().__init__(folder, servers)
        self.engine = engine
        sockets = folder / "sockets"
        sockets.mkdir()
        os.chown(sockets, USER, USER)
        for name, program in self.mesh.programs.items():
            self.mesh.programs[name] = Container(program, engine, sockets)

    def audit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The audit program in its container, against this mesh."""
        settings = self.mesh.store_settings()
        streams = settings.pop("STREAMS_DIR")
        options = [f"--env={name}={value}" for name, value in settings.items()]
        options.append(f"--volume={streams}:/etc/tweetmesh/streams:ro")
        return ran(self.engine, "audit", *arguments, options=options)
