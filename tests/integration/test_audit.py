# SPDX-License-Identifier: Apache-2.0
"""Goal: the audit sees every difference between Kafka, Redis and MongoDB, and says where it is.

Method: make the stores equal, then falsify one of them while no program runs.
"""

from __future__ import annotations

import json

import pytest
from support.events import tweets
from support.tested import Tested


@pytest.fixture
def at_rest(mesh: Tested) -> Tested:
    """300 events everywhere, and nobody at work."""
    assert mesh.client().post("/input", tweets(300)).status == 202
    mesh.judge.expect_equal(mesh.stream, 300)
    for name in ("api", "grpc-server", "kafka-consumer", "ws-redis"):
        assert mesh[name].stop() == 0
    return mesh


def audited(mesh: Tested, code: int) -> dict:
    done = mesh.mesh.audit("--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)["streams"][mesh.stream.name]


def test_differences_are_found(at_rest: Tested) -> None:
    mesh = at_rest
    key = f"{{{mesh.stream.name}}}:state"
    collection = mesh.judge.database[mesh.stream.collection]
    assert audited(mesh, 0)["equal"] is True

    mesh.judge.redis.hincrby(key, "c:Guatemala", 1)
    mesh.judge.redis.hincrby(key, "c:Spain", -1)
    said = audited(mesh, 1)
    assert (said["equal"], said["groups_differing"]) == (False, 2)
    mesh.judge.redis.hincrby(key, "c:Guatemala", -1)
    mesh.judge.redis.hincrby(key, "c:Spain", 1)
    assert audited(mesh, 0)["equal"] is True

    lost = collection.find_one_and_delete({"country": "Japan"})
    said = audited(mesh, 1)
    assert (said["equal"], said["mongo"]) == (False, 299)
    collection.insert_one(lost)
    assert audited(mesh, 0)["equal"] is True


def test_the_report_for_people_names_the_stream(at_rest: Tested) -> None:
    done = at_rest.mesh.audit()
    assert done.returncode == 0
    assert at_rest.stream.name in done.stdout
    assert "300" in done.stdout


def test_wait_lets_the_lag_drain(mesh: Tested) -> None:
    mesh["kafka-consumer"].stop()
    assert mesh.client().post("/input", tweets(500)).status == 202
    assert audited(mesh, 1)["mongo"] == 0
    mesh["kafka-consumer"].launch()
    done = mesh.mesh.audit("--json", "--wait", "60")
    assert done.returncode == 0, done.stdout + done.stderr
