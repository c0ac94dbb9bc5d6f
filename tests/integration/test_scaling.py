# SPDX-License-Identifier: Apache-2.0
"""Goal: consumers and api replicas come and go under load, and nothing is lost or doubled.

Method: a crowd sends all the while; a second instance joins, works, and leaves by SIGTERM, or by SIGKILL.
"""

from __future__ import annotations

import time

import pytest
from support.events import tweets
from support.http import Crowd
from support.streams import PARTITIONS
from support.tested import Tested
from support.waiting import wait_for

from stack.program import Program


@pytest.mark.parametrize("leave", ["stop", "kill"])
def test_a_second_consumer_joins_and_leaves_under_load(mesh: Tested, leave: str) -> None:
    crowd = Crowd([mesh.http_port], "/input", tweets(10000), f"scale-{leave}", workers=4).start()
    crowd.wait_taken(800)
    second = mesh.add("kafka-consumer-2")
    wait_for("the second one archives", lambda: archived_by(second) > 0 or not crowd_works(crowd), 90)
    assert archived_by(second) > 0, "the second consumer never got work"
    if leave == "stop":
        assert second.stop() == 0
    else:
        second.kill()
    crowd.finish()
    assert crowd.retries == 0
    mesh.judge.expect_equal(mesh.stream, 10000, seconds=120)


def crowd_works(crowd: Crowd) -> bool:
    return crowd.taken < len(crowd.events) and not crowd.errors


def archived_by(consumer: Program) -> float:
    """Documents that this instance has handed to MongoDB."""
    return consumer.metric("tweetmesh_archived_total")


def test_the_first_consumer_leaves_and_the_second_goes_on(mesh: Tested) -> None:
    crowd = Crowd([mesh.http_port], "/input", tweets(3000), "hand-over", workers=4).start()
    crowd.wait_taken(500)
    mesh.add("kafka-consumer-2")
    assert mesh["kafka-consumer"].stop() == 0
    crowd.finish()
    mesh.judge.expect_equal(mesh.stream, 3000, seconds=120)


def test_two_apis_two_grpc_servers(mesh: Tested) -> None:
    second = mesh.add("grpc-server-2")
    target = f"127.0.0.1:{second.ports['grpc']}"
    api = mesh.add("api-2", GRPC_TARGET=target)
    crowd = Crowd([mesh.http_port, api.ports["http"]], "/input", tweets(2000), "two").start()
    crowd.finish()
    mesh.judge.expect_equal(mesh.stream, 2000)


LONG_SESSION = {"kafka-consumer": {"SESSION_MS": "90000"}}  # whoever had to wait for its end would be too late


def test_a_killed_consumer_is_known_again_by_its_instance_id(make_mesh) -> None:
    mesh = make_mesh(settings=LONG_SESSION)
    crowd = Crowd([mesh.http_port], "/input", tweets(2000), "again", workers=4).start()
    for mark in (500, 1200):
        crowd.wait_taken(mark)
        mesh["kafka-consumer"].kill()
        mesh["kafka-consumer"].start()
    crowd.finish()
    mesh.judge.expect_equal(mesh.stream, 2000)


def test_a_consumer_with_an_instance_id_says_goodbye(make_mesh) -> None:
    """Only a kill leaves its partitions waiting for it; SIGTERM gives them to the others at once."""
    mesh = make_mesh(settings=LONG_SESSION)
    second = mesh.mesh.add_program("kafka-consumer-2", {})
    second.launch()
    second.wait_ready(60)  # the first one hears of it with its next heartbeat, after a third of a session
    crowd = Crowd([mesh.http_port], "/input", tweets(2000), "goodbye", workers=4).start()
    wait_for("the second one archives", lambda: archived_by(second) > 0, 60)
    assert second.stop() == 0
    crowd.finish()
    mesh.judge.expect_equal(mesh.stream, 2000)


def test_a_consumer_that_leaves_in_the_middle_of_a_rebalance_says_goodbye(make_mesh) -> None:
    """It has given partitions away and waits until the others join, too: its goodbye waits in line, but is said."""
    session_s = 12  # a heartbeat each 4 s
    mesh = make_mesh(settings={"kafka-consumer": {"SESSION_MS": str(1000 * session_s)}})
    old = [mesh["kafka-consumer"], mesh.add("kafka-consumer-2")]
    wait_for("two share", lambda: [partitions_of(one) for one in old] == [PARTITIONS / 2] * 2, 60)
    third = mesh.mesh.add_program("kafka-consumer-3", {})
    third.launch()
    wait_for("one has given some away", lambda: min(map(partitions_of, old)) < PARTITIONS / 2, 60)
    leaver = min(old, key=partitions_of)
    stays = next(one for one in old if one is not leaver)
    began = time.monotonic()
    assert leaver.stop() == 0
    wait_for("the others have all", lambda: partitions_of(stays) + partitions_of(third) == PARTITIONS, 60)
    assert time.monotonic() - began < session_s - 1, "they waited for the end of its session"


def partitions_of(consumer: Program) -> float:
    return consumer.metric("tweetmesh_partitions")


def test_two_consumers_of_one_instance_id_do_not_both_work(make_mesh) -> None:
    """The older one is told by Kafka that it is replaced: it is not ready, and says why."""
    mesh = make_mesh()
    first = mesh["kafka-consumer"]
    mesh.add("kafka-consumer-2", KAFKA_INSTANCE_ID=first.settings["KAFKA_INSTANCE_ID"])
    first.wait_not_ready(60)
    assert "fenced" in first.log.read_text().lower()
    mesh.client().post("/input", tweets(100))
    mesh.judge.expect_equal(mesh.stream, 100)
