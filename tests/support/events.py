# SPDX-License-Identifier: Apache-2.0
"""Events to send: plain, varied, each recognisable by its text."""

from __future__ import annotations

import json
import os
from pathlib import Path

from support.streams import PROJECT

# As people write it, and as it must be counted.
COUNTRIES = (
    ("US", "United States"),
    ("guatemala", "Guatemala"),
    ("España", "Spain"),
    ("DEU", "Germany"),
    ("Narnia", "Unknown"),
    ("japón", "Japan"),
    ("br", "Brazil"),
)


def tweet(number: int = 0, **fields: object) -> dict:
    written, _ = COUNTRIES[number % len(COUNTRIES)]
    return {"text": f"tweet {number}: ¿lloverá mañana? 🌧", "country": written, **fields}


def tweets(count: int) -> list[dict]:
    return [tweet(number) for number in range(count)]


def groups(count: int) -> dict[str, int]:
    """How tweets(count) must be counted."""
    counted: dict[str, int] = {}
    for number in range(count):
        _, group = COUNTRIES[number % len(COUNTRIES)]
        counted[group] = counted.get(group, 0) + 1
    return counted


def encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def ndjson(events: list[dict]) -> bytes:
    return b"".join(encode(event) + b"\n" for event in events)


def real_tweets_path() -> Path:
    """Real tweets, which are not shipped: $TWEETMESH_REAL_TWEETS, or a file beside the project."""
    beside = PROJECT.parent / "shared" / "data" / "tweets-real.ndjson"
    return Path(os.environ.get("TWEETMESH_REAL_TWEETS", beside))
