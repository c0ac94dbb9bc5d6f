# SPDX-License-Identifier: Apache-2.0
"""images: the container images, built from the Dockerfile without a registry and without Docker.

buildah and podman of the platform do it, as root, with a store of their own in the cache folder. What the
Dockerfile calls debian:13 is made by mmdebstrap; what building needs is installed into it once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.cache import cache_folder, cached, locked, run_step, say
from stack.mesh import PROJECT
from stack.process import StackError

PROGRAMS = ("api", "grpc-server", "ws-redis", "kafka-consumer", "audit", "recount")
SUITE = "trixie"
BASE = "docker.io/library/debian:13"
COMPILED = "localhost/tweetmesh/build"  # all programs at once, with what compiled them
PAUSE = "localhost/tweetmesh/pause"  # what podman starts first in a pod; tests that play pods make it
BASE_RECIPE = 1  # count up when bases made earlier will not do any more
EPOCH = 1767225600  # as in the Dockerfile
MB_GOAL = 40


def version() -> str:
    """The project's, as CMakeLists.txt says."""
    return re.search(r"project\(tweetmesh VERSION ([\d.]+)", (PROJECT / "CMakeLists.txt").read_text())[1]


def image_name(program: str) -> str:
    return f"localhost/tweetmesh/{program}:{version()}"


@dataclass(frozen=True)
class Size:
    """What an image's layers come to, in bytes."""

    compressed: int
    unpacked: int


