# SPDX-License-Identifier: Apache-2.0
"""What a broker of ours keeps of a topic on its disk: how much, and how it is compressed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from stack.kafka import Kafka

# A record batch from its beginning: offset, length of what follows, leader's epoch, magic, sum, attributes.
_BATCH = struct.Struct(">qiibIh")
_BEFORE_LENGTH_COUNTS = 12
_TYPES = ("none", "gzip", "snappy", "lz4", "zstd")  # the lowest three bits of the attributes


def _segments(broker: Kafka, topic: str) -> Iterator[Path]:
    for folder in (broker.data / "data").glob(f"{topic}-*"):
        if folder.name.removeprefix(f"{topic}-").isdigit():
            yield from folder.glob("*.log")


def log_bytes(broker: Kafka, topic: str) -> int:
    """What the records of a topic take on the broker's disk, its indexes left out."""
    return sum(segment.stat().st_size for segment in _segments(broker, topic))


def compression_types(broker: Kafka, topic: str) -> set[str]:
    """Kafka's compression.type of each batch of a topic."""
    found = set()
    for segment in _segments(broker, topic):
        content = segment.read_bytes()
        at = 0
        while at < len(content):
            _, length, _, _, _, attributes = _BATCH.unpack_from(content, at)
            found.add(_TYPES[attributes & 7])
            at += _BEFORE_LENGTH_COUNTS + length
    return found
