# SPDX-License-Identifier: Apache-2.0
"""Goal: the consumer says at any time what is in Kafka, archived and settled, and whether all of it is equal; and
people see the same in Redis.

Method: load, then look; MongoDB taken away under load; a partition that changes hands; /metrics and Redis against what
Kafka says itself.
"""

from __future__ import annotations

import json
import time

from support.events import tweets
from support.streams import PARTITIONS
from support.tested import Tested
from support.waiting import wait_for

GAUGES = ("tweetmesh_log_end_offset", "tweetmesh_archived_offset", "tweetmesh_settled_offset")


def send(mesh: Tested, count: int) -> None:
    answer = mesh.client().post("/input", tweets(count))
    assert answer.status == 202, answer.body


def gauges(mesh: Tested, program: str = "kafka-consumer") -> dict[str, dict[int, float]]:
    """{gauge: {partition: value}}, of the partitions that are told of."""
    samples = mesh[program].metrics()
    found: dict[str, dict[int, float]] = {}
    for name in GAUGES:
        found[name] = {}
        for sample, value in samples.items():
            if sample.startswith(f'{name}{{stream="{mesh.stream.name}",'):
                found[name][int(sample.partition('partition="')[2].rstrip('"}'))] = value
    return found


def exact(mesh: Tested, program: str = "kafka-consumer") -> float:
    return mesh[program].metric("tweetmesh_exact", stream=mesh.stream.name)


def shown(mesh: Tested) -> dict[int, tuple[int, ...]]:
    """{stream}:archive: {partition: (in Kafka, archived, settled, at)}."""
    fields = mesh.judge.redis.hgetall(f"{{{mesh.stream.name}}}:archive")
    return {int(partition): tuple(int(word) for word in value.split()) for partition, value in fields.items()}


def ends_of(mesh: Tested) -> dict[int, int]:
    """Where Kafka says each partition ends, also those that are empty."""
    return dict.fromkeys(range(PARTITIONS), 0) | mesh.judge.ends(mesh.stream.topic)


def expect_exact(mesh: Tested) -> dict[int, int]:
    """Waits until all gauges equal Kafka's ends, and what people see, too; returns the ends."""
    ends = ends_of(mesh)

    def equal() -> bool:
        return exact(mesh) == 1 and all(gauges(mesh)[name] == ends for name in GAUGES)

    wait_for(f"all is at {ends}", equal)
    wait_for(
        "people see it", lambda: {n: at[:3] for n, at in shown(mesh).items()} == {n: (e,) * 3 for n, e in ends.items()}
    )
    return ends


def test_after_a_load_all_is_equal_and_exact(mesh: Tested) -> None:
    before_ms = time.time() * 1000
    for _ in range(5):
        send(mesh, 300)
    mesh.judge.expect_equal(mesh.stream, 1500)
    assert sum(expect_exact(mesh).values()) == 1500
    assert mesh["kafka-consumer"].metric("tweetmesh_lag_records", stream=mesh.stream.name) == 0
    assert mesh["kafka-consumer"].metric("tweetmesh_partitions", stream=mesh.stream.name) == PARTITIONS
    now_ms = time.time() * 1000
    assert all(before_ms - 60_000 < at[3] <= now_ms + 1000 for at in shown(mesh).values())


def test_with_mongodb_stopped_the_lag_shows_and_grows(make_mesh, own_servers) -> None:
    mesh = make_mesh()
    send(mesh, 200)
    mesh.judge.expect_equal(mesh.stream, 200)
    expect_exact(mesh)
    consumer = mesh["kafka-consumer"]
    own_servers.mongo.stop()
    try:
        # Reading is paused after the first of them; the end of the log is seen all the same.
        for sent in (100, 350, 600):
            send(mesh, 100 if sent == 100 else 250)
            wait_for(
                f"a lag of {sent}",
                lambda sent=sent: consumer.metric("tweetmesh_lag_records", stream=mesh.stream.name) == sent,
            )
        assert exact(mesh) == 0
        assert consumer.metric("tweetmesh_mongodb_up") == 0
        seen = gauges(mesh)
        assert sum(seen["tweetmesh_log_end_offset"].values()) == 800
        assert sum(seen["tweetmesh_archived_offset"].values()) == 200
        assert sum(seen["tweetmesh_settled_offset"].values()) == 200
        wait_for("people see the lag", lambda: sum(at[0] - at[2] for at in shown(mesh).values()) == 600)
        health = health_of(mesh)
        assert (health["state"], health["ready"]) == ("MongoDB does not answer", False)
    finally:
        own_servers.mongo.start()
    mesh.judge.expect_equal(mesh.stream, 800)
    expect_exact(mesh)
    wait_for("health says ready", lambda: health_of(mesh)["ready"])


def health_of(mesh: Tested, program: str = "kafka-consumer") -> dict:
    instance = mesh[program].settings["KAFKA_INSTANCE_ID"]
    value = mesh.judge.redis.hget("tweetmesh:health", f"kafka-consumer/{instance}")
    return json.loads(value) if value else {}


def test_health_is_fresh_while_nothing_happens_and_gone_after_the_end(mesh: Tested) -> None:
    first = wait_for("health", lambda: health_of(mesh))
    later = wait_for("a newer one", lambda: (h := health_of(mesh))["at_ms"] > first["at_ms"] and h)
    assert (later["state"], later["ready"], later["partitions"], later["lag"]) == ("ready", True, PARTITIONS, 0)
    assert mesh["kafka-consumer"].stop() == 0
    assert health_of(mesh) == {}


def test_a_partition_is_told_of_by_one_consumer(mesh: Tested) -> None:
    """Who gave it away says nothing of it any more, so that sums over all of them are right."""
    send(mesh, 400)
    mesh.judge.expect_equal(mesh.stream, 400)
    expect_exact(mesh)
    mesh.add("kafka-consumer-2")
    both = ("kafka-consumer", "kafka-consumer-2")

    def shared() -> bool:
        told = [set(gauges(mesh, name)["tweetmesh_settled_offset"]) for name in both]
        return len(told[0]) == len(told[1]) == PARTITIONS // 2 and not told[0] & told[1]

    wait_for("each tells of two partitions", shared)
    send(mesh, 400)
    mesh.judge.expect_equal(mesh.stream, 800)
    ends = ends_of(mesh)
    for gauge in GAUGES:
        wait_for(
            f"{gauge} adds up", lambda gauge=gauge: {**gauges(mesh)[gauge], **gauges(mesh, both[1])[gauge]} == ends
        )
    wait_for("both are exact", lambda: exact(mesh) == exact(mesh, both[1]) == 1)


def test_without_redis_nothing_is_called_exact(make_mesh, own_servers) -> None:
    mesh = make_mesh()
    send(mesh, 50)
    mesh.judge.expect_equal(mesh.stream, 50)
    expect_exact(mesh)
    own_servers.redis.stop()
    try:
        wait_for("not exact", lambda: exact(mesh) == 0)
    finally:
        own_servers.redis.start()
    expect_exact(mesh)
