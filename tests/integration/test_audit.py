# SPDX-License-Identifier: Apache-2.0
"""Goal: the audit sees every difference between Kafka, Redis and MongoDB, and says where it is.

Method: make the stores equal, then falsify one of them while no program runs.
"""

from __future__ import annotations

import json
import uuid

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


def test_one_lost_and_one_foreign_in_a_group_are_both_named(at_rest: Tested) -> None:
    """The counts agree in every group; only the ids tell."""
    mesh = at_rest
    collection = mesh.judge.database[mesh.stream.collection]
    lost = collection.find_one_and_delete({"country": "Japan"})
    stranger = lost | {"_id": str(uuid.uuid4())}
    collection.insert_one(stranger)
    said = audited(mesh, 1)
    assert (said["equal"], said["groups_differing"], said["mongo"]) == (False, 0, 300)
    assert (said["missing"], said["foreign"]) == (1, 1)
    assert said["differences"] == [{"missing": [lost["_id"]]}, {"foreign": [stranger["_id"]]}]
    report = mesh.mesh.audit()
    assert report.returncode == 1
    assert lost["_id"] in report.stdout and stranger["_id"] in report.stdout

    collection.delete_one({"_id": stranger["_id"]})
    collection.insert_one(lost)
    said = audited(mesh, 0)
    assert (said["equal"], said["missing"], said["foreign"], said["differences"]) == (True, 0, 0, [])


def test_documents_that_are_not_ours_are_foreign(at_rest: Tested) -> None:
    """Whatever their _id is; at most ten are named, all are counted."""
    mesh = at_rest
    collection = mesh.judge.database[mesh.stream.collection]
    for stranger in ({"country": "Japan"}, {"_id": 7, "kafka": "none"}, {"_id": "x" * 100}):
        number = collection.insert_one(stranger).inserted_id
        said = audited(mesh, 1)
        assert (said["mongo"], said["missing"], said["foreign"]) == (301, 0, 1)
        collection.delete_one({"_id": number})
    shouting = [{"_id": document["_id"].upper()} for document in collection.find().limit(20)]
    collection.insert_many(shouting)
    said = audited(mesh, 1)
    assert (said["missing"], said["foreign"]) == (0, 20)
    named = next(entry["foreign"] for entry in said["differences"] if "foreign" in entry)
    assert len(set(named)) == 10 and set(named) <= {document["_id"] for document in shouting}


def test_an_event_counts_in_the_group_of_its_archived_record(make_mesh) -> None:
    """Records of one id that name different countries: the archive keeps one, and says which."""
    mesh = make_mesh("kafka-consumer")
    events = [
        {"id": str(uuid.UUID(int=at, version=4)), "received_at": "2026-01-02T03:04:05.678Z", "text": "x"}
        for at in range(40)
    ]
    for partition, country in ((0, "Spain"), (1, "Japan"), (1, "Spain")):
        values = [json.dumps(event | {"country": country}).encode() for event in events]
        mesh.judge.produce(mesh.stream.topic, values, partition=partition)
    done = mesh.mesh.audit("--json", "--wait", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)["streams"][mesh.stream.name]
    assert (said["kafka_records"], said["kafka_events"], said["repeated"]) == (120, 40, 80)

    archived = next(iter(mesh.judge.documents(mesh.stream).values()))
    other = "Japan" if archived["country"] == "Spain" else "Spain"
    collection = mesh.judge.database[mesh.stream.collection]
    collection.update_one({"_id": archived["_id"]}, {"$set": {"country": other}})
    assert audited(mesh, 1)["groups_differing"] == 2


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
