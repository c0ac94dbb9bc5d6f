# SPDX-License-Identifier: Apache-2.0
"""A seed decides all of a random run, and time none of it."""

from __future__ import annotations

from itertools import islice

import pytest

import chaos.faults  # noqa: F401 (registers them)
from chaos import schedule
from chaos.fault import REGISTER, Fault, Needs
from chaos.schedule import Round

FAULTS = list(REGISTER.faults.values())


def first(seed: int, count: int = 30, faults: list[Fault] = FAULTS) -> list[Round]:
    return list(islice(schedule.rounds(seed, faults), count))


def nested(drawn: Round) -> list[tuple[Fault, Fault]]:
    return [(step.fault, step.inner.fault) for step in drawn.steps if step.inner]


def test_the_same_seed_gives_the_same_rounds() -> None:
    assert [str(drawn) for drawn in first(1)] == [str(drawn) for drawn in first(1)]


def test_the_order_of_registration_decides_nothing() -> None:
    assert list(map(str, first(1))) == list(map(str, first(1, faults=FAULTS[::-1])))


def test_another_seed_gives_others() -> None:
    assert str(first(1)[0]) != str(first(2)[0])


def test_rounds_are_neither_empty_nor_endless() -> None:
    for drawn in first(3):
        planned = sum(step.seconds for step in drawn.steps)
        longest = schedule.HOLD_S_MAX * 1.5 + schedule.WAIT_S[1] + 1
        assert schedule.ROUND_S[0] <= planned <= schedule.ROUND_S[1] + longest


def test_only_faults_that_may_be_drawn_and_that_the_mesh_can_have() -> None:
    drawn = {fault.name for each in first(4, 100) for step in each.steps for fault in step.faults}
    for name in drawn:
        fault = REGISTER.faults[name]
        assert fault.at_random and fault.needs.brokers == 1 and not fault.needs.namespaces and not fault.needs.redis
    assert len(drawn) > 10


def test_some_strike_within_others_and_never_their_own_kind() -> None:
    pairs = [pair for drawn in first(5, 100) for pair in nested(drawn)]
    assert pairs
    assert all(outer.family != inner.family for outer, inner in pairs)


def test_without_faults_to_draw_it_says_so() -> None:
    fault = Fault("x", "x", family="x", strike=lambda _arena: iter(()), needs=Needs(brokers=3), at_random=True)
    with pytest.raises(ValueError, match="no fault"):
        next(schedule.rounds(1, [fault]))


def test_a_round_wants_each_of_its_faults_to_strike() -> None:
    for drawn in first(6):
        assert schedule.as_fault(drawn).struck_min == len(drawn.steps) + len(nested(drawn))
