# SPDX-License-Identifier: Apache-2.0
"""Medians, spreads, ratios, quantiles."""

from __future__ import annotations

import math

import pytest

from bench.driver.figures import deviation, median, quantile, ratios, spread


def test_median_of_odd_and_even_counts() -> None:
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5


@pytest.mark.parametrize("function", [median, lambda values: quantile(values, 0.5), deviation])
def test_nothing_has_no_figure(function) -> None:
    with pytest.raises(ValueError):
        function([])


def test_spread_is_the_range_as_a_share_of_the_median() -> None:
    assert spread([9, 10, 12]) == pytest.approx(0.3)
    assert spread([5, 5, 5]) == 0


def test_one_value_has_no_spread() -> None:
    assert spread([7]) is None
    assert spread([]) is None


def test_spread_about_zero_and_of_negative_values() -> None:
    assert spread([0, 0]) == 0
    assert math.isinf(spread([-1, 1]))
    assert spread([-9, -10, -12]) == pytest.approx(0.3)


def test_ratios_go_round_by_round_so_that_what_slowed_both_falls_out() -> None:
    assert ratios([10, 5], [20, 10]) == [0.5, 0.5]
    assert median(ratios([10, 5, 30], [20, 10, 30])) == 0.5


def test_unequal_rounds_and_a_baseline_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rounds of ours, 1 of the baseline"):
        ratios([1, 2], [1])
    with pytest.raises(ValueError, match="baseline of 0"):
        ratios([1, 2], [1, 0])


def test_quantile_is_a_value_that_was_seen() -> None:
    values = list(range(1, 101))
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.99) == 99
    assert quantile(values, 1) == 100
    assert quantile([5, 1], 0) == 1


def test_deviation_counts_both_ways_from_the_first() -> None:
    assert deviation([10, 11, 12]) == pytest.approx(0.2)
    assert deviation([10, 7, 11]) == pytest.approx(0.3)
    assert deviation([10]) == 0
