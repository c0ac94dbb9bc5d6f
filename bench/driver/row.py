# SPDX-License-Identifier: Apache-2.0
"""A row: one figure with its rounds, what is behind it, and whether it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.driver.figures import median, ratios, spread
from bench.driver.goals import BY_NAME, Goal


@dataclass
class Row:
    """values: the figure of each round. A void row is never ok: its figure is not to be believed."""

    goal: Goal
    values: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)  # what the figure was made of, where it is a ratio
    baseline: list[float] = field(default_factory=list)
    unit: str = ""  # of ours and baseline
    rounds: list[float] = field(default_factory=list)  # for the spread, where values are not those of rounds
    behind: dict[str, object] = field(default_factory=dict)  # CPU per process and so on, for RESULTS.md
    void: str = ""  # why it does not count

    @property
    def value(self) -> float | None:
        return median(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        return spread(self.rounds or self.values)

    @property
    def ok(self) -> bool:
        return not self.void and self.value is not None and self.goal.met(self.value)

    @property
    def verdict(self) -> str:
        if self.void or self.value is None:
            return "VOID"
        if self.goal.stretched(self.value):
            return "stretch"
        return "ok" if self.ok else "MISSED"

    def as_dict(self) -> dict:
        """As programs read it; a void row also says why."""
        row = {
            "id": self.goal.id,
            "what": self.goal.what + (f", {self.goal.unit}" if self.goal.unit else ""),
            "value": self.value,
            "goal": self.goal.goal,
            "better": self.goal.better,
            "ok": self.ok,
            "spread": self.spread,
        }
        return row | ({"reason": self.void or "nothing was measured"} if self.verdict == "VOID" else {})


def ratio_row(name: str, ours: Sequence[float], baseline: Sequence[float], unit: str, **behind: object) -> Row:
    return Row(BY_NAME[name], ratios(ours, baseline), list(ours), list(baseline), unit, behind=behind)


def plain_row(name: str, values: Sequence[float], **behind: object) -> Row:
    return Row(BY_NAME[name], list(values), behind=behind)


def void_row(goal: Goal, reason: str) -> Row:
    return Row(goal, void=reason)
