# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever was acknowledged can be archived as it is, in the form that the design declares.

Method: a stream with an open object; member names and values that JSON allows and BSON or MongoDB might not.
"""

from __future__ import annotations

import datetime
import json

import pytest
from support.events import tweets
from support.tested import Tested
from support.waiting import wait_for

OPEN_STREAM = {
    "path": "/things",
    "count_by": "kind",
    "schema": {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string", "enum": ["a", "b"]}, "more": {}},
    },
}

ODD = {
    "empty name": {"": 1},
    "dotted name": {"a.b": 1, ".": 2, "a.": 3},
    "dollar name": {"$set": 1, "$": 2, "$where": "1"},
    "nul in name": {"a\0b": 1},
    "nul in value": "a\0b",
    "names of ours": {"_id": 1, "id": 2, "kafka": 3, "received_at": 4},
    "unicode name": {"ключ 🔑": 1},
    "long name": {"x" * 3000: 1},
    "largest integers": [2**63 - 1, -(2**63), 2**53 + 1],
    "beyond 64 bits": [2**64, -(2**64)],
    "unsigned 64 bits": 2**64 - 1,
    "floats": [1.5, 1e308, 5e-324, -0.0, 0.1],
    "nothing": None,
    "nested": [{"x": [{"y": [1]}]}],  # arrays right inside arrays are more than FerretDB can
    "extended JSON": {"$oid": "507f1f77bcf86cd799439011"},
    "extended date": {"$date": "2026-01-01T00:00:00Z"},
}


@pytest.fixture(scope="module")
def things(make_module_mesh) -> Tested:
    return make_module_mesh(stream=OPEN_STREAM)


def archived(mesh: Tested, event_id: str) -> dict:
    collection = mesh.judge.database[mesh.stream.collection]
    return wait_for(f"{event_id} is archived", lambda: collection.find_one({"_id": event_id}), 15)


@pytest.mark.parametrize("oddity", ODD)
def test_odd_json_is_archived_as_it_is_or_refused(things: Tested, oddity: str) -> None:
    sent = {"kind": "a", "more": ODD[oddity]}
    answer = things.client().post("/things", sent)
    if answer.status == 202:
        assert archived(things, answer.json["id"])["more"] == ODD[oddity]
    else:
        assert answer.status in (400, 422), answer.body
    assert things.judge.ends(things.stream.dlq_topic) == {}, "an acknowledged event became a dead letter"


@pytest.mark.parametrize("name", ["_id", "id", "kafka", "received_at", "$set", "a.b", "", "a\0b", "trace"])
def test_names_of_ours_at_the_top_cannot_be_overwritten(things: Tested, name: str) -> None:
    sent = {"kind": "b", name: "theirs"}
    answer = things.client().post("/things", sent)
    if answer.status != 202:
        assert answer.status in (400, 422), answer.body
        return
    document = archived(things, answer.json["id"])
    assert document["_id"] == answer.json["id"]
    assert isinstance(document["received_at"], datetime.datetime)
    assert document["kafka"]["partition"] == answer.json["partition"]
    assert document[name] == "theirs", "what was acknowledged was not kept"


def test_everything_odd_was_counted(things: Tested) -> None:
    things.judge.expect_equal(things.stream, group_of=lambda kind: kind)
    assert things.judge.ends(things.stream.dlq_topic) == {}


def test_the_collection_has_its_indexes(make_mesh) -> None:
    mesh = make_mesh()
    assert mesh.client().post("/input", tweets(1)).status == 202
    mesh.judge.expect_equal(mesh.stream, 1)
    indexes = mesh.judge.database[mesh.stream.collection].index_information().values()
    keys = [index["key"] for index in indexes]
    assert [("received_at", -1)] in keys
    assert [("country", 1), ("received_at", -1)] in keys


def test_several_streams_side_by_side(make_mesh) -> None:
    """A second file in STREAMS_DIR is a second path, topic, collection and set of counters."""
    mesh = make_mesh("none")
    other = mesh.add_stream("things", **OPEN_STREAM)
    mesh.start()
    client = mesh.client()
    assert client.post("/input", tweets(30)).status == 202
    assert client.post("/things", [{"kind": "a"}] * 20 + [{"kind": "b"}] * 5).status == 202
    mesh.judge.expect_equal(mesh.stream, 30)
    mesh.judge.expect_equal(other, 25, group_of=lambda kind: kind)
    assert mesh.judge.counts(other).groups == {"a": 20, "b": 5}
    audit = mesh.mesh.audit("--json", "--wait", "30")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert set(json.loads(audit.stdout)["streams"]) == {mesh.stream.name, other.name}
