# SPDX-License-Identifier: Apache-2.0
"""Goal: parts run side by side, but only beside whom they bear; a bad one stops no other; Ctrl-C ends them all.

Method: parts whose processes are small scripts, which write down when they began and ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from stack.ports import HIGHEST, LOWEST
from stack.process import poll_until
from tools.mesh import lanes, parts
from tools.mesh.lanes import Ended, in_order, may_run_beside, next_part
from tools.mesh.parts import PARTS, Company, Outcome, Part

FAKE = """
import json, os, sys, time
from pathlib import Path
name, awaited, what, notes, verdict = sys.argv[1:]
notes = Path(notes)
def note(event):
    with notes.open("a") as file:
        file.write(f"{event} {name} {os.environ['TWEETMESH_PORTS']} {os.getpid()}\\n")
try:
    note("begin")
    print(f"I am {name}")
    while awaited not in notes.read_text():
        time.sleep(0.01)
except KeyboardInterrupt:
    time.sleep(0.2)  # its fixtures take down what they put up
    note("cleaned-up")
    sys.exit(130)
note("end")
if what == "dies":
    print("a last word", file=sys.stderr)
    sys.exit(3)
Path(verdict).write_text(json.dumps({"ok": what == "passes", "summary": [f"{name} {what}"], "skipped": []}))
"""
NEVER = "what nobody notes"


def part(name: str, seconds: int, company: Company = Company.ANY) -> Part:
    return Part(name, f"the part {name}", lambda _extra: Outcome(False), (), seconds, company)


@dataclass
class Stage:
    """Where parts are played."""

    folder: Path

    def run(
        self,
        chosen: list[Part],
        count: int,
        what: dict[str, str] | None = None,
        awaited: dict[str, str] | None = None,
    ) -> list[Ended]:
        """what: how a part ends, else it passes; awaited: the event before which it does not end, "begin b" say."""

        def command(part: Part) -> list[str]:
            plot = [(awaited or {}).get(part.name, ""), (what or {}).get(part.name, "passes")]
            verdict = lanes.verdict_file(self.folder, part)
            return [sys.executable, "-c", FAKE, part.name, *plot, str(self.folder / "notes"), str(verdict)]

        return lanes.run(chosen, count, command, self.folder)

    def notes(self) -> list[list[str]]:
        file = self.folder / "notes"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def events(self) -> list[str]:
        return [f"{event} {name}" for event, name, *_ in self.notes()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


# Who begins when, and beside whom.


def test_the_longest_begins_first_and_who_measures_comes_last() -> None:
    chosen = [part("short", 1), part("alone", 99, Company.NONE), part("long", 9), part("timed", 5, Company.TIMED)]
    assert [each.name for each in in_order(chosen)] == ["timed", "long", "short", "alone"]


def test_who_goes_by_the_clock_has_no_busy_neighbour_and_none_of_its_kind() -> None:
    timed, busy, waits = part("timed", 1, Company.TIMED), part("busy", 1, Company.BUSY), part("waits", 1)
    assert may_run_beside(timed, [waits]) and may_run_beside(waits, [timed])
    assert not may_run_beside(timed, [busy]) and not may_run_beside(busy, [waits, timed])
    assert not may_run_beside(part("other", 1, Company.TIMED), [timed])


@pytest.mark.parametrize("neighbour", list(Company))
def test_who_measures_has_no_neighbour(neighbour: Company) -> None:
    alone, other = part("alone", 1, Company.NONE), part("other", 1, neighbour)
    assert not may_run_beside(alone, [other]) and not may_run_beside(other, [alone])
    assert may_run_beside(alone, [])


def test_beside_one_that_computes_rather_one_that_waits() -> None:
    busy, more, waits = part("busy", 9, Company.BUSY), part("more", 8, Company.BUSY), part("waits", 7)
    assert next_part([more, waits], [busy]) is waits
    assert next_part([part("waits-too", 9), more], [waits]) is more
    assert next_part([more], [busy]) is more
    assert next_part([part("timed", 1, Company.TIMED)], [busy]) is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_part_gets_its_turn(count: int) -> None:
    waiting, running, seen = in_order(PARTS), [], []
    while waiting or running:
        while len(running) < count and (found := next_part(waiting, running)):
            waiting.remove(found)
            running.append(found)
            seen.append(found)
        running.remove(min(running, key=lambda each: each.seconds))
    assert sorted(each.name for each in seen) == sorted(each.name for each in PARTS)


# With processes.


def test_two_run_at_once_and_the_results_are_in_the_order_of_the_request(stage: Stage) -> None:
    chosen = [part("a", 1), part("b", 3), part("c", 2)]
    ended = stage.run(chosen, 2, awaited={"b": "begin a", "c": "begin b"})  # b goes on while c ends and a begins
    assert [each.part.name for each in ended] == ["a", "b", "c"]
    assert all(each.outcome == Outcome(True, [f"{each.part.name} passes"]) for each in ended)
    events = stage.events()
    assert events.index("end c") < events.index("begin a") < events.index("end b")


def test_one_lane_is_one_after_the_other(stage: Stage) -> None:
    stage.run([part("a", 1), part("b", 2)], 1)
    assert stage.events() == ["begin b", "end b", "begin a", "end a"]


def test_who_measures_is_alone(stage: Stage) -> None:
    stage.run([part("alone", 3, Company.NONE), part("a", 2), part("b", 1)], 3)
    assert stage.events()[-2:] == ["begin alone", "end alone"]


def test_a_bad_part_stops_no_other(stage: Stage) -> None:
    chosen = [part("bad", 9), part("dead", 8), part("good", 7)]
    earlier = {"ok": True, "summary": [], "skipped": []}
    lanes.verdict_file(stage.folder, chosen[1]).write_text(json.dumps(earlier))
    bad, dead, good = stage.run(chosen, 2, {"bad": "fails", "dead": "dies"})
    assert not bad.outcome.ok and bad.outcome.summary == ["bad fails"]
    assert not dead.outcome.ok and "exit code 3" in dead.outcome.summary[0] and dead.outcome.summary[1] == "a last word"
    assert good.outcome.ok


def test_each_line_has_the_name_of_its_part(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.run([part("a", 1), part("b", 2)], 2)
    told = capsys.readouterr().out.splitlines()
    assert "a            | I am a" in told and "b            | I am b" in told
    assert any(line.startswith("=== ") and line.endswith("1 of 2 are done") for line in told)


def test_lanes_do_not_share_ports(stage: Stage) -> None:
    stage.run([part("a", 1), part("b", 2)], 2, awaited={"a": "begin b", "b": "begin a"})
    ranges = sorted(tuple(map(int, ports.split("-"))) for event, _, ports, _ in stage.notes() if event == "begin")
    assert LOWEST == ranges[0][0] < ranges[0][1] < ranges[1][0] < ranges[1][1] <= HIGHEST


def test_an_interrupted_run_ends_all_lanes_and_waits_for_them(stage: Stage) -> None:
    def interrupt() -> None:
        for _ in poll_until(60):
            if len(stage.notes()) == 2:
                break
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        stage.run([part("a", 3), part("b", 2), part("c", 1)], 2, awaited={"a": NEVER, "b": NEVER})
    assert sorted(stage.events()) == ["begin a", "begin b", "cleaned-up a", "cleaned-up b"]
    assert not [pid for *_, pid in stage.notes() if Path(f"/proc/{pid}").exists()]


def test_who_does_not_end_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(part: Part, *others) -> lanes.Running:
        if part.name == "b":
            raise OSError("no more")
        return really(part, *others)

    really = lanes.started
    monkeypatch.setattr(lanes, "started", start)
    monkeypatch.setattr(lanes, "END_S_MAX", 0.0)
    deaf = SimpleNamespace(SIGINT=signal.SIGCONT, SIGKILL=signal.SIGKILL)
    monkeypatch.setattr(lanes, "signal", deaf)
    with pytest.raises(OSError, match="no more"):
        stage.run([part("a", 2), part("b", 1)], 2, awaited={"a": NEVER})
    assert "end a" not in stage.events()
    assert not [pid for *_, pid in stage.notes() if Path(f"/proc/{pid}").exists()]


# What the processes of the lanes are told of the builds.


def test_what_came_of_a_build_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = Outcome(False, ["cmake failed (exit code 1)", "FAILED: x.o"])
    monkeypatch.setattr(parts, "_builds", {"asan": failure, "tsan": None})
    parts.builds_saved(tmp_path / "builds.json")
    monkeypatch.setattr(parts, "_builds", {})
    monkeypatch.setattr(parts, "stream", lambda *_: pytest.fail("it builds"))
    parts.builds_loaded(tmp_path / "builds.json")
    wants = [Part("p", "", lambda _extra: Outcome(True), (preset,), 1) for preset in ("asan", "tsan")]
    assert [parts.run_part(each, []) for each in wants] == [failure, Outcome(True)]
