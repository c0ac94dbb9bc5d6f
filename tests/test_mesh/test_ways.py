# SPDX-License-Identifier: Apache-2.0
"""Links and wires are disturbed as they say, nothing gets past them, and who judges is never disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from confluent_kafka import Producer

from stack import Mesh, Options, StackError
from stack.links import PAIRS
from stack.namespaces import possible
from stack.process import poll_until

STARTER = """
import os, signal, sys
from pathlib import Path
from stack.component import Home
from stack.namespaces import Wires
wires = Wires(Home(Path(sys.argv[1])), {})
for part in wires.parts:
    part.start()
wires.open()
print(*(name for name in os.listdir("/sys/class/net") if name.startswith(f"tm{os.getpid()}-")), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path_factory.mktemp("linked"), Options(links=True))
    try:
        mesh.start_servers()
        yield mesh
    finally:
        mesh.stop()


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path_factory.mktemp("wired"), Options(namespaces=True))
    try:
        mesh.start_servers()
        yield mesh
    finally:
        mesh.stop()


def client(url: str, seconds: float = 0.5) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=None)


def by_way(mesh: Mesh, program: str = "kafka-consumer", seconds: float = 0.5) -> redis.Redis:
    """Redis as this program reaches it."""
    return client(mesh.programs[program].settings["REDIS_URL"], seconds)


def stored(brokers: str, seconds: float = 3) -> bool:
    """Whether Kafka acknowledges a record that is sent to it by these brokers."""
    errors: list[object] = []
    wanted = {"acks": "all", "delivery.timeout.ms": int(seconds * 1000), "socket.timeout.ms": 1000, "log_level": 0}
    producer = Producer({"bootstrap.servers": brokers, "reconnect.backoff.max.ms": 200, **wanted})
    producer.produce("messages", b"x", on_delivery=lambda error, _message: errors.append(error))
    producer.flush(seconds + 5)
    return len(errors) == 1 and errors[0] is None  # not ==: a KafkaError compares with numbers only


def wait_stored(brokers: str) -> None:
    assert any(stored(brokers) for _ in poll_until(60))


def wait_ping(connection: redis.Redis) -> None:
    for _ in poll_until(20):
        try:
            connection.ping()
            return
        except redis.RedisError:
            pass
    pytest.fail("Redis does not answer")


def fails(connection: redis.Redis) -> bool:
    try:
        connection.ping()
    except redis.RedisError:
        return True
    return False


# Links.


def test_every_pair_has_a_link_that_heals(linked: Mesh) -> None:
    assert tuple(linked.links) == PAIRS
    for link in linked.links.values():
        link.cut()
        link.latency(5)
        link.heal()
    wait_ping(by_way(linked))


@pytest.mark.parametrize("disturb", ["cut", "half_open", "reset_peer", "one_way"])
def test_link_that_is_disturbed_stops_one_pair_only(linked: Mesh, disturb: str) -> None:
    disturbed = by_way(linked)
    disturbed.ping()
    link = linked.links["kafka-consumer-redis"]
    getattr(link, disturb)()
    try:
        assert fails(disturbed), "the connection that was there"
        assert fails(by_way(linked)), "a new one"
        by_way(linked, "ws-redis").ping()
        client(linked.redis.url).ping()
    finally:
        link.heal()
    wait_ping(by_way(linked))


def test_latency_is_felt_each_way(linked: Mesh) -> None:
    connection = by_way(linked, seconds=10)
    connection.ping()
    link = linked.links["kafka-consumer-redis"]
    link.latency(100)
    try:
        started = time.monotonic()
        connection.ping()
        assert time.monotonic() - started >= 0.2
    finally:
        link.heal()


