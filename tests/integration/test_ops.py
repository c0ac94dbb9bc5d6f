# SPDX-License-Identifier: Apache-2.0
"""Goal: every program's ops port tells the truth, in forms that monitoring understands.

Method: read /healthz, /readyz, /metrics and /status; take a dependency away and give it back.
"""

from __future__ import annotations

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.events import tweets
from support.tested import ALL, Tested
from support.waiting import wait_for


@pytest.mark.parametrize("name", ALL)
def test_health_and_readiness(shared_mesh: Tested, name: str) -> None:
    assert shared_mesh[name].get("/healthz")[0] == 200
    assert shared_mesh[name].get("/readyz")[0] == 200


@pytest.mark.parametrize("name", ALL)
def test_metrics_are_prometheus_text(shared_mesh: Tested, name: str) -> None:
    assert shared_mesh.client().post("/input", tweets(20)).status == 202
    answer = shared_mesh.client(name, "ops").get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    ours = {metric: family for metric, family in families.items() if metric.startswith("tweetmesh_")}
    assert ours, "no metric of ours"
    for metric, family in ours.items():
        assert family.documentation, f"{metric} has no HELP"
        assert family.type != "unknown", f"{metric} has no TYPE"
        check_family(metric, family)


def check_family(metric: str, family: object) -> None:
    samples = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
    assert len(samples) == len(set(samples)), f"{metric}: a sample is there twice"
    if family.type != "histogram":
        return
    buckets: dict[tuple, list[tuple[float, float]]] = {}
    totals: dict[tuple, float] = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        series = tuple(sorted(labels.items()))
        if sample.name.endswith("_bucket"):
            buckets.setdefault(series, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            totals[series] = sample.value
    assert buckets and set(buckets) == set(totals), f"{metric}: buckets and counts do not belong together"
    for series, steps in buckets.items():
        values = [value for _, value in steps]
        assert values == sorted(values), f"{metric}: buckets are not cumulative"
        assert steps[-1] == (float("inf"), totals[series])


@pytest.mark.parametrize("name", ALL)
def test_status_shows_version_and_limits(shared_mesh: Tested, name: str) -> None:
    answer = shared_mesh.client(name, "ops").get("/status")
    assert answer.status == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    status = answer.json
    assert status["program"] == name
    assert status["version"]
    assert str(shared_mesh[name].ports["ops"]) in answer.body.decode(), "effective settings are not shown"


@pytest.mark.parametrize("name", ALL)
def test_unknown_paths_and_methods_of_the_ops_port(shared_mesh: Tested, name: str) -> None:
    client = shared_mesh.client(name, "ops")
    assert client.get("/").status == 404
    assert client.get("/metricsx").status == 404
    assert client.request("POST", "/metrics", b"x").status == 405
    assert client.get("/healthz").status == 200


@pytest.mark.parametrize("name", ALL)
def test_logs_are_json_lines_without_the_users_text(shared_mesh: Tested, name: str) -> None:
    secret = "words-of-a-user-4711"
    client = shared_mesh.client()
    assert client.post("/input", {"text": secret, "country": secret, "user": secret}).status == 202
    assert client.post("/input", {"text": secret, "country": 1, secret: 1}).status == 422
    lines = shared_mesh[name].log.read_text().splitlines()
    assert lines
    for line in lines:
        assert {"event", "level"} <= set(json.loads(line)), line
        assert secret not in line


def test_request_metrics_count_requests(shared_mesh: Tested) -> None:
    api = shared_mesh["api"]
    before = api.metrics()
    client = shared_mesh.client()
    for _ in range(7):
        assert client.post("/input", tweets(1)).status == 202
    changed = {name: value - before.get(name, 0) for name, value in api.metrics().items() if "requests_total" in name}
    assert sum(changed.values()) == 7, changed


def test_metric_labels_come_from_small_sets(shared_mesh: Tested) -> None:
    client = shared_mesh.client()
    client.post("/input", tweets(50))
    client.get("/some/strange/path/4711")
    for name in ALL:
        text = shared_mesh[name].get("/metrics")[1]
        assert "strange" not in text
        assert "Guatemala" not in text
        assert text.count("\n") < 2000


def test_consumer_is_not_ready_without_mongodb(make_mesh, own_servers) -> None:
    mesh = make_mesh("kafka-consumer")
    own_servers.mongo.stop()
    try:
        mesh["kafka-consumer"].wait_not_ready(60)
        status, reason = mesh["kafka-consumer"].get("/readyz")
        assert status == 503 and reason.strip(), "no reason is given"
        assert mesh["kafka-consumer"].get("/healthz")[0] == 200
    finally:
        own_servers.mongo.start()
    mesh["kafka-consumer"].wait_ready(60)


def test_ws_redis_is_not_ready_without_redis(make_mesh, own_servers) -> None:
    mesh = make_mesh("ws-redis")
    own_servers.redis.stop()
    try:
        mesh["ws-redis"].wait_not_ready(60)
        assert mesh["ws-redis"].get("/healthz")[0] == 200
    finally:
        own_servers.redis.start()
    mesh["ws-redis"].wait_ready(60)


def test_api_is_ready_without_ws_redis(make_mesh) -> None:
    mesh = make_mesh()
    mesh["ws-redis"].kill()
    assert mesh.client().post("/input", tweets(1)).status == 202
    assert mesh["api"].is_ready(), "hints are optional"


def test_stage_latency_reaches_the_archive(make_mesh) -> None:
    """Accepted → in Kafka → counted → archived: each stage has been measured after some events."""
    mesh = make_mesh()
    assert mesh.client().post("/input", tweets(100)).status == 202
    mesh.judge.expect_equal(mesh.stream, 100)
    names = {sample for name in ALL for sample in mesh[name].metrics()}
    assert any("_seconds_count" in sample for sample in names)
    archived = wait_for(
        "the consumer counts what it archived",
        lambda: mesh["kafka-consumer"].metric("tweetmesh_archived_total"),
    )
    assert archived == 100
