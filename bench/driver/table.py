# SPDX-License-Identifier: Apache-2.0
"""The table on the terminal, and the JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from bench.driver.figures import median
from bench.driver.row import Row

WHAT_WIDTH = 76
COLUMNS = ("ours", "baseline", "figure", "goal", "stretch", "spread")
WIDTHS = (12, 12, 12, 10, 10, 7)


def number(value: float | None) -> str:
    """Three digits that say something; whole numbers where they are big."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "∞"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100 or value == 0:
        return f"{value:.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def bounded(row: Row, limit: float | None) -> str:
    return "-" if limit is None else ("≤ " if row.goal.better == "lower" else "≥ ") + plain(limit)


def plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def percent(share: float | None) -> str:
    if share is None:
        return "-"
    return f"{100 * share:.0f} %" if math.isfinite(share) else "∞"


def cells(row: Row) -> list[str]:
    """ours, baseline, figure, goal, stretch, spread."""
    unit = f" {row.unit}" if row.unit and row.unit != "/s" else row.unit
    parts = [f"{number(median(values))}{unit}" if values else "-" for values in (row.ours, row.baseline)]
    figure = number(row.value) + (f" {row.goal.unit}" if row.goal.unit and row.value is not None else "")
    if not row.baseline:
        parts[0] = figure  # nothing that it was divided by
    return [*parts, figure, bounded(row, row.goal.goal), bounded(row, row.goal.stretch), percent(row.spread)]


def heading() -> str:
    aligned = "".join(f" {column:>{width}}" for column, width in zip(COLUMNS, WIDTHS, strict=True))
    return f"{'':<4} {'what':<{WHAT_WIDTH}}{aligned}  verdict"


def line(row: Row) -> str:
    aligned = "".join(f" {cell:>{width}}" for cell, width in zip(cells(row), WIDTHS, strict=True))
    return f"{row.goal.id:<4} {row.goal.what:<{WHAT_WIDTH}}{aligned}  {row.verdict}"


def whole(rows: Sequence[Row]) -> list[str]:
    """The table, with the reason under each void row."""
    lines = [heading()]
    for row in rows:
        lines.append(line(row))
        if row.verdict == "VOID":
            lines.append(f"     void: {row.void or 'nothing was measured'}")
    bad = [row.goal.name for row in rows if not row.ok]
    stretched = sum(row.verdict == "stretch" for row in rows)
    if not rows:
        return [*lines, "", "  nothing ran"]
    summary = f"{len(rows)} figures, {len(rows) - len(bad)} as good as their goals, {stretched} as their stretch goals"
    return [*lines, "", f"  {summary}", *([f"  not ok: {', '.join(bad)}"] if bad else [])]


def as_json(rows: Sequence[Row], **more: object) -> str:
    """{"rows": […]}; what is infinite or was not measured is null. more: members beside the rows."""
    found = [{key: _finite(value) for key, value in row.as_dict().items()} for row in rows]
    return json.dumps({"rows": found} | more, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
