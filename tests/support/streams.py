# SPDX-License-Identifier: Apache-2.0
"""A stream of its own for every test: same shape as streams/tweets.json, other names.

So tests share one Kafka, Redis and MongoDB and still never see each other's events.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PARTITIONS = 4


@dataclass(frozen=True)
class Stream:
    name: str
    path: str
    topic: str
    collection: str
    schema: dict
    count_by: str
    folder: Path  # STREAMS_DIR

    @property
    def dlq_topic(self) -> str:
        return f"{self.topic}.dlq"


def declare(folder: Path, name: str = "tweets", **changes: object) -> Stream:
    """Writes folder/<name>.json: the default stream with names nobody else has, and the changes."""
    mark = secrets.token_hex(4)
    declared = json.loads((PROJECT / "streams" / "tweets.json").read_text())
    names = {"stream": f"{name}-{mark}", "topic": f"{name}-topic-{mark}", "collection": f"{name}_{mark}"}
    declared |= names | changes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(declared))
    return Stream(
        name=declared["stream"],
        path=declared["path"],
        topic=declared["topic"],
        collection=declared["collection"],
        schema=declared["schema"],
        count_by=declared["count_by"],
        folder=folder,
    )
