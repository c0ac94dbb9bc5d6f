# SPDX-License-Identifier: Apache-2.0
"""Goal: SIGTERM ends each program with 0, and a rolling restart loses nothing.

Method: SIGTERM in the middle of the work; with two replicas of api no request may fail at all.
"""

from __future__ import annotations

import json
import signal

import pytest
from stack.mesh import Mesh
from stack.program import PROGRAMS
from support.events import tweets
from support.http import Crowd
from support.tested import Tested
from support.waiting import wait_for


@pytest.mark.parametrize("name", PROGRAMS)
def test_sigterm_under_load_exits_0_and_loses_nothing(mesh: Tested, name: str) -> None:
    crowd = Crowd([mesh.http_port], "/input", tweets(2000), f"drain-{name}").start()
    crowd.wait_taken(500)
    assert mesh[name].stop() == 0
    mesh[name].start()
    crowd.finish()
    mesh.judge.expect_equal(mesh.stream, 2000)


@pytest.mark.parametrize("name", PROGRAMS)
def test_sigterm_while_idle_is_quick_and_clean(mesh: Tested, name: str) -> None:
    assert mesh[name].stop() == 0


def test_a_hanging_mongodb_does_not_hold_up_the_end_of_a_consumer(make_mesh, own_servers: Mesh) -> None:
    """It neither answers nor hangs up. What was in hand is read again by the next consumer."""
    mesh = make_mesh()
    consumer = mesh["kafka-consumer"]
    mesh.client().post("/input", tweets(100))
    mesh.judge.expect_equal(mesh.stream, 100)
    own_servers.mongo.pause()
    try:
        assert mesh.client().post("/input", tweets(100)).status == 202
        wait_for("a batch is in hand", lambda: json.loads(consumer.get("/status")[1])["in_hand"] > 0, 20)
        assert consumer.stop() == 0  # or it would have been killed
    finally:
        own_servers.mongo.resume()
    consumer.start()
    mesh.judge.expect_equal(mesh.stream, 200)


def test_ready_is_false_while_draining(mesh: Tested) -> None:
    """The balancer sees it before the door is shut: readyz says no, and requests are still answered."""
    slow = mesh.add("api-2", DRAIN_DELAY_MS="4000")
    client = mesh.client("api-2")
    assert client.post("/input", tweets(1)).status == 202
    slow.process.send(signal.SIGTERM)
    slow.wait_not_ready(3)
    assert client.post("/input", tweets(1)).status == 202
    assert slow.alive(), "it left without its delay"
    assert slow.process.wait(30) == 0
    slow.process = None  # it has ended, as it was told


def test_rolling_restart_of_two_apis_fails_no_request(mesh: Tested) -> None:
    """Each takes its leave with a delay, and a client that follows /readyz never meets a closed door."""
    ports = {"api": mesh.http_port, "api-2": mesh.add("api-2", DRAIN_DELAY_MS="300").ports["http"]}
    crowd = Crowd(list(ports.values()), "/input", tweets(3000), "rolling").start()
    for name in ports:
        crowd.wait_taken(500)
        assert mesh[name].stop() == 0
        mesh[name].start()
    crowd.finish()
    mesh.judge.expect_equal(mesh.stream, 3000)
    assert len(crowd.ids()) == 3000