def test_what_was_held_up_one_way_arrives_late(linked: Mesh) -> None:
    """The command got through, and its answer comes when nobody believes in it any more."""
    late = by_way(linked, seconds=20)
    pipe = late.connection_pool.get_connection()
    link = linked.links["kafka-consumer-redis"]
    link.one_way("downstream")
    try:
        pipe.send_command("SET", "late", "1")
        direct = client(linked.redis.url)
        assert any(direct.get("late") == b"1" for _ in poll_until(10))
        assert not pipe.can_read(0.3)
    finally:
        link.heal()
    assert pipe.read_response() == b"OK"
    late.connection_pool.release(pipe)


def test_kafka_is_reached_by_the_link_alone(linked: Mesh) -> None:
    """A broker tells its clients addresses, which must not lead past the link."""
    ways = {name: linked.programs[name].settings["KAFKA_BROKERS"] for name in ("grpc-server", "kafka-consumer")}
    wait_stored(ways["grpc-server"])
    link = linked.links["grpc-server-kafka"]
    link.cut()
    try:
        assert not stored(ways["grpc-server"])
        wait_stored(ways["kafka-consumer"])
        wait_stored(linked.kafka.url)
    finally:
        link.heal()
    wait_stored(ways["grpc-server"])


# Three brokers.


def test_cluster_acknowledges_with_two_of_three_and_not_with_one(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path, Options(brokers=3))
    try:
        mesh.start_servers()
        kafka = mesh.kafka
        wait_stored(kafka.url)
        first = kafka.leader_of("messages", 0)
        first.kill()
        assert kafka.leader_of("messages", 0) is not first
        wait_stored(kafka.url)
        second = next(broker for broker in kafka.brokers if broker.alive())
        second.kill()
        assert not stored(kafka.url)
        kafka.start()
        kafka.wait_in_sync(["messages"])
        wait_stored(kafka.url)
    finally:
        mesh.stop()


# Namespaces.


def test_namespaces_are_possible_here() -> None:
    """Where they are not, the rows of ./mesh chaos that need them fail and say why; so does this."""
    assert possible(), "network namespaces need root, or all of it in `unshare --user --map-root-user --net`"


def test_wire_that_is_down_stops_programs_and_not_judges(wired: Mesh) -> None:
    wire = wired.wires["redis"]
    wait_ping(by_way(wired))
    wire.take_down()
    try:
        assert fails(by_way(wired))
        client(wired.redis.url).ping()
    finally:
        wire.heal()
    wait_ping(by_way(wired))


def test_wire_loses_packets_both_ways(wired: Mesh) -> None:
    def lost() -> list[int]:
        text = wire.exchange.run("iptables", "--wait", "--list", "FORWARD", "--verbose", "--exact", "--numeric")
        return [int(line.split()[0]) for line in text.splitlines() if "DROP" in line]

    wire = wired.wires["redis"]
    connection = by_way(wired, seconds=30)
    wire.lose(0.2)
    try:
        assert lost() == [0, 0]
        for _ in poll_until(60, 0):
            connection.ping()  # TCP sends again what was lost
            if all(lost()):
                break
        assert all(lost())
    finally:
        wire.heal()
    assert lost() == []


def test_kafka_is_reached_by_the_wire_alone(wired: Mesh) -> None:
    way = wired.programs["grpc-server"].settings["KAFKA_BROKERS"]
    wait_stored(way)
    wired.wires["kafka"].take_down()
    try:
        assert not stored(way)
        wait_stored(wired.kafka.url)
    finally:
        wired.wires["kafka"].heal()
    wait_stored(way)


def test_killed_run_leaves_no_interface(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTER, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    names = done.stdout.split()
    assert len(names) == 4, names
    for _ in poll_until(20):
        if not any(name in os.listdir("/sys/class/net") for name in names):
            return
    pytest.fail(f"{names} are still there")


@pytest.mark.parametrize("options", [{"external": {"redis": "redis://127.0.0.1:1"}}, {"brokers": 3}, {"links": True}])
def test_what_does_not_go_together_is_refused(options: dict) -> None:
    with pytest.raises(StackError, match="do not go together"):
        Options(namespaces=True, **options)
