# SPDX-License-Identifier: Apache-2.0
"""Response times in microseconds, kept as a small table that workers can send to the master.

Locust itself keeps whole milliseconds, which is too coarse for an API that answers in one.
"""

from __future__ import annotations

import math
from collections import Counter


class Latencies:
    """Counts of response times rounded to three digits, and when the requests began and ended."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.first_s = math.inf
        self.last_s = -math.inf

    def add(self, start_s: float, took_ms: float) -> None:
        self.counts[_three_digits(took_ms * 1000)] += 1
        self.first_s = min(self.first_s, start_s)
        self.last_s = max(self.last_s, start_s + took_ms / 1000)

    def merge(self, table: dict) -> None:
        """Adds what drain() of another process returned."""
        for key, count in table["counts"]:
            self.counts[key] += count
        if table["counts"]:
            self.first_s = min(self.first_s, table["first_s"])
            self.last_s = max(self.last_s, table["last_s"])

    def drain(self) -> dict:
        """Returns the table for merge() and starts an empty one."""
        table = {
            "counts": list(self.counts.items()),
            "first_s": self.first_s,
            "last_s": self.last_s,
        }
        self.__init__()
        return table

    @property
    def seconds(self) -> float:
        """From the start of the first request to the end of the last."""
        return max(0.0, self.last_s - self.first_s)

    def percentile_ms(self, share: float) -> float:
        """The time within which this share of the requests was answered; 0 if there were none."""
        wanted = math.ceil(self.counts.total() * share)
        seen = 0
        for key in sorted(self.counts):
            seen += self.counts[key]
            if seen >= wanted:
                return key / 1000
        return 0.0


def _three_digits(microseconds: float) -> int:
    value = max(0, round(microseconds))
    return round(value, 3 - len(str(value)))
