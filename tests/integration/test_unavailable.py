# SPDX-License-Identifier: Apache-2.0
"""Goal: 503 means certainly not stored, 504 means unknown, and both end well when retried.

Method: take away grpc-server, stop Kafka, freeze Kafka by SIGSTOP; then look into Kafka for what was refused.
"""

from __future__ import annotations

import time

from support.events import tweet, tweets
from support.http import Answer, expect_problem
from support.tested import Tested
from support.waiting import wait_for

from stack.mesh import Mesh
from stack.ports import free_port
from stack.process import poll_until


def texts_in_kafka(mesh: Tested) -> set[str]:
    return {record.event["text"] for record in mesh.judge.records(mesh.stream.topic)}


def post_until_taken(mesh: Tested, event: dict, **headers: str) -> Answer:
    def taken() -> Answer | None:
        answer = mesh.client().post("/input", event, **headers)
        return answer if answer.status == 202 else None

    return wait_for("the mesh takes events again", taken, 60)


def test_without_grpc_server_it_is_503_and_nothing_is_stored(make_mesh) -> None:
    mesh = make_mesh()
    mesh["grpc-server"].stop()
    mesh["api"].wait_not_ready()
    for number in range(5):
        expect_problem(mesh.client().post("/input", {"text": f"refused {number}", "country": "US"}), 503)
    answer = mesh.client().post("/input", [{"text": "refused batch", "country": "US"}] * 3)
    expect_problem(answer, 503)
    mesh["grpc-server"].start()
    post_until_taken(mesh, {"text": "taken", "country": "US"})
    assert texts_in_kafka(mesh) == {"taken"}
    assert mesh["api"].is_ready()


def test_bad_input_is_still_422_without_grpc_server(make_mesh) -> None:
    mesh = make_mesh("ws-redis", "grpc-server", "api")
    mesh["grpc-server"].stop()
    mesh["api"].wait_not_ready()
    answer = mesh.client().post("/input", {"text": 1})
    assert answer.status in (422, 503)
    expect_problem(answer, answer.status)


def test_without_any_broker_nothing_is_ready_and_it_is_503(make_mesh) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    mesh = make_mesh("none", settings={"grpc-server": {"KAFKA_BROKERS": nowhere}})
    for name in ("grpc-server", "api"):
        mesh[name].prepare()
        mesh[name].launch()
    client = mesh.client()

    def answered() -> Answer | None:
        try:
            return client.post("/input", tweet())
        except ConnectionError:
            return None

    expect_problem(wait_for("api answers", answered), 503)
    assert not mesh["api"].is_ready()
    assert not mesh["grpc-server"].is_ready()
    assert mesh["grpc-server"].get("/healthz")[0] == 200
    assert mesh.stored() == 0


def test_a_stopped_broker_is_503_and_what_was_refused_is_never_stored(make_mesh, own_servers: Mesh) -> None:
    mesh = make_mesh()
    assert mesh.client().post("/input", {"text": "before", "country": "US"}).status == 202
    own_servers.kafka.stop()
    refused, unknown = set(), set()
    try:
        mesh["grpc-server"].wait_not_ready(60)
        for number in range(20):
            text = f"while away {number}"
            answer = mesh.client().post("/input", {"text": text, "country": "US"})
            assert answer.status in (503, 504), answer.body
            expect_problem(answer, answer.status)
            (refused if answer.status == 503 else unknown).add(text)
        assert refused, "no request was refused with 503"
        began = time.monotonic()
        expect_problem(mesh.client().post("/input", {"text": "fast no", "country": "US"}), 503)
        assert time.monotonic() - began < 5, "a refusal at the edge must not wait for a deadline"
    finally:
        own_servers.kafka.start()
    post_until_taken(mesh, {"text": "after", "country": "US"})
    found = texts_in_kafka(mesh)
    assert {"before", "after"} <= found
    assert not found & (refused | {"fast no"}), "503 was answered for what is stored"
    mesh.judge.expect_equal(mesh.stream)


def test_a_frozen_broker_is_504_and_the_retry_is_the_same_event(make_mesh, own_servers: Mesh) -> None:
    settings = {"api": {"REQUEST_MS_MAX": "2500"}, "grpc-server": {"DELIVERY_MS_MAX": "1500"}}
    mesh = make_mesh(settings=settings)
    assert mesh.client().post("/input", {"text": "warm", "country": "US"}).status == 202
    own_servers.kafka.pause()
    try:
        event = {"text": "unknown", "country": "Japan"}
        answer = mesh.client().post("/input", event, Idempotency_Key="frozen-1")
        expect_problem(answer, 504)
    finally:
        own_servers.kafka.resume()
    first = post_until_taken(mesh, event, Idempotency_Key="frozen-1").json["id"]
    again = post_until_taken(mesh, event, Idempotency_Key="frozen-1").json["id"]
    assert first == again
    documents = mesh.judge.expect_equal(mesh.stream, 2)
    assert first in documents
    assert mesh.judge.counts(mesh.stream).groups == {"Japan": 1, "United States": 1}


def test_a_full_queue_is_503_at_once(make_mesh, own_servers: Mesh) -> None:
    """Backpressure: with Kafka frozen and a tiny queue the rest is refused, and what was taken is stored."""
    settings = {"grpc-server": {"QUEUE_LEN_MAX": "50", "DELIVERY_MS_MAX": "8000"}}
    mesh = make_mesh(settings=settings)
    assert mesh.client().post("/input", tweet()).status == 202
    own_servers.kafka.pause()
    try:
        answer = mesh.client().post("/input", tweets(500))
    finally:
        own_servers.kafka.resume()
    assert answer.status in (207, 503, 504), answer.body[:300]
    if answer.status == 207:
        statuses = {result["problem"]["status"] for result in answer.json["results"] if "problem" in result}
        assert statuses <= {503, 504} and 503 in statuses
        refused = answer.json["rejected"]
        assert mesh.stored() - 1 <= 500 - sum(
            result.get("problem", {}).get("status") == 503 for result in answer.json["results"]
        ), f"{refused} were refused, but Kafka holds {mesh.stored()}"
    post_until_taken(mesh, tweet())
    mesh.judge.expect_equal(mesh.stream)


def test_ready_follows_the_broker(make_mesh, own_servers: Mesh) -> None:
    mesh = make_mesh()
    own_servers.kafka.stop()
    try:
        mesh["grpc-server"].wait_not_ready(60)
        mesh["api"].wait_not_ready(60)
        assert all(mesh[name].get("/healthz")[0] == 200 for name in ("api", "grpc-server", "kafka-consumer"))
    finally:
        own_servers.kafka.start()
    for name in ("grpc-server", "api", "kafka-consumer"):
        mesh[name].wait_ready(60)


def test_a_frozen_grpc_server_does_not_hold_requests_beyond_their_deadline(make_mesh) -> None:
    mesh = make_mesh("ws-redis", "grpc-server", "api", settings={"api": {"REQUEST_MS_MAX": "1500"}})
    assert mesh.client().post("/input", tweet()).status == 202
    mesh["grpc-server"].pause()
    try:
        answer = mesh.client().post("/input", tweet())
        assert answer.status in (503, 504)
        expect_problem(answer, answer.status)
    finally:
        mesh["grpc-server"].resume()
    for _ in poll_until(30):
        if mesh.client().post("/input", tweet()).status == 202:
            break
    else:
        raise AssertionError("the mesh did not recover")
