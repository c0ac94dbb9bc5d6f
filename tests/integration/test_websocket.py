# SPDX-License-Identifier: Apache-2.0
"""Goal: browsers see live totals, and nothing that arrives on the WebSocket can falsify or stop the counters.

Method: python's websocket client on both subprotocols, with good frames, lies and garbage.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from contextlib import suppress

import pytest
import websocket
from support.events import groups, tweets
from support.grpc_client import counts
from support.tested import Tested
from support.waiting import wait_for

from stack.process import poll_until


def connect(mesh: Tested, protocol: str) -> websocket.WebSocket:
    return websocket.create_connection(mesh.mesh.ws_url, subprotocols=[protocol], timeout=5)


def frame(mesh: Tested, **changes: object) -> bytes:
    fields = {
        "stream": mesh.stream.name,
        "partition": 0,
        "first_offset": 0,
        "groups": b"\x00\x00\x01",
        "group_names": ["Spain", "Japan"],
        "accepted_at": 1_767_322_245_678,
    }
    return counts().CountFrame(**(fields | changes)).SerializeToString()


def see(viewer: websocket.WebSocket, what: str, wanted: Callable[[str], bool]) -> str:
    """Reads messages until one is as wanted."""
    last = ""
    for _ in poll_until(30, 0):
        with suppress(websocket.WebSocketTimeoutException):
            last = viewer.recv()
            json.loads(last)
            if wanted(last):
                return last
    raise AssertionError(f"{what} was not shown; last message {last[:500]}")


def test_the_live_page_and_what_it_needs_are_served(shared_mesh: Tested) -> None:
    client = shared_mesh.client("ws-redis", "ws")
    page = client.get("/")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    needed = re.findall(r'(?:src|href)="([^":#]+)"', page.body.decode())
    assert needed, "the page has neither script nor style"
    parts = [client.get("/" + name.lstrip("./")) for name in needed]
    assert [part.status for part in parts] == [200] * len(parts)
    assert any(b"live.v1" in part.body for part in parts), "nothing on the page speaks live.v1"
    assert client.get("/no-such-file").status == 404


def test_browsers_see_totals_and_groups(make_mesh) -> None:
    mesh = make_mesh()
    viewer = connect(mesh, "live.v1")
    try:
        see(viewer, "the stream", lambda text: mesh.stream.name in text)
        assert mesh.client().post("/input", tweets(700)).status == 202
        shown = see(viewer, "the total", lambda text: "700" in text and "Guatemala" in text)
        assert mesh.stream.name in shown
    finally:
        viewer.close()
    mesh.judge.expect_equal(mesh.stream, 700)


def test_a_hint_counts_at_once_and_only_once(make_mesh) -> None:
    mesh = make_mesh("ws-redis")
    sender = connect(mesh, "counts.v1")
    for _ in range(3):
        sender.send_binary(frame(mesh))
    wait_for("counted", lambda: mesh.judge.counts(mesh.stream).groups == {"Spain": 2, "Japan": 1})
    sender.send_binary(frame(mesh, first_offset=2, groups=b"\x01\xff\x00"))
    wait_for("the new offset is counted", lambda: mesh.judge.counts(mesh.stream).total == 4)
    assert mesh.judge.counts(mesh.stream).groups == {"Spain": 3, "Japan": 1}
    sender.close()


def garbage(mesh: Tested) -> list[bytes]:
    whole = frame(mesh)
    return [
        b"",
        b"\x00",
        b"\xff" * 100,
        whole[:-3],
        secrets.token_bytes(3000),
        frame(mesh, stream="no-such-stream"),
        frame(mesh, stream=""),
        frame(mesh, groups=b""),
        frame(mesh, groups=b"\x00" * 5000),
        frame(mesh, groups=b"\x07"),
        frame(mesh, group_names=["x" * 1000]),
        frame(mesh, group_names=["Atlantis", "c:total\r\n"]),
        frame(mesh, first_offset=2**64 - 1),
        frame(mesh, partition=2**32 - 1),
        frame(mesh, group_names=["Spain"] * 300),
    ]


def test_garbage_counts_for_nothing(make_mesh) -> None:
    mesh = make_mesh("ws-redis")
    for bad in garbage(mesh):
        with suppress(websocket.WebSocketException, OSError):  # it may close the door on us
            sender = connect(mesh, "counts.v1")
            sender.send_binary(bad)
            sender.send("text is not binary")
            sender.close()
    good = connect(mesh, "counts.v1")
    good.send_binary(frame(mesh))
    wait_for("a good frame still counts", lambda: mesh.judge.counts(mesh.stream).total == 3)
    assert mesh.judge.counts(mesh.stream).groups == {"Spain": 2, "Japan": 1}
    assert mesh["ws-redis"].alive()
    good.close()


def test_lies_are_put_right_by_the_log(make_mesh) -> None:
    """Hints for offsets of another group, and for offsets that never came: the settle pass decides."""
    mesh = make_mesh()
    answer = mesh.client().post("/input", tweets(200))
    assert answer.status == 202
    mesh.judge.expect_equal(mesh.stream, 200)
    ends = mesh.judge.ends(mesh.stream.topic)
    liar = connect(mesh, "counts.v1")
    for partition, end in ends.items():
        liar.send_binary(frame(mesh, partition=partition, first_offset=0, groups=b"\x00" * min(end, 4096)))
    liar.close()
    assert mesh.client().post("/input", tweets(100)).status == 202
    mesh.judge.expect_equal(mesh.stream, 300)
    shown = mesh.judge.counts(mesh.stream).groups
    assert shown == {name: count + groups(100).get(name, 0) for name, count in groups(200).items()}


@pytest.mark.parametrize("protocol", ["counts.v2", "chat", ""])
def test_another_subprotocol_is_refused(shared_mesh: Tested, protocol: str) -> None:
    subprotocols = [protocol] if protocol else None
    with suppress(websocket.WebSocketException, OSError):
        opened = websocket.create_connection(shared_mesh.mesh.ws_url, subprotocols=subprotocols, timeout=5)
        assert opened.getsubprotocol() in (None, "live.v1")
        opened.close()
    assert shared_mesh["ws-redis"].is_ready()


def test_viewers_that_do_not_read_do_not_stop_the_counters(make_mesh) -> None:
    mesh = make_mesh()
    viewers = [connect(mesh, "live.v1") for _ in range(20)]
    for _ in range(10):
        assert mesh.client().post("/input", tweets(500)).status == 202
    mesh.judge.expect_equal(mesh.stream, 5000)
    for viewer in viewers:
        viewer.close()
