# SPDX-License-Identifier: Apache-2.0
"""When which program was halted (SIGSTOP): such time is not held against its answers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

LOOK_S = 0.25  # how often somebody looks; so much may be missed at either side


@dataclass
class Halts:
    """Threads: any."""

    _spans: dict[str, list[list[float]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards _spans

    def seen(self, program: str, now: float) -> None:
        """It is halted now."""
        with self._lock:
            spans = self._spans.setdefault(program, [])
            if spans and now - spans[-1][1] < 3 * LOOK_S:
                spans[-1][1] = now
            else:
                spans.append([now - LOOK_S, now])

    def between(self, start: float, end: float, program: str) -> float:
        """Seconds of [start, end] in which it was halted."""
        with self._lock:
            spans = self._spans.get(program, [])
            return sum(max(0.0, min(end, last + LOOK_S) - max(start, first)) for first, last in spans)
