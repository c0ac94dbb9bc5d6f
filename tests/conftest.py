# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one Kafka, Redis and MongoDB for the whole run; meshes of our programs per test or module."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.events import real_tweets_path
from support.tested import Tested, build_folder

from stack.component import External
from stack.mesh import Mesh, Options

MakeMesh = Callable[..., Tested]
REAL_TWEETS_TEST = "test_real_tweets.py"


def pytest_report_header() -> list[str]:
    return [f"programs: {build_folder()}", f"real tweets: {real_tweets_path()}"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """./mesh test shows this line in its summary."""
    if not real_tweets_path().is_file():
        terminalreporter.write_line(f"left out: {REAL_TWEETS_TEST}, for there is no {real_tweets_path()}")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if collection_path.name == REAL_TWEETS_TEST and not real_tweets_path().is_file():
        return True
    return None


@pytest.fixture(scope="session")
def build() -> Path:
    """The folder with our binaries."""
    return build_folder()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Kafka, Redis and MongoDB, started once (or used, where KAFKA_BROKERS and so on say so)."""
    mesh = Mesh(tmp_path_factory.mktemp("servers"), Options(external=Options.external_from_environment()))
    try:
        mesh.start_servers()
        yield mesh
    finally:
        mesh.stop()


@pytest.fixture
def own_servers(servers: Mesh) -> Mesh:
    """The servers, for tests that stop and pause them."""
    if any(isinstance(server, External) for server in servers.servers):
        pytest.skip("Kafka, Redis or MongoDB is external: not ours to stop")
    return servers


def _maker(servers: Mesh, root: Path, made: list[Tested]) -> MakeMesh:
    def make(*programs: str, settings: dict | None = None, stream: dict | None = None) -> Tested:
        """A mesh with a stream of its own; starts these programs (all, unless told; "none" for none)."""
        tested = Tested(root / secrets.token_hex(3), servers, settings=settings, stream=stream)
        made.append(tested)
        return tested if programs == ("none",) else tested.start(*programs)

    return make


def _close(made: list[Tested]) -> None:
    faults = []
    for tested in made:
        try:
            tested.close()
        except AssertionError as error:
            faults.append(str(error))
    assert not faults, "\n".join(faults)


@pytest.fixture
def make_mesh(servers: Mesh, tmp_path: Path) -> Iterator[MakeMesh]:
    """Makes meshes that live as long as the test."""
    made: list[Tested] = []
    yield _maker(servers, tmp_path, made)
    _close(made)


@pytest.fixture(scope="module")
def make_module_mesh(servers: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeMesh]:
    """Makes meshes that live as long as the module."""
    made: list[Tested] = []
    yield _maker(servers, tmp_path_factory.mktemp("module"), made)
    _close(made)


@pytest.fixture
def mesh(make_mesh: MakeMesh) -> Tested:
    """All four programs, for one test alone."""
    return make_mesh()


@pytest.fixture(scope="module")
def shared_mesh(make_module_mesh: MakeMesh) -> Tested:
    """All four programs, shared by the tests of a module, which count what they add."""
    return make_module_mesh()


@pytest.fixture(scope="session")
def run_program(build: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program of ours to its end, with nothing in the environment but what is given."""

    def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            [str(build / program / program), *arguments],
            env=kept | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
