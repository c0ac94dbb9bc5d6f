# SPDX-License-Identifier: Apache-2.0
"""What Redis holds of one stream's counts. Threads: one at a time."""

from __future__ import annotations

from dataclasses import dataclass

import redis
from support.judges import Counts, seen_in_redis


@dataclass(frozen=True)
class Seen:
    """The truth and the derived hashes, read one after the other without anything between them."""

    state: Counts
    shown: dict[str, int]
    shown_total: int

    def figures(self) -> dict[str, int]:
        return seen_in_redis(self.state, self.shown, self.shown_total)

    def highest(self) -> dict[str, int]:
        """Of every group, and of the total (""), the greatest number that anybody could see."""
        groups = dict(self.state.groups)
        for name, count in self.shown.items():
            groups[name] = max(count, groups.get(name, 0))
        return groups | {"": max(self.state.total, self.shown_total)}


class Counters:
    def __init__(self, url: str, stream: str, count_by: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._keys = [f"{{{stream}}}:{name}" for name in ("state", count_by, "totals")]

    def close(self) -> None:
        self._redis.close()

    def now(self) -> Seen | None:
        """None: Redis does not answer, or what it holds is not what it should be."""
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for key in self._keys:
                pipeline.hgetall(key)
            state, shown, totals = pipeline.execute()
            return _seen(state, shown, totals)
        except (redis.RedisError, OSError, ValueError):
            return None

    def watermark(self, partition: int) -> int:
        """-1: Redis does not answer."""
        try:
            return int(self._redis.hget(self._keys[0], f"w:{partition}") or 0)
        except (redis.RedisError, OSError, ValueError):
            return -1


def _seen(state: dict, shown: dict, totals: dict) -> Seen:
    groups = {key[2:].decode(): int(value) for key, value in state.items() if key.startswith(b"c:")}
    marks = {int(key[2:]): int(value) for key, value in state.items() if key.startswith(b"w:")}
    counts = Counts(
        {name: count for name, count in groups.items() if count},
        int(state.get(b"total", 0)),
        {partition: mark for partition, mark in marks.items() if mark},
    )
    named = {key.decode(): int(value) for key, value in shown.items() if int(value)}
    return Seen(counts, named, int(totals.get(b"total", 0)))
