# SPDX-License-Identifier: Apache-2.0
"""For the tests of ./mesh and the stack: the three servers, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stack.mesh import Mesh, Options


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Kafka, Redis and MongoDB of our own, whatever the environment says."""
    mesh = Mesh(tmp_path_factory.mktemp("servers"), Options())
    try:
        mesh.start_servers()
        yield mesh
    finally:
        mesh.stop()
