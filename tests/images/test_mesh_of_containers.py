# SPDX-License-Identifier: Apache-2.0
"""Goal: the four images are a mesh: it takes a load, loses nothing, counts exactly, and drains on SIGTERM.

Method: each program runs in its own container, with a read-only root, no capability and a memory limit, against a
real Kafka, Redis and MongoDB server; the audit runs in its container, too.
"""

from __future__ import annotations

import json

from images.containers import USER, Contained
from stack.program import PROGRAMS
from support.events import groups, tweets
from support.http import Crowd
from support.waiting import wait_for

EVENTS = 1500


def test_a_mesh_of_containers_takes_a_load_and_drains(contained: Contained) -> None:
    contained.start()
    for name in PROGRAMS:
        assert_confined(contained, name)
    crowd = Crowd([contained.http_port], "/input", tweets(EVENTS), "containers").start()
    crowd.wait_taken(EVENTS // 3)
    for name in ("kafka-consumer", "api"):  # in the middle of it
        assert contained[name].stop() == 0
        contained[name].start()
    crowd.finish()
    contained.judge.expect_equal(contained.stream, EVENTS)
    wait_for(
        "the groups are counted",
        lambda: contained.judge.counts(contained.stream).groups == groups(EVENTS),
        30,
    )
    audited = contained.audit("--json", "--wait", "60")
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert json.loads(audited.stdout)
    # The fixture stops each program and wants exit code 0.


def assert_confined(contained: Contained, name: str) -> None:
    """The kernel's own word for it."""
    (process,) = contained[name].processes()
    assert set(process["Uid"].split()) == {str(USER)}
    assert int(process["CapEff"], 16) == int(process["CapBnd"], 16) == 0
    assert process["NoNewPrivs"] == "1"
    assert process["Seccomp"] == "2"


def test_audit_says_when_the_stores_differ(contained: Contained) -> None:
    """The same command, so that its agreement above means something."""
    contained.start("ws-redis", "grpc-server", "api")  # nobody archives
    assert contained.client().post("/input", tweets(5)).status == 202
    audited = contained.audit("--json")
    assert audited.returncode == 1, audited.stdout + audited.stderr