class Engine:
    """buildah and podman with one store. Only one run at a time may build."""

    def __init__(self) -> None:
        self.folder = cache_folder() / "containers"
        self.log = self.folder / "build.log"
        if os.geteuid() != 0:
            raise StackError("images are built here by buildah as root; as yourself, use docker buildx bake")
        for tool in ("buildah", "podman", "runc", "mmdebstrap"):
            if not shutil.which(tool):
                raise StackError(f"{tool} is missing; packages.txt lists it")
        for name in ("root", "run", "runtime", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.environment = {**os.environ, **self._settings()}

    def _settings(self) -> dict[str, str]:
        """Writes the tools' configuration; the variables that name it."""
        # No limit may be raised where root lacks CAP_SYS_RESOURCE; so none is left to the default.
        limits = '["nofile=16384:16384", "nproc=16384:16384"]'
        engine = {
            "runtime": "runc",
            "cgroup_manager": "cgroupfs",
            "events_logger": "file",
            "tmp_dir": f"{self.folder}/run/libpod",
            "static_dir": f"{self.folder}/root/libpod",
            "volume_path": f"{self.folder}/root/volumes",
            "infra_image": PAUSE,
        }
        lines = [f'{name} = "{value}"' for name, value in engine.items()]
        containers = "\n".join(["[containers]", f"default_ulimits = {limits}", "[engine]", *lines, ""])
        storage = f'[storage]\ndriver = "overlay"\ngraphroot = "{self.folder}/root"\nrunroot = "{self.folder}/run"\n'
        (self.folder / "containers.conf").write_text(containers)
        (self.folder / "storage.conf").write_text(storage)
        return {
            "CONTAINERS_CONF": f"{self.folder}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{self.folder}/storage.conf",
            "XDG_RUNTIME_DIR": f"{self.folder}/runtime",
            "TMPDIR": f"{self.folder}/tmp",
            "BUILDAH_ISOLATION": "chroot",
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        }

    def run(self, *words: str, check: bool = True, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """A short command; what it printed."""
        done = subprocess.run(
            list(words), env=self.environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        if check and done.returncode != 0:
            raise StackError(f"{' '.join(words[:4])} … failed (exit code {done.returncode}):\n{done.stderr[-2000:]}")
        return done

    def step(self, text: str, *words: str) -> None:
        """A long command, its output in the log."""
        run_step(text, list(words), log=self.log, cwd=PROJECT, env=self.environment)

    @contextmanager
    def alone(self) -> Iterator[None]:
        with locked(self.folder / "lock", "building images"):
            self.log.unlink(missing_ok=True)
            yield

    def has(self, image: str) -> bool:
        return self.run("podman", "image", "exists", image, check=False).returncode == 0

    def inspect(self, image: str) -> dict:
        return json.loads(self.run("podman", "image", "inspect", image).stdout)[0]

    def size(self, image: str) -> Size:
        """As a registry would get it."""
        layout = self.folder / "tmp/layout"
        shutil.rmtree(layout, ignore_errors=True)
        self.run("buildah", "push", image, f"oci:{layout}:image")
        blobs = layout / "blobs/sha256"

        def blob(digest: str) -> dict:
            return json.loads((blobs / digest.removeprefix("sha256:")).read_text())

        manifest = blob(json.loads((layout / "index.json").read_text())["manifests"][0]["digest"])
        compressed = sum(layer["size"] for layer in manifest["layers"])
        shutil.rmtree(layout)
        return Size(compressed, self.inspect(image)["Size"])


def base_archive() -> Path:
    """A tar of Debian 13 as minimal as the official image."""

    def make(folder: Path, log: Path) -> None:
        # The platform's own mirror, where ./mesh has made the platform; else mmdebstrap's default.
        sources = [line for line in read_lines("/etc/apt/sources.list") if line.startswith("deb ")]
        sources = sources if os.environ.get("TWEETMESH_ROOT") else []
        options = ["--mode=root", "--variant=minbase", '--aptopt=Acquire::Retries "5"']
        target = str(folder / "base.tar")
        run_step("making a Debian 13 base image", ["mmdebstrap", *options, SUITE, target, *sources], log=log)

    return cached(f"debian-{SUITE}-{BASE_RECIPE}", make, what="making a Debian 13 base image") / "base.tar"


def read_lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []


def revision() -> str:
    command = ["git", "-c", f"safe.directory={PROJECT}", "describe", "--always", "--dirty", "--abbrev=40"]
    found = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def build_stage(engine: Engine, stage: str, name: str, *options: str) -> None:
    """Builds a target of the Dockerfile and names it."""
    build = ["buildah", "build", "--pull=never", "--layers", "--timestamp", str(EPOCH), "--target", stage, "-t", name]
    arguments = [f"--build-arg=VERSION={version()}", f"--build-arg=REVISION={revision()}"]
    engine.step(f"building {stage}", *build, *arguments, *options, str(PROJECT))


def build_program(engine: Engine, program: str, compiled: str, name: str) -> None:
    """Makes a program's image from the image in which all were compiled.

    It takes a second or two and uses nothing kept: buildah compares a LABEL by its text, before ${REVISION} is put
    in, and so would take an earlier commit's.
    """
    build_stage(engine, program, name, "--no-cache", f"--build-context=build=container-image://{compiled}")


def build_images(engine: Engine, programs: tuple[str, ...] = PROGRAMS, *, fresh: bool = False) -> None:
    """Builds what has changed. The two stages that cost time are named, so that they are kept."""
    with engine.alone():
        if fresh:
            shutil.rmtree(base_archive().parent)
        if fresh or not engine.has(BASE):
            engine.step("importing the base image", "podman", "import", str(base_archive()), BASE)
        anew = ["--no-cache"] if fresh else []
        build_stage(engine, "platform", "localhost/tweetmesh/platform", *anew)
        build_stage(engine, "build", COMPILED)
        for program in programs:
            build_program(engine, program, COMPILED, image_name(program))
        engine.run("podman", "image", "prune", "--force")


def images_command(arguments: Namespace) -> int:
    engine = Engine()
    chosen = tuple(name for entry in arguments.only for name in entry.split(",")) or PROGRAMS
    if unknown := [name for name in chosen if name not in PROGRAMS]:
        raise StackError(f"no such program: {', '.join(unknown)}; there are {', '.join(PROGRAMS)}")
    build_images(engine, chosen, fresh=arguments.fresh)
    print(f"{'image':<40} {'compressed':>10} {'unpacked':>10}")
    too_big = 0
    for program in chosen:
        size = engine.size(image_name(program))
        too_big += size.compressed > MB_GOAL * 1e6
        print(f"{image_name(program):<40} {size.compressed / 1e6:>7.1f} MB {size.unpacked / 1e6:>7.1f} MB")
        if arguments.save:
            save(engine, program, arguments.save)
    say(f"the goal is {MB_GOAL} MB compressed each: {'missed' if too_big else 'met'}")
    return 0


def save(engine: Engine, program: str, folder: Path) -> None:
    """Writes an archive that docker load, podman load and ctr take."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{program}-{version()}.oci.tar"
    target.unlink(missing_ok=True)
    engine.run("podman", "save", "--format", "oci-archive", "-o", str(target.resolve()), image_name(program))
    print(f"  {target}")
