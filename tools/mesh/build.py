# SPDX-License-Identifier: Apache-2.0
"""build, format, shell: CMake through its presets, and clang-format."""

from __future__ import annotations

import os
import subprocess
from argparse import Namespace
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from stack.cache import cache_folder, locked, run_step
from stack.mesh import PROJECT
from stack.program import PROGRAMS as SERVICES

PROGRAMS = (*SERVICES, "audit", "recount", "openloop")
COMPILED_BYTES_MAX = "2G"


def project_files(*suffixes: str) -> list[Path]:
    """The files of the project that git knows or would take, as paths below the project."""
    command = ["git", "-c", f"safe.directory={PROJECT}", "ls-files", "-coz", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    paths = sorted({Path(name) for name in listed.split("\0") if name.endswith(suffixes)})
    return [path for path in paths if (PROJECT / path).is_file()]


def build_folder(preset: str) -> Path:
    return PROJECT / "build" / preset


def launcher() -> str:
    """What CMake puts before the compiler: ccache, with objects that all checkouts share."""
    settings = {
        "cache_dir": cache_folder() / "ccache",
        "max_size": COMPILED_BYTES_MAX,
        "base_dir": PROJECT,  # what lies below is called by its relative path, so that it is the same elsewhere
        "absolute_paths_in_stderr": "true",  # complaints name files as if ccache were not there
    }
    return ";".join(["ccache", *(f"{name}={value}" for name, value in settings.items())])


def build_commands(preset: str) -> list[list[str]]:
    """Not in the presets: whoever calls CMake himself, as the images do, compiles without a cache."""
    configure = ["cmake", "--preset", preset, f"-DCMAKE_C_COMPILER_LAUNCHER={launcher()}"]
    return [configure, ["cmake", "--build", "--preset", preset]]


def building(preset: str) -> AbstractContextManager[None]:
    """For around a build: only one at a time may be at work in a preset's folder."""
    folder = PROJECT / ".mesh"
    folder.mkdir(exist_ok=True)
    return locked(folder / f"build-{preset}.lock", f"building preset {preset}")


def build_quietly(preset: str, targets: Sequence[str] = PROGRAMS) -> Path:
    """Builds some targets (by default the programs, not the tests) with the output in a log. Any thread."""
    log = PROJECT / ".mesh" / f"build-{preset}.log"
    configure, build = build_commands(preset)
    with building(preset):
        log.unlink(missing_ok=True)
        run_step(f"configuring preset {preset}", configure, log=log, cwd=PROJECT)
        run_step(f"building preset {preset}", [*build, "--target", *targets], log=log, cwd=PROJECT)
    return build_folder(preset)


def binaries(preset: str) -> Path:
    """Where the programs to run are: what $TWEETMESH_BUILD names, else this preset's folder."""
    given = os.environ.get("TWEETMESH_BUILD")
    return (PROJECT / given).resolve() if given else build_folder(preset)


def given_or_built(preset: str) -> Path:
    """The same folder, whose programs are built first if it is the preset's. Any thread."""
    return binaries(preset) if os.environ.get("TWEETMESH_BUILD") else build_quietly(preset)


def build_command(arguments: Namespace) -> int:
    with building(arguments.preset):
        for command in build_commands(arguments.preset):
            code = subprocess.run(command, cwd=PROJECT, check=False).returncode
            if code != 0:
                return code
    return 0


def format_command(_arguments: Namespace) -> int:
    files = [str(path) for path in project_files(".c", ".h")]
    return subprocess.run(["clang-format", "-i", *files], cwd=PROJECT, check=False).returncode


def shell_command(arguments: Namespace) -> int:
    """Only where the system itself is the platform; else ./mesh has entered the root already."""
    command = [*arguments.command, *arguments.extra] or [os.environ.get("SHELL", "bash")]
    os.execvp(command[0], command)
