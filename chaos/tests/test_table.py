# SPDX-License-Identifier: Apache-2.0
"""The table and its JSON say what was found, and are never ok without a reason."""

from __future__ import annotations

import json

from chaos import table
from chaos.judge.protocol import Verdict
from chaos.table import Row


def row(name: str = "killed-api", **fields: object) -> Row:
    verdict = {"acked": 1234, "struck": 3, "first_ack_s": 0.25, "exact_s": 1.5}
    violations = fields.pop("violations", [])
    return Row(name, Verdict(**verdict | fields), violations)


def document(rows: list[Row], whole: bool = True) -> dict:
    return json.loads(table.as_json(rows, {"seed": 7}, whole=whole))


def test_json_has_what_was_promised() -> None:
    found = document([row()])
    assert found["ok"] is True and found["seed"] == 7
    expected = {"fault": "killed-api", "acked": 1234, "lost": 0, "doubled": 0, "counter_error": 0, "ok": True}
    expected |= {"first_ack_s": 0.25, "exact_s": 1.5, "struck": 3, "violations": [], "notes": []}
    assert expected.items() <= found["rows"][0].items()
    assert {"machine", "versions", "version"} <= found.keys()


def test_no_row_is_not_ok() -> None:
    assert document([])["ok"] is False


def test_one_bad_row_makes_all_not_ok() -> None:
    assert document([row(), row("other", violations=["I1: lost"])])["ok"] is False


def test_a_void_row_is_not_ok() -> None:
    found = document([row(void=True)])
    assert found["ok"] is False and found["rows"][0]["ok"] is False


def test_what_only_the_runner_found_counts_too() -> None:
    broken = row(violations=["I8: api died on its own with 99"])
    assert not broken.verdict.violations
    assert not broken.ok and broken.word == "FAILED"


def test_an_interrupted_run_is_not_ok() -> None:
    assert document([row()], whole=False)["ok"] is False


def test_lines_align_with_the_heading() -> None:
    heading, line = table.heading(), table.line(row(exact_s=None))
    assert line.endswith("  ok")
    assert line.index("1,234") + len("1,234") == heading.index("acked") + len("acked")
    assert line.index(" - ") + 2 == heading.index("exact s") + len("exact s")


def test_remarks_are_cut_on_the_terminal_only() -> None:
    found = row()
    found.notes = ["\n".join(f"line {number}" for number in range(100))]
    shown = table.remarks(found)
    assert len(shown) == table.NOTES_SHOWN + 1 and "60 lines more" in shown[-1]
    assert document([found])["rows"][0]["notes"] == found.notes
