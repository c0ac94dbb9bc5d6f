# SPDX-License-Identifier: Apache-2.0
"""Goal: what comes in over HTTP, in every form allowed, is in Kafka, MongoDB and Redis as promised.

Method: one mesh; each test sends one form and looks at Kafka and MongoDB by other clients.
"""

from __future__ import annotations

import gzip
import json
import re
import time
import uuid
from collections import Counter
from datetime import UTC, datetime

import pytest
from support.events import encode, groups, ndjson, tweet, tweets
from support.http import JSON, NDJSON, Answer
from support.judges import Record
from support.tested import Tested
from support.waiting import wait_for

UUID_V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def record_of(mesh: Tested, taken: dict) -> Record:
    """The record at the partition and offset that an answer names."""
    found = [
        record
        for record in mesh.judge.records(mesh.stream.topic)
        if (record.partition, record.offset) == (taken["partition"], taken["offset"])
    ]
    assert len(found) == 1, f"no record at {taken}"
    return found[0]


def document_of(mesh: Tested, event_id: str) -> dict:
    collection = mesh.judge.database[mesh.stream.collection]
    return wait_for(f"the archive has {event_id}", lambda: collection.find_one({"_id": event_id}))


def expect_taken(answer: Answer, count: int) -> list[dict]:
    assert answer.status == 202, answer.body
    body = answer.json
    assert (body["accepted"], body["rejected"], len(body["results"])) == (count, 0, count)
    return body["results"]


