# SPDX-License-Identifier: Apache-2.0
"""One stage of a load shape: what it should reach, and what it did."""

from __future__ import annotations

from dataclasses import dataclass

RATE_PER_USER = 10  # requests/s at most
SETTLE_SHARE = 0.3  # of a stage: users start, and a worker's report may be seconds old


@dataclass
class Stage:
    users: int
    seconds: float
    rate_target: float = 0.0
    rate: float | None = None  # requests/s after it had settled; None: too short to tell

    def __post_init__(self) -> None:
        self.rate_target = float(self.users * RATE_PER_USER)
        self._first: tuple[float, int] | None = None

    def sample(self, into_s: float, requests: int) -> None:
        """Notes how many requests there have been, into_s seconds after the stage's start."""
        if into_s < self.seconds * SETTLE_SHARE:
            return
        if self._first is None:
            self._first = (into_s, requests)
            return
        since_s, before = self._first
        if into_s > since_s:
            self.rate = round((requests - before) / (into_s - since_s), 1)

    def reached(self, share: float) -> bool:
        """True if the rate was at least this share of its target."""
        return self.rate is not None and self.rate >= share * self.rate_target
