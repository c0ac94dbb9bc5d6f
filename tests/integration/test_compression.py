# SPDX-License-Identifier: Apache-2.0
"""Goal: events that are compressed for Kafka are counted and archived as others are, and take less room there.

Method: grpc-server with each KAFKA_COMPRESSION; the size of the topic's log on the broker's disk; the audit.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support.events import tweets
from support.tested import Tested

from stack.kafka_log import compression_types, log_bytes
from stack.mesh import Mesh

EVENTS = 300


def kept(servers: Mesh, make_mesh: Callable[..., Tested], compression: str) -> int:
    """The bytes that Kafka keeps of a load, once the audit has found it whole."""
    mesh = make_mesh(settings={"grpc-server": {"KAFKA_COMPRESSION": compression}})
    client = mesh.client()
    events = tweets(EVENTS)
    for start in range(0, EVENTS, 100):
        assert client.post("/input", events[start : start + 100]).status == 202
    mesh.judge.expect_equal(mesh.stream, EVENTS)
    audit = mesh.mesh.audit("--json", "--wait", "30")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert json.loads(audit.stdout)["streams"][mesh.stream.name]["kafka_events"] == EVENTS
    expected = "none" if compression == "auto" else compression  # nothing is encrypted here
    assert compression_types(servers.kafka, mesh.stream.topic) == {expected}
    return log_bytes(servers.kafka, mesh.stream.topic)


def test_each_type_is_counted_archived_and_smaller(own_servers: Mesh, make_mesh: Callable[..., Tested]) -> None:
    plain = kept(own_servers, make_mesh, "none")
    assert plain > EVENTS * 100
    assert kept(own_servers, make_mesh, "auto") > 0.9 * plain
    for compression in ("gzip", "snappy", "lz4", "zstd"):
        assert kept(own_servers, make_mesh, compression) < 0.7 * plain, compression


@pytest.mark.parametrize("wrong", ["brotli", "LZ4", "", "lz4 "])
def test_another_type_is_refused(run_program, wrong: str) -> None:
    done = run_program("grpc-server", "--check-config", KAFKA_COMPRESSION=wrong, STREAMS_DIR="streams")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "KAFKA_COMPRESSION" in done.stderr
