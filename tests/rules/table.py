# SPDX-License-Identifier: Apache-2.0
"""What the fault run saw, for the end of the test's output."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Row:
    fault: str
    must: set[str]
    may: set[str]
    raised: set[str]
    cleared_s: float | None = None

    @property
    def verdict(self) -> str:
        if self.must - self.raised:
            return "MISSING " + ", ".join(sorted(self.must - self.raised))
        if self.raised - self.must - self.may:
            return "TOO MANY " + ", ".join(sorted(self.raised - self.must - self.may))
        return "ok"


TABLE: list[Row] = []


def lines() -> list[str]:
    if not TABLE:
        return []
    width = max(len(row.fault) for row in TABLE) + 2
    out = [f"{'fault':<{width}}{'cleared after':<15}{'verdict':<9}raised (in brackets: allowed, not demanded)"]
    for row in TABLE:
        cleared = "-" if row.cleared_s is None else f"{row.cleared_s:.0f} s"
        names = sorted(row.raised & row.must) + [f"({name})" for name in sorted(row.raised - row.must)]
        out.append(f"{row.fault:<{width}}{cleared:<15}{row.verdict:<8} {', '.join(names) or 'none'}")
    return out
