# SPDX-License-Identifier: Apache-2.0
"""What the terminal and RESULTS.md show."""

from __future__ import annotations

import pytest

from bench.driver import results, table
from bench.driver.goals import BY_NAME, GOALS
from bench.driver.pace import FULL
from bench.driver.row import plain_row, ratio_row, void_row
from bench.driver.runner import Outcome, clock


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0, "0"),
        (0.01234, "0.0123"),
        (2.345, "2.35"),
        (23.45, "23.4"),
        (234.5, "234"),
        (1234567.8, "1,234,568"),
        (-7.777, "-7.78"),
        (float("inf"), "∞"),
    ],
)
def test_numbers_have_three_digits_that_count(value: float | None, text: str) -> None:
    assert table.number(value) == text


def test_cells_align_with_their_headings() -> None:
    line = table.line(ratio_row("P1", [20, 22], [10, 10], "µs"))
    heading = table.heading()
    for column, cell in (("ours", "21.0 µs"), ("baseline", "10.0 µs"), ("figure", "2.10"), ("goal", "≤ 2.5")):
        assert line.index(cell) + len(cell) == heading.index(column) + len(column), column
    assert line.endswith("  ok")


def test_every_what_fits_its_column() -> None:
    assert max(len(goal.what) for goal in GOALS) <= table.WHAT_WIDTH


def test_a_row_without_a_baseline_shows_its_figure_as_ours() -> None:
    assert table.cells(plain_row("P4", [3.5]))[:3] == ["3.50 µs", "-", "3.50 µs"]


def test_a_void_row_says_why_below_itself() -> None:
    lines = table.whole([plain_row("P4", [3.5]), void_row(BY_NAME["P1"], "the audit differs")])
    assert lines[2].endswith("VOID")
    assert lines[3].strip() == "void: the audit differs"
    assert "2 figures, 1 as good as their goals" in lines[-2]
    assert lines[-1].strip() == "not ok: P1"


def test_an_empty_table_says_so() -> None:
    assert "nothing ran" in table.whole([])[-1]


def outcome() -> Outcome:
    rows = [void_row(BY_NAME["P16-pods"], "too slow"), ratio_row("P1", [20, 22], [10, 10], "µs", **{"api µs": 21})]
    return Outcome(rows, {"P1": 12.0, "P16": 3.0}, {"P1": 0.25, "P16": 0.0}, total_s=75, whole=True)


def test_results_have_the_table_the_machine_and_what_is_behind() -> None:
    text = results.text(outcome(), FULL, {"CPU": "a fast one"})
    table_rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| P")]
    assert table_rows[0][2:] == ["21.0 µs", "10.0 µs", "2.10", "≤ 2.5", "≤ 1.8", "10 %", "ok |"]
    assert table_rows[1][0] == "| P16" and table_rows[1][-1] == "void: too slow |"
    assert "- CPU: a fast one" in text and "  - api µs: 21" in text and "  - rounds: 2.00, 2.20" in text
    assert "- P1: 12 s, 25.0 % stolen" in text and "1:15 min" in text
    assert "Not measured: P2," in text


def test_rows_are_in_the_order_of_the_table_whatever_ran_first() -> None:
    assert [row.goal.name for row in outcome().ordered()] == ["P1", "P16-pods"]


def test_machine_and_versions_are_known_here() -> None:
    assert all(results.machine().values())
    assert "librdkafka" in results.libraries()


def test_only_a_whole_run_without_a_bad_row_is_ok() -> None:
    good = Outcome([plain_row("P4", [1.0])], whole=True)
    assert good.ok
    assert not Outcome([plain_row("P4", [1.0])], whole=False).ok
    assert not Outcome([], whole=True).ok
    assert not outcome().ok


def test_clock() -> None:
    assert clock(0) == "0:00" and clock(61.9) == "1:01" and clock(1800) == "30:00"
