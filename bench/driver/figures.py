# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of rounds: medians, spreads, ratios of rounds that belong together, quantiles."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """Raises ValueError where there is nothing."""
    if not values:
        raise ValueError("no values")
    return statistics.median(values)


def spread(values: Sequence[float]) -> float | None:
    """(greatest - least) / median, so 0.1 is a range of 10 %; None where less than two values say nothing."""
    if len(values) < 2:
        return None
    middle = median(values)
    reach = max(values) - min(values)
    if middle == 0:
        return 0.0 if reach == 0 else math.inf
    return reach / abs(middle)


def ratios(ours: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Round by round: what both have suffered from in a round falls out. Raises ValueError for unequal lengths or 0."""
    if len(ours) != len(baseline):
        raise ValueError(f"{len(ours)} rounds of ours, {len(baseline)} of the baseline")
    if any(value <= 0 for value in baseline):
        raise ValueError("a baseline of 0")
    return [one / other for one, other in zip(ours, baseline, strict=True)]


def quantile(values: Sequence[float], share: float) -> float:
    """The least value that at least this share of all does not exceed. Raises ValueError where there is nothing."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def deviation(values: Sequence[float]) -> float:
    """By how much the worst of them differs from the first, as a share of the first."""
    if not values or values[0] <= 0:
        raise ValueError("nothing to compare with")
    return max(abs(value / values[0] - 1) for value in values)
