# SPDX-License-Identifier: Apache-2.0
"""Fixtures: Kafka, Redis and MongoDB once, our programs on a stream of their own, and a judge that watches them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.tested import DATABASE, Tested, build_folder

from chaos.judge.client import JudgeProcess
from chaos.judge.protocol import Target
from chaos.tests.judged import Judged
from stack.mesh import Mesh, Options


def pytest_report_header() -> list[str]:
    return [f"programs: {build_folder()}"]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path_factory.mktemp("servers"), Options(external=Options.external_from_environment()))
    try:
        mesh.start_servers()
        yield mesh
    finally:
        mesh.stop()


@pytest.fixture(scope="module")
def judged(servers: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """A mesh of our programs for a module, and its judge. Who plants an error takes it back afterwards."""
    folder = tmp_path_factory.mktemp("judged")
    tested = Tested(folder, servers).start()
    judge = JudgeProcess(folder / "judge.log")
    try:
        judge.watch(target(tested))
        yield Judged(tested, judge, folder / "judge.log")
    finally:
        judge.close()
        tested.close()


def target(tested: Tested) -> Target:
    mesh, stream = tested.mesh, tested.stream
    return Target(
        http_ports=[tested.http_port],
        grpc_addresses=[mesh.grpc_address],
        live_url=mesh.ws_url,
        path=stream.path,
        stream=stream.name,
        topic=stream.topic,
        collection=stream.collection,
        database=DATABASE,
        count_by=stream.count_by,
        kafka=tested.servers.kafka.url,
        redis=tested.servers.redis.url,
        mongo=tested.servers.mongo.url,
        ops={name: program.url for name, program in mesh.programs.items()},
        state_file=str(Path(mesh.state_file)),
    )
