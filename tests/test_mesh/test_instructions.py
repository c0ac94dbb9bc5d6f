# SPDX-License-Identifier: Apache-2.0
"""The guard against slowing down: what passes, what fails, what is said."""

from __future__ import annotations

import json

import pytest

from stack.process import StackError
from stack.program import PROGRAMS
from tools.mesh import instructions
from tools.mesh.instructions import HOW_TO_RECORD, RECORD, compared, differences, dump_in, events_in, guard, judge

AROUND = {"gcc": "14.2.0"}


def record(figures: dict[str, float]) -> dict:
    return {"with": AROUND, "instructions_per_event": figures}


@pytest.mark.parametrize(("now", "fails", "warns"), [(105.1, 1, 0), (104.9, 0, 0), (95.1, 0, 0), (94.9, 0, 1)])
def test_more_than_five_percent_fails_and_less_is_to_be_recorded(now: float, fails: int, warns: int) -> None:
    verdict = judge({"api.check": 100.0}, {"api.check": now})
    assert (len(verdict.failures), len(verdict.warnings)) == (fails, warns)


def test_a_path_on_one_side_only_fails() -> None:
    verdict = judge({"api.gone": 100.0}, {"api.new": 100.0})
    assert verdict.failures == ["api.new is not recorded", "api.gone is recorded, but not counted"]
    assert len(verdict.table) == 3


def test_a_failure_says_what_to_do() -> None:
    ok, lines = compared(record({"api.check": 100.0}), {"api.check": 111.0}, AROUND)
    assert not ok
    assert "api.check: 100 instructions per event were recorded, now 111 (+11.0 %)" in lines
    assert any(HOW_TO_RECORD in line for line in lines) and any("callgrind_annotate" in line for line in lines)


def test_another_compiler_is_told_and_excuses_nothing() -> None:
    other = "gcc is 15.1.0, recorded with 14.2.0"
    ok, lines = compared(record({"api.check": 100.0}), {"api.check": 100.0}, {"gcc": "15.1.0"})
    assert ok and other in lines
    ok, lines = compared(record({"api.check": 100.0}), {"api.check": 111.0}, {"gcc": "15.1.0"})
    assert not ok and other in lines
    assert differences({"gcc": "14"}, {"glibc": "2.41"}) == [
        "gcc is gone, recorded with 14",
        "glibc is 2.41, recorded with none",
    ]


def test_what_programs_and_callgrind_write_is_read() -> None:
    log = "\n== counting: valgrind\n%5|1|MOCK|rdkafka#producer-1| cluster 9\ncheck 1000\nhint_encode 1000\n"
    assert events_in(log) == {"check": 1000, "hint_encode": 1000}
    assert dump_in("part: 1\ndesc: Trigger: Client Request: check\n\nevents: Ir\nsummary: 5207031\n") == (
        "check",
        5207031,
    )
    assert dump_in("desc: Trigger: Program termination\nsummary: 0\n") is None


def test_a_guard_that_does_not_notice_slowness_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "build_quietly", lambda *_: None)
    monkeypatch.setattr(
        instructions,
        "count",
        lambda _build, _folder, *slowed: {"a.quick": 100.0, "a.slow": 100.0} | ({"a.slow": 110.0} if slowed else {}),
    )
    assert guard([]) == (False, ["a.quick: 1.1 times the work is not noticed: it is not guarded"])


def test_options_of_nobody_are_refused() -> None:
    with pytest.raises(StackError, match="--recrod: only --record is known"):
        guard(["--recrod"])


def test_the_record_has_figures_of_every_service() -> None:
    for machine, recorded in json.loads(RECORD.read_text()).items():
        paths = recorded["instructions_per_event"]
        assert {path.split(".")[0] for path in paths} == set(PROGRAMS), machine
        assert all(figure > 0 for figure in paths.values()) and recorded["with"]["gcc"]
