# SPDX-License-Identifier: Apache-2.0
"""The stack keeps data over kill -9, cleans up after itself, and touches nobody else's process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pymongo
import pytest
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from stack import Mesh, Options, Redis, StackError
from stack.component import Home
from stack.mesh import end_leftovers, read_state
from stack.ports import accepts, free_port
from stack.process import Identity, Process, poll_until

STARTER = """
import os, signal, sys
from pathlib import Path
from stack.component import Home
from stack.mesh import Mesh, Options
mesh = Mesh(Path(sys.argv[1]), Options(
    external={"kafka": "127.0.0.1:1", "mongo": "mongodb://127.0.0.1:1"}, dies_with_us=sys.argv[2] == "dies"))
mesh.redis.start()
print(mesh.redis.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_run(folder: Path, how: str) -> int:
    """A run that starts Redis and is killed; the pid of the Redis."""
    done = subprocess.run(
        [sys.executable, "-c", STARTER, str(folder), how], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return int(done.stdout)


def wait_gone(pid: int) -> None:
    for _ in poll_until(20):
        if Identity.of(pid) is None:
            return
    pytest.fail(f"process {pid} is still there")


def test_topics_of_the_streams_exist(servers: Mesh) -> None:
    consumer = Consumer({"bootstrap.servers": servers.kafka.url, "group.id": "t"})
    topics = consumer.list_topics(timeout=10).topics
    consumer.close()
    assert len(topics["messages"].partitions) == 4
    assert len(topics["messages.dlq"].partitions) == 1


def test_topics_are_created_once(servers: Mesh) -> None:
    assert servers.kafka.create_topics({"twice": 2}) == ["twice"]
    assert servers.kafka.create_topics({"twice": 2}) == []


def test_kafka_keeps_records_over_kill(servers: Mesh) -> None:
    servers.kafka.create_topics({"kept": 1})
    producer = Producer({"bootstrap.servers": servers.kafka.url, "acks": "all"})
    producer.produce("kept", b"x")
    assert producer.flush(20) == 0
    port = servers.kafka.ports["kafka"]
    servers.kafka.kill()
    assert not accepts(port)
    servers.kafka.start()
    consumer = Consumer({"bootstrap.servers": servers.kafka.url, "group.id": "t"})
    for _ in poll_until(20):  # it answers before it leads
        try:
            assert consumer.get_watermark_offsets(TopicPartition("kept", 0), timeout=20) == (0, 1)
            break
        except KafkaException as error:
            assert error.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION
    consumer.close()


def test_redis_and_mongo_keep_data_over_restart(servers: Mesh) -> None:
    with redis.Redis.from_url(servers.redis.url) as client:
        client.set("kept", "1")
    with pymongo.MongoClient(servers.mongo.url) as client:
        client.kept.things.insert_one({"_id": "1"})
    servers.redis.restart()
    servers.mongo.kill()
    servers.mongo.start()
    with redis.Redis.from_url(servers.redis.url) as client:
        assert client.get("kept") == b"1"
    with pymongo.MongoClient(servers.mongo.url) as client:
        assert client.kept.things.find_one({"_id": "1"}) == {"_id": "1"}


def test_paused_server_does_not_answer_until_resumed(servers: Mesh) -> None:
    client = redis.Redis.from_url(servers.redis.url, socket_timeout=0.3, retry=None)
    servers.redis.pause()
    try:
        with pytest.raises(redis.TimeoutError):
            client.ping()
    finally:
        servers.redis.resume()
    servers.redis.wait_ready(20)
    client.close()


def test_redis_takes_options(tmp_path: Path) -> None:
    server = Redis("redis", Home(tmp_path), options={"appendfsync": "always"})
    server.start()
    try:
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            assert client.config_get("appendfsync") == {"appendfsync": "always"}
            assert client.config_get("appendonly") == {"appendonly": "yes"}
    finally:
        assert server.stop() == 0


def test_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    server = Redis("redis", Home(tmp_path), options={"no-such-option": "1"})
    with pytest.raises(StackError, match="no-such-option"):
        server.start()


def test_killed_test_run_leaves_no_server(tmp_path: Path) -> None:
    wait_gone(killed_run(tmp_path, "dies"))


def test_next_run_ends_what_a_killed_one_left(tmp_path: Path) -> None:
    pid = killed_run(tmp_path, "stays")
    assert Identity.of(pid) is not None
    assert end_leftovers(tmp_path) == ["redis"]
    wait_gone(pid)
    assert read_state(tmp_path) is None


def test_process_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    """Its pid is in our state file, but it was started at another time: the pid was given away."""
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        identity = Identity.of(stranger.pid)
        assert identity is not None
        for changed in ({"start_time": identity.start_time - 1}, {"boot": "another"}):
            component = {"process": identity.as_dict() | changed, "ports": {}, "log": "/dev/null"}
            state = {"options": {}, "programs": [], "components": {"redis": component}}
            (tmp_path / "state.json").write_text(json.dumps(state))
            assert end_leftovers(tmp_path) == []
            assert Process.adopt("redis", component["process"], tmp_path / "log") is None
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    first = Mesh(tmp_path, Options())
    with pytest.raises(StackError, match="another run"):
        Mesh(tmp_path, Options())
    first.stop()
    Mesh(tmp_path, Options()).stop()


def test_external_servers_are_used_and_left_alone(servers: Mesh, tmp_path: Path) -> None:
    urls = {name: getattr(servers, name).url for name in ("kafka", "redis", "mongo")}
    mesh = Mesh(tmp_path, Options(external=urls))
    mesh.start_servers()
    assert mesh.store_settings() | {"STREAMS_DIR": ""} == servers.store_settings() | {"STREAMS_DIR": ""}
    with pytest.raises(StackError, match="external"):
        mesh.redis.kill()
    mesh.stop()
    assert all(server.alive() and server.is_ready() for server in servers.servers)


def test_ports_are_given_once_and_not_ephemeral() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = {free_port() for _ in range(50)}
    assert len(ports) == 50
    assert max(ports) < lowest


def test_long_folder_gets_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    mesh = Mesh(folder, Options())
    target = mesh.programs["api"].settings["GRPC_TARGET"]
    mesh.stop()
    assert target.startswith("unix:/") and len(os.fsencode(target)) < 107
