# SPDX-License-Identifier: Apache-2.0
"""Goal: each ticket is given out once, none is left, and the run knows its end.

Method: workers of any number and appetite take from one budget; response times by any split.
"""

import math

import pytest
from budget import Budget, lease_size
from hypothesis import given
from hypothesis import strategies as st
from latency import Latencies


@given(st.integers(0, 5000), st.integers(1, 20))
def test_leases_cover_every_ticket_once(total, workers):
    budget = Budget(total)
    given_out = []
    while tickets := budget.take(lease_size(budget, workers)):
        given_out += tickets
    assert given_out == list(range(total))


@given(st.integers(1, 100), st.integers(0, 100))
def test_the_end_is_when_all_are_done_or_lost(total, lost):
    budget = Budget(total)
    budget.take(total)
    budget.lose(min(lost, total))
    for _ in range(total - budget.lost):
        assert not budget.over
        budget.finish()
    assert budget.over
    assert budget.complete == (budget.lost == 0)


def test_without_a_total_time_decides():
    budget = Budget(None)
    assert budget.take(3) == range(3) and budget.take() == range(3, 4)
    budget.finish(4)
    assert not budget.over and budget.complete


times_ms = st.lists(st.floats(0, 100_000), min_size=1, max_size=200)


@given(times_ms, st.integers(1, 5))
def test_percentiles_survive_the_way_over_workers(times, workers):
    whole, merged = Latencies(), Latencies()
    parts = [Latencies() for _ in range(workers)]
    for index, took in enumerate(times):
        whole.add(index, took)
        parts[index % workers].add(index, took)
    for part in parts:
        merged.merge(part.drain())
        merged.merge(part.drain())  # nothing is counted twice
    assert merged.counts == whole.counts
    assert (merged.first_s, merged.last_s) == (whole.first_s, whole.last_s)


@given(times_ms, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_within_half_a_percent(times, share):
    latencies = Latencies()
    for took in times:
        latencies.add(0.0, took)
    exact = sorted(times)[math.ceil(len(times) * share) - 1]
    assert latencies.percentile_ms(share) == pytest.approx(exact, rel=0.006, abs=0.001)


def test_no_requests_no_percentile():
    assert Latencies().percentile_ms(0.99) == 0.0
    assert Latencies().seconds == 0.0
