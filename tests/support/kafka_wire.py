# SPDX-License-Identifier: Apache-2.0
"""The one request of Kafka's protocol that Debian's client library does not know: DeleteRecords."""

from __future__ import annotations

import socket
import struct

DELETE_RECORDS, VERSION, CORRELATION = 21, 1, 7
TIMEOUT_MS = 30000


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def delete_records(broker: str, topic: str, ends: dict[int, int]) -> None:
    """Makes the log of each partition begin at the offset given. The broker ("host:port") must lead them all."""
    places = b"".join(struct.pack(">iq", partition, offset) for partition, offset in ends.items())
    body = struct.pack(">hhi", DELETE_RECORDS, VERSION, CORRELATION) + _text("tests")
    body += struct.pack(">i", 1) + _text(topic) + struct.pack(">i", len(ends)) + places + struct.pack(">i", TIMEOUT_MS)
    host, _, port = broker.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_MS / 1000) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        with connection.makefile("rb") as reader:
            (size,) = struct.unpack(">i", reader.read(4))
            reply = reader.read(size)
    # Correlation, throttling, one topic and its name; then a row per partition.
    rows = reply[4 + 4 + 4 + 2 + len(topic.encode()) + 4 :]
    errors = {partition: error for partition, _, error in struct.iter_unpack(">iqh", rows) if error}
    assert not errors and len(rows) == 14 * len(ends), f"Kafka's error codes by partition: {errors or reply!r}"
