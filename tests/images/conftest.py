# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the images, built from the tree as it is, and meshes whose programs are containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from images.containers import Contained, Unpacked
from stack.cache import locked
from stack.mesh import Mesh
from tools.mesh.images import Engine, build_images


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """buildah and podman, with all images up to date and no container of an earlier run."""
    engine = Engine()
    with locked(engine.folder / "tests.lock", "testing images"):
        build_images(engine)
        remove_containers(engine)
        yield engine
        remove_containers(engine)


def remove_containers(engine: Engine) -> None:
    for things in ("pod", "container"):
        engine.run("podman", things, "rm", "--all", "--force", "--time=5")


@pytest.fixture(scope="session")
def unpacked(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Unpacked]:
    """What is in the image of a program."""
    known: dict[str, Unpacked] = {}

    def unpack(program: str) -> Unpacked:
        if program not in known:
            known[program] = Unpacked.of(engine, program, tmp_path_factory.mktemp(program))
        return known[program]

    return unpack


@pytest.fixture
def contained(engine: Engine, servers: Mesh, tmp_path: Path) -> Iterator[Contained]:
    """Our four programs, not yet started, each to run in its container."""
    mesh = Contained(tmp_path / "contained", servers, engine)
    yield mesh
    mesh.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever comes first waits for a compiler, and for packages when nothing is cached yet."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(1800))
