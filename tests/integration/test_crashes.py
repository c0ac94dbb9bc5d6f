# SPDX-License-Identifier: Apache-2.0
"""Goal: kill -9 of any program in the middle of the work loses nothing and doubles nothing.

Method: a crowd sends 5,000 events, each with its key, and retries on 503, 504 and broken connections; in the
middle one program is killed and started again. Afterwards every 202 must be exactly one document and one count.
"""

from __future__ import annotations

import json

import pytest
from support.events import groups, tweets
from support.http import Crowd
from support.tested import Tested

from stack.program import PROGRAMS

EVENTS = 5000
KILL_AT = (1200, 3000)


def expect_exact(mesh: Tested, ids: set[str], count: int) -> None:
    """Every answered id is one document, counts are those of the events, and our audit says so too."""
    assert len(ids) == count, "two events were given one id"
    documents = mesh.judge.expect_equal(mesh.stream, seconds=120)
    assert ids <= set(documents), "an acknowledged event is not in the archive"
    assert len(documents) == count, "the archive has an event that nobody sent twice under one key"
    assert mesh.judge.counts(mesh.stream).groups == groups(count)
    audit = mesh.mesh.audit("--json", "--wait", "30")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert json.loads(audit.stdout)["streams"][mesh.stream.name]["kafka_events"] == count


@pytest.mark.parametrize("victim", PROGRAMS)
def test_killed_in_the_middle(make_mesh, victim: str) -> None:
    mesh = make_mesh()
    crowd = Crowd([mesh.http_port], "/input", tweets(EVENTS), f"kill-{victim}").start()
    for mark in KILL_AT:
        crowd.wait_taken(mark)
        mesh[victim].kill()
        mesh[victim].start()
    crowd.finish()
    if victim != "api":
        assert crowd.retries == 0, "clients must not notice: api sends again what was not answered"
    expect_exact(mesh, crowd.ids(), EVENTS)


def test_all_programs_killed_at_once(make_mesh) -> None:
    mesh = make_mesh()
    crowd = Crowd([mesh.http_port], "/input", tweets(2000), "all").start()
    crowd.wait_taken(700)
    for program in mesh.mesh.programs.values():
        program.kill()
    mesh.start()
    crowd.finish()
    expect_exact(mesh, crowd.ids(), 2000)


def test_kafka_killed_in_the_middle(make_mesh, own_servers) -> None:
    mesh = make_mesh()
    crowd = Crowd([mesh.http_port], "/input", tweets(2000), "broker").start()
    crowd.wait_taken(700)
    own_servers.kafka.kill()
    own_servers.kafka.start()
    crowd.finish()
    expect_exact(mesh, crowd.ids(), 2000)


def test_mongodb_killed_in_the_middle(make_mesh, own_servers) -> None:
    """The consumer waits for MongoDB, staying in its group; clients notice nothing."""
    mesh = make_mesh()
    crowd = Crowd([mesh.http_port], "/input", tweets(2000), "archive").start()
    crowd.wait_taken(700)
    own_servers.mongo.kill()
    crowd.finish()
    mesh["kafka-consumer"].wait_not_ready(60)
    own_servers.mongo.start()
    mesh["kafka-consumer"].wait_ready(60)
    expect_exact(mesh, crowd.ids(), 2000)
