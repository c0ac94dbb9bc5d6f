# SPDX-License-Identifier: Apache-2.0
"""Goal: recount makes wrong counters right, whatever happened to them, also under traffic and beyond retention.

Method: counters garbled on purpose, then recount, then the audit and an independent judge.
"""

from __future__ import annotations

import json
import threading
import uuid

import pytest
from support.events import groups, tweets
from support.http import Crowd
from support.tested import Tested
from support.waiting import wait_for

LOAD = 8000


def state_key(mesh: Tested) -> str:
    return f"{{{mesh.stream.name}}}:state"


def send(mesh: Tested, count: int) -> None:
    answer = mesh.client().post("/input", tweets(count))
    assert answer.status == 202, answer.body


def recount(mesh: Tested, *arguments: str, code: int = 0) -> dict:
    done = mesh.mesh.recount("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)["streams"].get(mesh.stream.name, {})


def audited(mesh: Tested, code: int = 0, wait: str = "30") -> dict:
    done = mesh.mesh.audit("--json", "--wait", wait)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)["streams"][mesh.stream.name]


def garble(mesh: Tested) -> None:
    """Wrong in a group and in sum; the consumer cannot know."""
    mesh.judge.redis.hincrby(state_key(mesh), "c:Spain", 7)
    mesh.judge.redis.hincrby(state_key(mesh), "c:Atlantis", 3)
    mesh.judge.redis.hincrby(state_key(mesh), "total", 10)


def expect_accounted(mesh: Tested) -> None:
    """Every offset went somewhere: sum of the watermarks = total + duplicates + not_counted."""
    state = mesh.judge.redis.hgetall(state_key(mesh))
    marks = sum(int(value) for name, value in state.items() if name.startswith(b"w:"))
    assert marks == sum(int(state[name]) for name in (b"total", b"duplicates", b"not_counted"))


@pytest.mark.parametrize("source", ["auto", "kafka", "mongodb"])
def test_garbled_counters_are_rebuilt(mesh: Tested, source: str) -> None:
    send(mesh, 400)
    mesh.judge.expect_equal(mesh.stream, 400)
    wait_for("all is committed", lambda: sum(mesh.judge.committed(mesh.stream.topic, mesh.group).values()) == 400)
    garble(mesh)
    assert audited(mesh, 1, "0")["groups_differing"] == 2
    said = recount(mesh, "--from", source)
    assert (said["total"], said["settled"], said["total_before"]) == (400, 400, 410)
    assert audited(mesh)["equal"] is True
    mesh.judge.expect_equal(mesh.stream, 400)
    expect_accounted(mesh)
    send(mesh, 100)
    mesh.judge.expect_equal(mesh.stream, 500)
    expect_accounted(mesh)


@pytest.mark.parametrize("source", ["auto", "mongodb"])
def test_recount_under_traffic(make_mesh, source: str) -> None:
    """Two consumers, snapshots all the time, and counters garbled three times while events come in."""
    own = {"SNAPSHOT_MS": "50"}
    mesh = make_mesh(settings={"kafka-consumer": own})
    mesh.add("kafka-consumer-2", **own)
    crowd = Crowd([mesh.http_port], "/input", tweets(LOAD), f"recount-{source}").start()
    under_load = 0
    for mark in (500, 1000, 1500):
        crowd.wait_taken(mark)
        garble(mesh)
        recount(mesh, "--from", source)  # of what is committed by now, which may be nothing yet
        under_load += crowd.taken < LOAD
    assert under_load >= 2, "the load was over too soon"
    crowd.finish()
    mesh.judge.expect_equal(mesh.stream, LOAD)
    expect_accounted(mesh)
    assert mesh.judge.redis.hget(state_key(mesh), "recounts") == b"3"


def test_recount_beyond_retention(mesh: Tested) -> None:
    """Half of the log is gone; the archive has it."""
    send(mesh, 600)
    mesh.judge.expect_equal(mesh.stream, 600)
    mesh.judge.drop_records(mesh.stream.topic)
    send(mesh, 140)
    wait_for("all is counted", lambda: mesh.judge.counts(mesh.stream).total == 740)
    for source in ("auto", "mongodb"):
        garble(mesh)
        said = recount(mesh, "--from", source)
        assert said["before_log"] == 600
        wait_for("all is counted again", lambda: mesh.judge.counts(mesh.stream).total == 740)
        told = audited(mesh)
        assert (told["equal"], told["before_log"], told["kafka_records"]) == (True, 600, 140)
        expect_accounted(mesh)
    failed = mesh.mesh.recount("--from", "kafka")
    assert failed.returncode == 2 and "dropped the beginning" in failed.stderr


