# SPDX-License-Identifier: Apache-2.0
"""Bare TCP connections to the programs, by the thousand, for faults that use them up."""

from __future__ import annotations

import resource
import socket
import struct

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
KEPT_FREE = 500  # descriptors for all else that this process does


def connect(port: int, seconds: float = 5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), seconds)


def upgrade(connection: socket.socket, protocol: str) -> bytes:
    """Asks for a WebSocket; the answer's head, as far as it came at once."""
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: " + protocol.encode() + b"\r\n\r\n"
    )
    return connection.recv(1000)


def reset(connection: socket.socket) -> None:
    """Closes it with RST, so that it leaves no TIME_WAIT: ports are few."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def allow_descriptors(pid: int, wanted: int) -> int:
    """Raises that process's limit as far as needed and possible; how many connections it then may have."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    soft = max(soft, min(hard, wanted + KEPT_FREE))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, soft - KEPT_FREE)
