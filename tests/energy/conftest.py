# SPDX-License-Identifier: Apache-2.0
"""For the tests of energy: a mesh that runs under a name of its own, and ./mesh energy on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_kepler import FakeKepler
from support.tested import build_folder

from stack.mesh import PROJECT, Mesh, Options
from tools.mesh.running import mesh_folder

RUN_S_MAX = 240


@dataclass(frozen=True)
class Done:
    """What a run of ./mesh energy came to."""

    code: int
    out: str
    told: str  # on stderr
    figures: dict


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def running() -> Iterator[Mesh]:
    """All servers and programs, where `./mesh energy --name` finds them."""
    mesh = Mesh(mesh_folder(f"test-energy-{os.getpid()}"), Options(build=build_folder()))
    try:
        mesh.start()
        yield mesh
    finally:
        mesh.stop()
        shutil.rmtree(mesh.folder)


@pytest.fixture
def energy(tmp_path: Path) -> Run:
    """Runs ./mesh energy with these arguments; environment: KEPLER_URL or KEPLER, else there is none."""

    def run(*arguments: str, **environment: str) -> Done:
        file = tmp_path / "energy.json"
        file.unlink(missing_ok=True)
        command = ["python3", "-P", "-m", "tools.mesh", "energy", *arguments, "--json", str(file)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KEPLER")}
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env=kept | {"KEPLER": "no-such-kepler"} | environment,
            capture_output=True,
            text=True,
            timeout=RUN_S_MAX,
            check=False,
        )
        figures = json.loads(file.read_text()) if file.exists() else {}
        return Done(done.returncode, done.stdout, done.stderr, figures)

    return run


@pytest.fixture
def kepler() -> Iterator[FakeKepler]:
    with FakeKepler() as server:
        yield server
