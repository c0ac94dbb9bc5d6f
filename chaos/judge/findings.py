# SPDX-License-Identifier: Apache-2.0
"""What is found against a mesh: each finding with its invariant and the event it is about."""

from __future__ import annotations

import sys
import threading
from collections import Counter

LISTED_MAX = 20
LISTED_OF_ONE_KIND_MAX = 6


class Findings:
    """Threads: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._counts: Counter[str] = Counter()
        self._listed: list[tuple[str, str]] = []

    def add(self, kind: str, text: str, token: str = "") -> None:
        """kind: "I1" to "I8", or "goal"."""
        line = f"{kind}: {f'{token}: ' if token else ''}{text}"
        with self._lock:
            self._counts[kind] += 1
            if self._counts[kind] > LISTED_OF_ONE_KIND_MAX or len(self._listed) >= LISTED_MAX:
                return
            self._listed.append((kind, line))
        print(f"violation: {line}", file=sys.stderr, flush=True)

    def count(self, kind: str) -> int:
        return self._counts[kind]

    def lines(self) -> list[str]:
        """What is listed, and how many of each kind are not."""
        with self._lock:
            listed = Counter(kind for kind, _ in self._listed)
            rest = [f"{kind}: … and {n - listed[kind]} more" for kind, n in self._counts.items() if n > listed[kind]]
            return [line for _, line in sorted(self._listed)] + rest
