# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever happens to Redis, the counters equal the log again, without anybody's help.

Method: FLUSHALL, kill -9 and restart, an older copy of the state, all with events before and after.
"""

from __future__ import annotations

from support.events import groups, tweets
from support.http import Crowd
from support.tested import Tested
from support.waiting import wait_for


def send(mesh: Tested, count: int) -> None:
    answer = mesh.client().post("/input", tweets(count))
    assert answer.status == 202, answer.body


def test_counters_come_back_after_flushall_without_new_events(mesh: Tested, own_servers) -> None:
    send(mesh, 1000)
    mesh.judge.expect_equal(mesh.stream, 1000)
    mesh.judge.redis.flushall()
    mesh.judge.expect_equal(mesh.stream, 1000)
    assert mesh.judge.counts(mesh.stream).groups == groups(1000)


def test_counters_come_back_after_flushall_under_load(mesh: Tested, own_servers) -> None:
    crowd = Crowd([mesh.http_port], "/input", tweets(3000), "flush").start()
    for mark in (800, 2000):
        crowd.wait_taken(mark)
        mesh.judge.redis.flushall()
    crowd.finish()
    mesh.judge.expect_equal(mesh.stream, 3000)
    assert mesh.judge.counts(mesh.stream).groups == groups(3000)


def test_counters_come_back_after_the_functions_are_lost(mesh: Tested, own_servers) -> None:
    send(mesh, 500)
    mesh.judge.expect_equal(mesh.stream, 500)
    mesh.judge.redis.execute_command("FUNCTION", "FLUSH")
    send(mesh, 500)
    mesh.judge.expect_equal(mesh.stream, 1000)


def test_counters_come_back_when_redis_is_set_back(mesh: Tested, own_servers) -> None:
    """An older copy of the state, as a restore from a backup would bring."""
    key = f"{{{mesh.stream.name}}}:state"
    send(mesh, 700)
    mesh.judge.expect_equal(mesh.stream, 700)
    older = mesh.judge.redis.dump(key)
    send(mesh, 700)
    mesh.judge.expect_equal(mesh.stream, 1400)
    mesh.judge.redis.restore(key, 0, older, replace=True)
    mesh.judge.expect_equal(mesh.stream, 1400)


def test_a_restart_of_redis_is_survived(mesh: Tested, own_servers) -> None:
    crowd = Crowd([mesh.http_port], "/input", tweets(2000), "restart").start()
    crowd.wait_taken(500)
    own_servers.redis.kill()
    crowd.wait_taken(1000)
    mesh["ws-redis"].wait_not_ready(30)
    own_servers.redis.start()
    crowd.finish()
    assert crowd.retries == 0, "clients must not notice that Redis is away"
    mesh.judge.expect_equal(mesh.stream, 2000)
    mesh["ws-redis"].wait_ready(30)


def test_the_archive_goes_on_while_redis_is_away(mesh: Tested, own_servers) -> None:
    send(mesh, 100)
    mesh.judge.expect_equal(mesh.stream, 100)
    own_servers.redis.stop()
    try:
        send(mesh, 400)
        wait_for("the archive goes on", lambda: len(mesh.judge.documents(mesh.stream)) == 500, 60)
    finally:
        own_servers.redis.start()
    mesh.judge.expect_equal(mesh.stream, 500)
    mesh["kafka-consumer"].wait_ready(30)


def test_stopped_consumer_then_flushall_then_start(mesh: Tested, own_servers) -> None:
    """Redis is lost while nobody settles: what was committed long ago must be read again."""
    send(mesh, 1000)
    mesh.judge.expect_equal(mesh.stream, 1000)
    assert mesh["kafka-consumer"].stop() == 0
    mesh.judge.redis.flushall()
    mesh["kafka-consumer"].start()
    mesh.judge.expect_equal(mesh.stream, 1000)


def test_a_wrong_type_where_people_look_is_told_once_and_holds_up_nothing(mesh: Tested, own_servers) -> None:
    """The derived hashes are copies: what sits in their place is an alarm, and the truth goes on."""
    consumer, key = mesh["kafka-consumer"], f"{{{mesh.stream.name}}}:{mesh.stream.count_by}"
    send(mesh, 100)
    mesh.judge.expect_equal(mesh.stream, 100)
    mesh.judge.redis.set(key, "not ours")
    for count in (200, 300, 400):
        send(mesh, 100)
        wait_for("the truth goes on", lambda count=count: mesh.judge.counts(mesh.stream).total == count)
        wait_for("an alarm", lambda: consumer.metric("tweetmesh_show_refused") == 1)
        assert consumer.is_ready()
    assert consumer.log.read_text().count('"event":"show_refused"') == 1
    assert '"event":"redis_away"' not in consumer.log.read_text()
    mesh.judge.redis.delete(key)
    mesh.judge.expect_equal(mesh.stream, 400)
    wait_for("no alarm", lambda: consumer.metric("tweetmesh_show_refused") == 0)
