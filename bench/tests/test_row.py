# SPDX-License-Identifier: Apache-2.0
"""A row is ok only if it reached its goal and is not void; the JSON has what was promised."""

from __future__ import annotations

import json

import pytest

from bench.driver import table
from bench.driver.goals import BY_NAME, GOALS, IDS
from bench.driver.row import Row, plain_row, ratio_row, void_row

LOWER, HIGHER = BY_NAME["P4"], BY_NAME["P3"]


def parsed(*rows: Row) -> list[dict]:
    document = json.loads(table.as_json(rows))
    assert set(document) == {"rows"}
    return document["rows"]


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (LOWER, LOWER.stretch, "stretch"),
        (LOWER, LOWER.goal, "ok"),
        (LOWER, LOWER.goal * 1.01, "MISSED"),
        (HIGHER, HIGHER.stretch, "stretch"),
        (HIGHER, HIGHER.goal, "ok"),
        (HIGHER, HIGHER.goal * 0.99, "MISSED"),
    ],
)
def test_verdict_follows_the_direction_of_the_goal(goal, value: float, verdict: str) -> None:
    row = plain_row(goal.name, [value])
    assert row.verdict == verdict
    assert row.ok == (verdict != "MISSED")


def test_a_goal_without_stretch_is_ok_at_best() -> None:
    assert plain_row("P16-pods", [0.0]).verdict == "ok"


def test_the_value_is_the_median_of_the_rounds_ratios() -> None:
    row = ratio_row("P3", [100, 50, 90], [200, 100, 100], "/s", refused=3)
    assert row.values == [0.5, 0.5, 0.9]
    assert row.value == 0.5
    assert row.spread == pytest.approx(0.8)
    assert row.behind == {"refused": 3}


def test_spread_is_that_of_the_rounds_where_the_value_is_of_all_together() -> None:
    row = plain_row("P10-p99", [5.0])
    row.rounds = [4.0, 6.0]
    assert row.value == 5 and row.spread == pytest.approx(0.4)


def test_a_void_row_is_not_ok_however_good_its_figure() -> None:
    row = plain_row("P4", [0.1])
    assert row.ok
    row.void = "bench-1: redis 9, acknowledged 10"
    assert not row.ok and row.verdict == "VOID"
    assert parsed(row)[0]["reason"] == "bench-1: redis 9, acknowledged 10"


def test_a_row_without_values_is_void() -> None:
    row = Row(LOWER)
    assert row.verdict == "VOID" and not row.ok
    assert parsed(row)[0] | {"value": None, "ok": False, "spread": None} == parsed(row)[0]
    assert parsed(row)[0]["reason"]


def test_json_has_the_members_that_were_promised_and_no_others() -> None:
    found = parsed(ratio_row("P1", [20, 22], [10, 10], "µs"))[0]
    assert found == {
        "id": "P1",
        "what": BY_NAME["P1"].what,
        "value": 2.1,
        "goal": 2.5,
        "better": "lower",
        "ok": True,
        "spread": pytest.approx(0.095238),
    }


def test_json_names_the_unit_and_holds_no_infinity() -> None:
    found = parsed(plain_row("P8", [-1.0, 1.0]))[0]
    assert found["what"].endswith(", ms")
    assert found["value"] == 0 and found["spread"] is None


def test_ids_with_several_figures_have_a_row_each() -> None:
    rows = [void_row(goal, "x") for goal in GOALS if goal.id == "P12"]
    assert [row["id"] for row in parsed(*rows)] == ["P12"] * 3
    assert len({row["what"] for row in parsed(*rows)}) == 3


def test_all_rows_of_the_issue_are_there() -> None:
    expected = "P1 P2 P2b P3 P4 P5 P6 P6b P7 P8 P9 P10 P11 P12 P13 P14 P15 P16".split()
    assert list(IDS) == expected
    assert len(BY_NAME) == len(GOALS)


def test_stretch_is_never_easier_than_the_goal() -> None:
    for goal in GOALS:
        assert goal.stretch is None or goal.met(goal.stretch), goal.name
