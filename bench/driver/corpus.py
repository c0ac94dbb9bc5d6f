# SPDX-License-Identifier: Apache-2.0
"""The payload: tweets of 200 to 300 bytes from the project's own corpus, as lines of files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from stack.mesh import PROJECT

TWEETS = PROJECT / "locust/data/tweets.json"
BYTES_MIN, BYTES_MAX = 200, 300
BATCH = 100
BATCHES = 100  # bodies of BATCH events each


def as_line(tweet: dict) -> str:
    return json.dumps(tweet, ensure_ascii=False)


def tweets(path: Path = TWEETS) -> list[str]:
    """JSON objects, one a line each. Raises ValueError if the file has none of that size."""
    lines = [as_line(tweet) for tweet in json.loads(path.read_text())]
    fitting = [line for line in lines if BYTES_MIN <= len(line.encode()) <= BYTES_MAX]
    if not fitting:
        raise ValueError(f"{path} has no tweet of {BYTES_MIN} to {BYTES_MAX} bytes")
    return fitting


def batches(lines: list[str], size: int = BATCH, count: int = BATCHES) -> list[str]:
    """JSON arrays, one a line each; the tweets in them round and round."""
    return ["[" + ",".join(lines[(n * size + i) % len(lines)] for i in range(size)) + "]" for n in range(count)]


@dataclass(frozen=True)
class Corpus:
    """Files in a folder: request bodies of one event, of BATCH events."""

    singles: Path
    lists: Path

    @classmethod
    def write(cls, folder: Path) -> Corpus:
        lines = tweets()
        corpus = cls(folder / "tweets.ndjson", folder / f"tweets-by-{BATCH}.ndjson")
        folder.mkdir(parents=True, exist_ok=True)
        corpus.singles.write_text("".join(f"{line}\n" for line in lines))
        corpus.lists.write_text("".join(f"{line}\n" for line in batches(lines)))
        return corpus

    def of(self, batch: int) -> Path:
        return {1: self.singles, BATCH: self.lists}[batch]
