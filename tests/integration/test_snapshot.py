# SPDX-License-Identifier: Apache-2.0
"""Goal: what Redis loses comes back also where Kafka no longer has the records: from memory, from the snapshot in
MongoDB; and a snapshot never goes back.

Method: records deleted from Kafka as retention would, then FLUSHALL; memory or snapshots switched off in turn.
"""

from __future__ import annotations

import json

import pytest
from support.events import groups, tweets
from support.http import Crowd
from support.tested import Tested
from support.waiting import wait_for

SNAPSHOTS = "tweetmesh_snapshots"
# Only the snapshot can help.
FORGETFUL = {"kafka-consumer": {"SNAPSHOT_MS": "100", "REMEMBERED_LEN_MAX": "0"}}


def send(mesh: Tested, count: int) -> None:
    answer = mesh.client().post("/input", tweets(count))
    assert answer.status == 202, answer.body


def snapshot(mesh: Tested) -> dict:
    return mesh.judge.database[SNAPSHOTS].find_one({"_id": mesh.stream.name}) or {}


def expect_counts(mesh: Tested, events: int, ends: dict[int, int], counted: dict[str, int] | None = None) -> None:
    """Redis has exactly this, in the state and in the hash for people."""

    def equal() -> bool:
        counts = mesh.judge.counts(mesh.stream)
        shown = mesh.judge.shown(mesh.stream)
        return (counts.total, counts.watermarks, counts.groups) == (events, ends, shown)

    wait_for(f"Redis has {events} events up to {ends}", equal, 30)
    if counted is not None:
        assert mesh.judge.counts(mesh.stream).groups == counted


def expect_snapshot(mesh: Tested, settled: int) -> dict:
    wait_for(f"a snapshot of {settled} offsets", lambda: snapshot(mesh).get("settled") == settled)
    return snapshot(mesh)


def expect_at_least(mesh: Tested, total: int) -> None:
    wait_for(f"{total} events are counted again", lambda: mesh.judge.counts(mesh.stream).total >= total)


def audited(mesh: Tested, code: int = 0) -> dict:
    done = mesh.mesh.audit("--json", "--wait", "30")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)["streams"][mesh.stream.name]


@pytest.mark.parametrize(
    ("settings", "metric"),
    [
        (FORGETFUL, "tweetmesh_snapshot_restores_total"),
        ({"kafka-consumer": {"SNAPSHOT_MS": "0"}}, "tweetmesh_rewinds_total"),
    ],
    ids=["snapshot", "memory"],
)
def test_flushall_beyond_retention_is_exact(make_mesh, own_servers, settings: dict, metric: str) -> None:
    mesh = make_mesh(settings=settings)
    send(mesh, 1000)
    mesh.judge.expect_equal(mesh.stream, 1000)
    if settings is FORGETFUL:
        expect_snapshot(mesh, 1000)
    ends = mesh.judge.drop_records(mesh.stream.topic)
    mesh.judge.redis.flushall()
    expect_counts(mesh, 1000, ends, groups(1000))
    consumer = mesh["kafka-consumer"]
    assert consumer.metric(metric, **({"stream": mesh.stream.name} if settings is FORGETFUL else {})) >= 1
    assert consumer.metric("tweetmesh_settle_lost_offsets_total", stream=mesh.stream.name) == 0

    send(mesh, 70)
    said = audited(mesh)
    assert (said["kafka_events"], said["redis"], said["before_log"]) == (1070, 1070, 1000)