def test_events_with_several_records_count_where_they_are_archived(make_mesh) -> None:
    """The same ids in two partitions with other countries, and only one partition is read so far."""
    mesh = make_mesh("kafka-consumer")
    events = [
        {"id": str(uuid.UUID(int=at, version=4)), "received_at": "2026-01-02T03:04:05.678Z", "text": "x"}
        for at in range(60)
    ]
    for partition, country in ((0, "Spain"), (1, "Japan"), (1, "Spain"), (2, "Spain")):
        values = [json.dumps(event | {"country": country}).encode() for event in events]
        mesh.judge.produce(mesh.stream.topic, values, partition=partition)
    mesh.judge.produce(mesh.stream.topic, [b"not an event"] * 5, partition=3)
    assert audited(mesh)["kafka_events"] == 60
    counted = mesh.judge.counts(mesh.stream).groups
    for source in ("kafka", "mongodb"):
        garble(mesh)
        said = recount(mesh, "--from", source)
        assert said["total"] == 60
        assert audited(mesh)["equal"] is True
        assert mesh.judge.counts(mesh.stream).groups == counted
        expect_accounted(mesh)


def test_the_consumer_is_away_and_far_behind(mesh: Tested) -> None:
    """The cut is what is committed: what Kafka has beyond it is counted later, by the consumer."""
    send(mesh, 200)
    mesh.judge.expect_equal(mesh.stream, 200)
    assert mesh["kafka-consumer"].stop() == 0
    send(mesh, 300)
    garble(mesh)
    assert recount(mesh)["total"] == 200
    mesh["kafka-consumer"].start()
    mesh.judge.expect_equal(mesh.stream, 500)
    expect_accounted(mesh)


@pytest.mark.parametrize("damage", ["wrong type", "no number", "emptied"])
def test_whatever_the_state_is_it_is_replaced(mesh: Tested, damage: str) -> None:
    send(mesh, 250)
    mesh.judge.expect_equal(mesh.stream, 250)
    assert mesh["kafka-consumer"].stop() == 0
    mesh.judge.redis.delete(state_key(mesh))
    if damage == "wrong type":
        mesh.judge.redis.set(state_key(mesh), "text")
    elif damage == "no number":
        mesh.judge.redis.hset(state_key(mesh), mapping={"total": "many", "w:0": "x", "recounts": "y"})
    recount(mesh)
    mesh["kafka-consumer"].start()
    mesh.judge.expect_equal(mesh.stream, 250)
    assert mesh.judge.counts(mesh.stream).groups == groups(250)


def test_counters_of_another_topic_are_left_alone_unless_told(mesh: Tested) -> None:
    send(mesh, 90)
    mesh.judge.expect_equal(mesh.stream, 90)
    assert mesh["kafka-consumer"].stop() == 0
    mesh.judge.redis.hset(state_key(mesh), "topic", "another")
    garble(mesh)
    before = mesh.judge.redis.hgetall(state_key(mesh))
    failed = mesh.mesh.recount()
    assert failed.returncode == 2 and "--new-topic" in failed.stderr
    assert mesh.judge.redis.hgetall(state_key(mesh)) == before
    assert recount(mesh, "--new-topic")["total"] == 90
    mesh["kafka-consumer"].start()
    mesh.judge.expect_equal(mesh.stream, 90)


def test_two_recounts_at_once_do_no_harm(mesh: Tested) -> None:
    send(mesh, 300)
    mesh.judge.expect_equal(mesh.stream, 300)
    garble(mesh)
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(mesh.mesh.recount().returncode)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {0, 2} and 0 in codes
    mesh.judge.expect_equal(mesh.stream, 300)
    expect_accounted(mesh)


def test_what_is_wrong_with_the_call_is_said(run_program) -> None:
    for arguments, word in ((["--from", "disk"], "--from"), (["--what"], "--help"), (["x"], "argument")):
        done = run_program("recount", *arguments)
        assert done.returncode == 2 and word in done.stderr
    done = run_program("recount", "--stream", "nowhere", STREAMS_DIR="/nonexistent")
    assert done.returncode == 2 and done.stderr.startswith("recount: ")
