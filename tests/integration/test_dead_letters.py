# SPDX-License-Identifier: Apache-2.0
"""Goal: a record that cannot be archived is put aside with its reason, and all others go on.

Method: put poison of several kinds straight into Kafka, between good events.
"""

from __future__ import annotations

import json
import uuid

from support.events import tweets
from support.tested import Tested
from support.waiting import wait_for

GOOD_ID = str(uuid.UUID(int=7, version=4))
POISON = [
    b"not json",
    b"",
    b"\xff\xfe",
    b"[1, 2]",
    b'"text"',
    b'{"text": "no id", "country": "US"}',
    b'{"id": "not-a-uuid", "received_at": "2026-01-01T00:00:00.000Z", "text": "x", "country": "US"}',
    json.dumps({"id": GOOD_ID, "received_at": "some day", "text": "x", "country": "US"}).encode(),
    json.dumps({"id": GOOD_ID, "text": "x", "country": "US"}).encode(),
    b"{" * 50_000,
]


def test_poison_lands_in_the_dlq_and_the_rest_goes_on(mesh: Tested) -> None:
    client = mesh.client()
    good = {result["id"] for result in client.post("/input", tweets(50)).json["results"]}
    for number, value in enumerate(POISON):
        mesh.judge.produce(mesh.stream.topic, [value], partition=number % 4)
    good |= {result["id"] for result in client.post("/input", tweets(50)).json["results"]}

    dlq = mesh.stream.dlq_topic
    wait_for("all poison is put aside", lambda: sum(mesh.judge.ends(dlq).values()) >= len(POISON))
    letters = mesh.judge.records(dlq)
    assert sorted(letter.value or b"" for letter in letters) == sorted(POISON), "the record is kept as it was"
    in_topic = {(record.partition, record.offset): record for record in mesh.judge.records(mesh.stream.topic)}
    for letter in letters:
        headers = letter.headers
        assert headers["error"], headers
        assert headers["topic"] == mesh.stream.topic
        origin = in_topic[int(headers["partition"]), int(headers["offset"])]
        assert (origin.value or b"") == (letter.value or b"")

    wait_for("good events are archived", lambda: set(mesh.judge.documents(mesh.stream)) == good)
    ends = mesh.judge.ends(mesh.stream.topic)
    wait_for("poison is settled, too", lambda: mesh.judge.counts(mesh.stream).watermarks == ends)
    assert mesh.judge.counts(mesh.stream).total == 100
    wait_for("all is committed", lambda: mesh.judge.committed(mesh.stream.topic, mesh.group) == ends)
    audit = mesh.mesh.audit("--json", "--wait", "30")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_a_record_that_other_producers_wrote_is_archived(make_mesh) -> None:
    """Anything with a good id and received_at counts, also what the schema of today would refuse."""
    mesh = make_mesh("kafka-consumer")
    event = {"id": GOOD_ID, "received_at": "2026-01-02T03:04:05.678Z", "text": "x", "country": "Spain", "lang": "es"}
    mesh.judge.produce(mesh.stream.topic, [json.dumps(event).encode()])
    mesh.judge.expect_equal(mesh.stream, 1)
    assert mesh.judge.documents(mesh.stream)[GOOD_ID]["lang"] == "es"
    assert sum(mesh.judge.ends(mesh.stream.dlq_topic).values()) == 0


def test_the_same_event_twice_in_kafka_is_one_document_and_one_count(make_mesh) -> None:
    mesh = make_mesh("kafka-consumer")
    event = {"id": GOOD_ID, "received_at": "2026-01-02T03:04:05.678Z", "text": "x", "country": "Spain"}
    for partition in (0, 0, 1, 3, 1):
        mesh.judge.produce(mesh.stream.topic, [json.dumps(event).encode()], partition=partition)
    other = event | {"id": str(uuid.UUID(int=8, version=4)), "country": "Japan"}
    mesh.judge.produce(mesh.stream.topic, [json.dumps(other).encode()])
    mesh.judge.expect_equal(mesh.stream, 2)
    assert mesh.judge.counts(mesh.stream).groups == {"Spain": 1, "Japan": 1}
