# SPDX-License-Identifier: Apache-2.0
"""Goal: the plan is the seed's alone, gRPC replies are held to their form, and the judge leaves nothing behind.

Method: the parts alone, without a mesh.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.grpc_client import messages
from support.waiting import wait_for

from chaos.judge import grpc_entrance
from chaos.judge.answers import Answered, Told
from chaos.judge.book import Book
from chaos.judge.client import PROJECT, JudgeError, JudgeProcess
from chaos.judge.findings import LISTED_OF_ONE_KIND_MAX, Findings
from chaos.judge.halts import Halts
from chaos.judge.plan import Entrance, Event, Names, Outcome, Plan, Request, split_text
from chaos.judge.protocol import Run
from stack.process import stat_fields


def requests(seed: int, count: int) -> list[tuple]:
    names = Names("run.1-7")
    plan = Plan(seed, names)
    made = [plan.next() for _ in range(count)]
    return [(one.entrance, one.keyed, one.chance, [names.payload(event) for event in one.events]) for one in made]


def test_the_plan_is_the_seeds() -> None:
    assert requests(1, 200) == requests(1, 200)
    assert requests(1, 200) != requests(2, 200)
    made = requests(1, 200)
    assert {(entrance, keyed) for entrance, keyed, *_ in made} == {(e, k) for e in Entrance for k in (True, False)}


def test_tokens_are_read_back() -> None:
    names = Names("kafka-killed.12-4711")
    assert split_text(names.text(93)) == ("kafka-killed.12-4711", 93)
    for other in (None, 7, "", "hello", "foreign: x", "a-b c"):
        assert split_text(other) is None


def book() -> Book:
    return Book(Run("t", 1, 10, 1, None, None, 0, 0), "t.1-1", Findings(), Halts())


def enter(held: Book, request: Request, *outcomes: Outcome, event_id: int = 5) -> None:
    told = [Told(one, event_id if one == Outcome.ACKED else None) for one in outcomes]
    held.enter(request, Answered(told), time.monotonic())


@pytest.mark.parametrize(
    ("answers", "end"),
    [
        ((Outcome.UNKNOWN, Outcome.REFUSED), Outcome.UNKNOWN),  # the first attempt may be stored
        ((Outcome.BROKEN, Outcome.UNSENT), Outcome.BROKEN),
        ((Outcome.REFUSED, Outcome.UNKNOWN), Outcome.UNKNOWN),
        ((Outcome.UNSENT, Outcome.REFUSED), Outcome.REFUSED),
        ((Outcome.UNKNOWN, Outcome.ACKED, Outcome.BROKEN), Outcome.ACKED),
    ],
)
def test_what_becomes_of_an_event_that_is_sent_again(answers: tuple, end: Outcome) -> None:
    held = book()
    request = held.take_probe()
    for outcome in answers:
        enter(held, request, outcome)
    assert request.events[0].outcome == end
    assert bool(held.left_open()) == (end in (Outcome.UNKNOWN, Outcome.BROKEN))
    assert held.counts().sent == 1


def test_another_id_after_a_retry_is_found() -> None:
    held = book()
    request = held.take_probe()
    enter(held, request, Outcome.ACKED, event_id=5)
    enter(held, request, Outcome.ACKED, event_id=6)
    assert held.findings.count("I4") == 1


def test_an_answer_that_comes_too_late_is_found_unless_the_program_was_halted() -> None:
    for halted, found in ((False, 1), (True, 0)):
        held = book()
        request = held.take_probe()
        halts = held._halts
        now = time.monotonic()
        for tick in range(40 if halted else 0):
            halts.seen("api", now - 12 + tick * 0.25)
        held.enter(request, Answered([Told(Outcome.ACKED, 5)]), now - 13)
        assert held.findings.count("I7") == found


def test_the_first_acknowledgement_is_of_the_entrance_that_was_down() -> None:
    held = book()
    held.acked_at[False].extend(at / 10 for at in range(100))  # gRPC went on
    held.acked_at[True].extend([1.0, 2.0])
    assert held.first_ack_after(5.0) is None, "HTTP was never back"
    held.acked_at[True].append(5.75)
    assert held.first_ack_after(5.0) == 0.75
    assert held.first_ack_after(2.5) == 0, "neither had stopped"


def events(count: int) -> list[Event]:
    return [Event(at, 0) for at in range(count)]


ID = "0190a1b2-c3d4-7e5f-8a6b-0123456789ab"
GOOD = {"sequence": 1, "codes": [0, 14], "partitions": [2, -1], "offsets": [9, -1], "ids": [ID, ID]}


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({}, 0),
        ({"sequence": 2}, 1),
        ({"codes": [0]}, 1),
        ({"ids": []}, 1),
        ({"ids": ["x", ID]}, 1),
        ({"codes": [0, 3]}, 1),
        ({"codes": [0, 99]}, 1),
        ({"offsets": [9, 4]}, 1),
    ],
)
def test_replies_are_held_to_their_form(changes: dict, faults: int) -> None:
    reply = messages().PublishReply(**GOOD | changes)
    answered = Answered.all(Outcome.BROKEN, 2, "")
    grpc_entrance.understand(reply, 1, events(2), False, answered, 0)
    assert len(answered.faults) == faults, answered.faults
    if not changes:
        assert [told.outcome for told in answered.told] == [Outcome.ACKED, Outcome.REFUSED]
        assert answered.told[0].place == (2, 9)


def test_a_status_that_no_good_request_deserves_is_found() -> None:
    for code, faults in ((grpc_entrance.grpc.StatusCode.UNAVAILABLE, 0), (grpc_entrance.grpc.StatusCode.NOT_FOUND, 1)):
        error = SimpleNamespace(code=lambda code=code: code, details=lambda: "")
        answered = grpc_entrance._ended(Answered.all(Outcome.BROKEN, 1, ""), error)
        assert len(answered.faults) == faults and answered.told[0].outcome == Outcome.BROKEN


def test_many_findings_of_one_kind_do_not_hide_others() -> None:
    findings = Findings()
    for number in range(100):
        findings.add("I1", "lost", f"t-{number}")
    findings.add("I3", "above")
    lines = findings.lines()
    assert len(lines) == LISTED_OF_ONE_KIND_MAX + 2
    assert "I1: … and 94 more" in lines and "I3: above" in lines


def test_what_the_judge_cannot_do_is_an_error(tmp_path: Path) -> None:
    judge = JudgeProcess(tmp_path / "judge.log")
    with pytest.raises(JudgeError, match="no run has begun"):
        judge.counts()
    with pytest.raises(JudgeError, match="before watch"):
        judge.begin(Run("t", 1, 10, 1, None, None, 0, 0))
    judge.close()
    with pytest.raises(JudgeError):
        judge.counts()


def test_the_judge_dies_with_whoever_started_it(tmp_path: Path) -> None:
    lines = [
        "import os, sys, pathlib",
        "from chaos.judge.client import JudgeProcess",
        "print(JudgeProcess(pathlib.Path(sys.argv[1])).pid, flush=True)",
        "os.kill(os.getpid(), 9)",
    ]
    child = subprocess.run(
        [sys.executable, "-P", "-c", "\n".join(lines), str(tmp_path / "judge.log")],
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    pid = int(child.stdout)
    wait_for("the judge is gone", lambda: (stat_fields(pid) or "Z")[0] in "ZX", 20)
