# SPDX-License-Identifier: Apache-2.0
"""A component's small disk is full when it should be, keeps its data, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from stack import Options, Redis, StackError
from stack.component import Home
from stack.disk import MIB, Disk
from stack.process import Identity, poll_until

MIB_OF_DISK = 16


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    server = Redis("redis", Home(tmp_path))
    server.disk = Disk(server.folder, MIB_OF_DISK, tmp_path / "disk.log")
    server.start()
    yield server
    server.stop()
    server.disk.unmount()


def client_of(server: Redis) -> redis.Redis:
    return redis.Redis.from_url(server.url, retry=None)


def refused(client: redis.Redis) -> bool:
    try:
        client.set("more", "x")
    except redis.ResponseError as error:
        return "MISCONF" in str(error)
    return False


def test_a_full_disk_refuses_writes_until_it_is_freed(server: Redis) -> None:
    with client_of(server) as client:
        assert not refused(client)
        server.disk.fill()
        assert server.disk.free_bytes() == 0
        assert any(refused(client) for _ in poll_until(20)), "Redis took writes that it cannot keep"
        server.disk.free()
        assert any(not refused(client) for _ in poll_until(20)), "Redis did not recover"


def test_data_outlives_a_kill_and_nobody_else_sees_it(server: Redis) -> None:
    with client_of(server) as client:
        client.set("kept", "1")
    pid = server.pid
    server.kill()
    assert Identity.of(pid) is None
    server.start()
    with client_of(server) as client:
        assert client.get("kept") == b"1"
    assert (server.data / "appendonlydir").is_dir()
    assert not (server.folder / "appendonlydir").exists(), "the mount is not private"


def test_what_lies_in_the_folder_is_on_the_disk(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_text("as it was")
    disk = Disk(folder, MIB_OF_DISK, tmp_path / "log")
    disk.mount()
    try:
        assert (disk.path / "inner" / "file").read_text() == "as it was"
        assert MIB_OF_DISK * MIB - disk.free_bytes() < MIB
        (disk.path / "more").write_text("only there")
    finally:
        disk.unmount()
    assert sorted(entry.name for entry in folder.iterdir()) == ["inner"]


def test_unmounted_disk_leaves_no_process(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 1, tmp_path / "log")
    disk.mount()
    holder = int(disk.path.parts[2])
    assert Identity.of(holder) is not None
    disk.unmount()
    assert any(Identity.of(holder) is None for _ in poll_until(20)), f"process {holder} is still there"


def test_disk_of_somebody_elses_server_is_refused() -> None:
    with pytest.raises(StackError, match="redis is not ours"):
        Options(external={"redis": "redis://127.0.0.1:1"}, disks={"redis": 8})