def test_one_event_is_where_the_answer_says(shared_mesh: Tested) -> None:
    before_ms = time.time_ns() // 1_000_000
    event = {"text": 'Bäume "im" Regen \\ 🌧\n', "country": "gt", "user": "ana", "created_at": "2026-01-02T03:04:05Z"}
    answer = shared_mesh.client().post("/input", event)
    assert answer.status == 202, answer.body
    assert answer.headers["content-type"].split(";")[0] == JSON
    taken = answer.json
    assert set(taken) == {"id", "partition", "offset"}
    assert UUID_V7.fullmatch(taken["id"])
    assert str(uuid.UUID(taken["id"])) == taken["id"]

    record = record_of(shared_mesh, taken)
    value = record.event
    received = datetime.strptime(value["received_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    received_ms = round(received.timestamp() * 1000)
    assert list(value) == ["id", "received_at", "text", "country", "user", "created_at"]
    assert value["id"] == taken["id"]
    assert {name: value[name] for name in event} == event | {"country": "Guatemala"}
    assert before_ms <= received_ms <= time.time_ns() // 1_000_000
    assert record.timestamp_ms == received_ms
    assert not record.key
    assert record.headers == {}

    document = document_of(shared_mesh, taken["id"])
    assert document["text"] == event["text"]
    assert document["country"] == "Guatemala"
    assert document["received_at"].replace(tzinfo=UTC) == received
    where = {"topic": shared_mesh.stream.topic, "partition": taken["partition"], "offset": taken["offset"]}
    assert {name: document["kafka"][name] for name in where} == where


def test_spanish_field_names_mean_the_same(shared_mesh: Tested) -> None:
    answer = shared_mesh.client().post("/input", {"texto": "llueve en Quetzaltenango", "pais": "Estados Unidos"})
    assert answer.status == 202, answer.body
    document = document_of(shared_mesh, answer.json["id"])
    assert (document["text"], document["country"]) == ("llueve en Quetzaltenango", "United States")
    assert "texto" not in document and "pais" not in document


def test_an_unknown_country_is_kept_as_sent(shared_mesh: Tested) -> None:
    answer = shared_mesh.client().post("/input", {"text": "snow", "country": "Narnia"})
    assert document_of(shared_mesh, answer.json["id"])["country"] == "Narnia"


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_an_array_gets_a_result_for_each_event(shared_mesh: Tested, count: int) -> None:
    results = expect_taken(shared_mesh.client().post("/input", tweets(count)), count)
    assert len({result["id"] for result in results}) == count
    assert len({(result["partition"], result["offset"]) for result in results}) == count
    assert record_of(shared_mesh, results[-1]).event["text"] == tweet(count - 1)["text"]


def test_ndjson_gets_a_result_for_each_line(shared_mesh: Tested) -> None:
    results = expect_taken(shared_mesh.client().post("/input", ndjson(tweets(25)), NDJSON), 25)
    assert record_of(shared_mesh, results[7]).event["text"] == tweet(7)["text"]


def test_ndjson_copes_with_blank_lines_and_no_last_newline(shared_mesh: Tested) -> None:
    body = encode(tweet(1)) + b"\r\n\n" + encode(tweet(2))
    expect_taken(shared_mesh.client().post("/input", body, NDJSON), 2)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"']
)
def test_the_usual_spellings_of_json_are_taken(shared_mesh: Tested, content_type: str) -> None:
    assert shared_mesh.client().post("/input", tweet(), content_type).status == 202


def test_gzip_is_unpacked(shared_mesh: Tested) -> None:
    client = shared_mesh.client()
    one = client.post("/input", gzip.compress(encode(tweet(3))), Content_Encoding="gzip")
    assert one.status == 202, one.body
    assert record_of(shared_mesh, one.json).event["text"] == tweet(3)["text"]
    many = client.post("/input", gzip.compress(ndjson(tweets(500))), NDJSON, Content_Encoding="gzip")
    expect_taken(many, 500)


def test_a_chunked_body_is_taken(shared_mesh: Tested) -> None:
    body = encode(tweets(3))
    parts = iter([body[:10], body[10:40], body[40:]])
    headers = {"Content-Type": JSON, "Transfer-Encoding": "chunked"}
    connection = shared_mesh.client()._connection
    connection.request("POST", "/input", parts, headers, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 202, response.read()
    assert json.loads(response.read())["accepted"] == 3


def test_the_largest_event_allowed_is_taken_whole(shared_mesh: Tested) -> None:
    text = "🌧" * 4000  # 4,000 code points, 16,000 bytes
    answer = shared_mesh.client().post("/input", {"text": text, "country": "US"})
    assert answer.status == 202, answer.body
    assert record_of(shared_mesh, answer.json).event["text"] == text


def test_one_connection_serves_many_requests(shared_mesh: Tested) -> None:
    client = shared_mesh.client()
    taken = [client.post("/input", tweet(number)).json["id"] for number in range(50)]
    assert len(set(taken)) == 50


def test_everything_sent_is_archived_and_counted_once(make_mesh) -> None:
    mesh = make_mesh()
    client = mesh.client()
    for event in tweets(60):
        assert client.post("/input", event).status == 202
    expect_taken(client.post("/input", tweets(700)), 700)
    expect_taken(client.post("/input", ndjson(tweets(240)), NDJSON), 240)
    mesh.judge.expect_equal(mesh.stream, 1000)
    expected = Counter(groups(60)) + Counter(groups(700)) + Counter(groups(240))
    assert mesh.judge.counts(mesh.stream).groups == dict(expected)
    audit = mesh.mesh.audit("--json", "--wait", "30")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    said = json.loads(audit.stdout)["streams"][mesh.stream.name]
    figures = {"kafka_records": 1000, "kafka_events": 1000, "redis": 1000, "mongo": 1000}
    assert said == said | figures | {"groups_differing": 0, "equal": True}


def test_events_are_counted_before_they_are_archived(make_mesh) -> None:
    """The WebSocket makes counters fast: they are there while no consumer runs."""
    mesh = make_mesh("ws-redis", "grpc-server", "api")
    expect_taken(mesh.client().post("/input", tweets(100)), 100)
    wait_for("hints were counted", lambda: mesh.judge.counts(mesh.stream).total == 100)
    assert mesh.judge.counts(mesh.stream).groups == groups(100)
    mesh.start("kafka-consumer")
    mesh.judge.expect_equal(mesh.stream, 100)


def test_events_are_counted_without_any_hint(make_mesh) -> None:
    """The log decides: without ws-redis the settle pass counts all, and api is ready and works."""
    mesh = make_mesh("grpc-server", "kafka-consumer", "api")
    expect_taken(mesh.client().post("/input", tweets(100)), 100)
    mesh.judge.expect_equal(mesh.stream, 100)
