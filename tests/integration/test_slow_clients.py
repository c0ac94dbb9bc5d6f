# SPDX-License-Identifier: Apache-2.0
"""Goal: a client that is too slow is ended by our own clock, and does not disturb others.

Method: a mesh with short limits; heads and bodies that never end, some dripping byte by byte.
"""

from __future__ import annotations

import socket
import time

import pytest
from support.events import tweet
from support.http import JSON
from support.tested import Tested

from stack.process import poll_until

HEAD = f"POST /input HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 500\r\n".encode()


@pytest.fixture(scope="module")
def hasty(make_module_mesh) -> Tested:
    """api that waits 0.6 s for a head and 0.9 s for a body."""
    settings = {"api": {"HEAD_MS_MAX": "600", "BODY_MS_MAX": "900"}}
    return make_module_mesh("grpc-server", "api", settings=settings)


def drip(port: int, start: bytes, drop: bytes, seconds: float) -> tuple[bytes, float]:
    """Sends start, then drops, until the server closes; what it answered, and after how long."""
    began = time.monotonic()
    received = b""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(start)
        connection.settimeout(0.1)
        for _ in poll_until(seconds, 0):
            try:
                if drop:
                    connection.sendall(drop)
                chunk = connection.recv(65536)
                if not chunk:
                    return received, time.monotonic() - began
                received += chunk
            except TimeoutError:
                continue
            except ConnectionError:
                return received, time.monotonic() - began
    raise AssertionError(f"the connection was still open after {seconds} s; received {received[:200]!r}")


@pytest.mark.parametrize("drop", [b"", b"X-Drip: 1\r\n"], ids=["silent", "dripping"])
def test_a_head_that_does_not_end_is_ended(hasty: Tested, drop: bytes) -> None:
    answer, took = drip(hasty.http_port, HEAD, drop, 15)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 "), answer[:200]
    assert took >= 0.4, "ended before its time"


@pytest.mark.parametrize("drop", [b"", b" "], ids=["silent", "dripping"])
def test_a_body_that_does_not_end_is_408(hasty: Tested, drop: bytes) -> None:
    before = hasty.stored()
    answer, took = drip(hasty.http_port, HEAD + b"\r\n" + b'{"text": "slow"', drop, 15)
    assert answer.startswith(b"HTTP/1.1 408 "), answer[:200]
    assert took >= 0.6, "ended before its time"
    assert hasty.stored() == before


def test_a_body_that_lies_unread_is_not_the_clients_fault(hasty: Tested) -> None:
    """api itself hangs for longer than a body may take; the client has sent everything meanwhile."""
    body = b'{"text": "patient", "country": "US"}'
    head = f"POST /input HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    before = hasty.stored()
    with socket.create_connection(("127.0.0.1", hasty.http_port), 30) as connection:
        connection.sendall(head + body[:10])
        time.sleep(0.2)  # so that the head has been read when it hangs
        hasty["api"].pause()
        connection.sendall(body[10:])
        time.sleep(1.5)  # longer than BODY_MS_MAX
        hasty["api"].resume()
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 202 "), answer[:200]
    assert hasty.stored() == before + 1


def test_silent_connections_do_not_keep_others_out(hasty: Tested) -> None:
    idle = [socket.create_connection(("127.0.0.1", hasty.http_port), 5) for _ in range(100)]
    try:
        for connection in idle:
            connection.sendall(b"POST /inp")
        assert hasty.client().post("/input", tweet()).status == 202
    finally:
        for connection in idle:
            connection.close()


def test_a_client_that_leaves_before_its_answer_does_no_harm(hasty: Tested) -> None:
    body = b'{"text": "gone", "country": "US"}'
    head = f"POST /input HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", hasty.http_port), 5) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            connection.sendall(head + body)
    assert hasty.client().post("/input", tweet()).status == 202
    assert hasty["api"].alive()