def test_a_consumer_that_starts_anew_puts_the_snapshot_back(make_mesh, own_servers) -> None:
    """Redis is lost, and Kafka's records are gone, while nobody is there: the copy taken at the end is put back."""
    mesh = make_mesh(settings={"kafka-consumer": {"SNAPSHOT_MS": "3600000"}})
    sent = 0
    # Who reads partition 0 takes the copy, once it knows where that stands: at the latest by its first record.
    while sent == 0 or mesh.judge.counts(mesh.stream).watermarks.get(0, 0) == 0:
        send(mesh, 500)
        sent += 500
        assert sent < 20000
        mesh.judge.expect_equal(mesh.stream, sent)
    assert mesh["kafka-consumer"].stop() == 0
    expect_snapshot(mesh, sent)
    ends = mesh.judge.drop_records(mesh.stream.topic)
    mesh.judge.redis.flushall()
    mesh["kafka-consumer"].start()
    expect_counts(mesh, sent, ends, {group: count * (sent // 500) for group, count in groups(500).items()})


def test_a_rebalance_is_followed_by_a_snapshot(make_mesh) -> None:
    """Who gets a partition does not remember what another settled; so it is not an hour until the next copy."""
    mesh = make_mesh(settings={"kafka-consumer": {"SNAPSHOT_MS": "3600000"}})
    send(mesh, 100)
    mesh.judge.expect_equal(mesh.stream, 100)
    expect_snapshot(mesh, 100)
    send(mesh, 100)
    mesh.judge.expect_equal(mesh.stream, 200)
    mesh.add("kafka-consumer-2", SNAPSHOT_MS="3600000")
    expect_snapshot(mesh, 200)


def test_without_memory_and_snapshot_the_loss_is_told(make_mesh, own_servers) -> None:
    mesh = make_mesh(settings={"kafka-consumer": {"SNAPSHOT_MS": "0", "REMEMBERED_LEN_MAX": "0"}})
    send(mesh, 300)
    mesh.judge.expect_equal(mesh.stream, 300)
    ends = mesh.judge.drop_records(mesh.stream.topic)
    mesh.judge.redis.flushall()
    expect_counts(mesh, 0, ends)
    consumer = mesh["kafka-consumer"]
    assert consumer.metric("tweetmesh_settle_lost_offsets_total", stream=mesh.stream.name) == 300
    assert "counts_lost" in consumer.log.read_text()


def test_two_consumers_restore_under_hints_and_no_snapshot_goes_back(make_mesh, own_servers) -> None:
    mesh = make_mesh(settings=FORGETFUL)
    mesh.add("kafka-consumer-2", **FORGETFUL["kafka-consumer"])
    crowd = Crowd([mesh.http_port], "/input", tweets(6000), "snapshots").start()
    seen: list[tuple[int, int]] = []
    for mark in range(600, 6000, 600):
        crowd.wait_taken(mark)
        taken = wait_for("a snapshot", lambda: snapshot(mesh))
        seen.append((taken["revision"], taken["settled"]))
        mesh.judge.redis.flushall()
        expect_at_least(mesh, taken["total"])
        taken = snapshot(mesh)
        seen.append((taken["revision"], taken["settled"]))
    crowd.finish()
    mesh.judge.expect_equal(mesh.stream, 6000)
    assert seen == sorted(seen), f"(revision, settled) went back: {seen}"
    expect_snapshot(mesh, 6000)
    consumers = [mesh["kafka-consumer"], mesh["kafka-consumer-2"]]
    restores = [c.metric("tweetmesh_snapshot_restores_total", stream=mesh.stream.name) for c in consumers]
    # Not each time: what a look at the snapshot has found holds for a second, and the log is read instead.
    assert sum(restores) >= 1, restores


def test_damaged_counters_are_not_copied(make_mesh) -> None:
    mesh = make_mesh(settings=FORGETFUL)
    key = f"{{{mesh.stream.name}}}:state"
    send(mesh, 100)
    mesh.judge.expect_equal(mesh.stream, 100)
    good = expect_snapshot(mesh, 100)
    mesh.judge.redis.hincrby(key, "c:Spain", 5)
    consumer, labels = mesh["kafka-consumer"], {"stream": mesh.stream.name}
    wait_for("a copy was refused", lambda: consumer.metric("tweetmesh_snapshot_failures_total", **labels))
    send(mesh, 50)
    assert snapshot(mesh)["total"] == good["total"]
    mesh.judge.redis.hincrby(key, "c:Spain", -5)
    expect_snapshot(mesh, 150)
    assert not [name for name in mesh.judge.redis.scan_iter(f"{{{mesh.stream.name}}}:restoring*")]
