# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever a fault does, its row tells, and the next row finds a whole mesh.

Method: faults that are careless, wrong or without effect run on one real mesh; after each of them stands what
the row must say, and at the end a harmless row must be exact.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.tested import build_folder

from chaos.arena import Arena
from chaos.fault import Fault, Strike
from chaos.runner import Plan, Runner, drive
from chaos.table import Row

RunOne = Callable[..., Row]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    plan = Plan(folder=tmp_path_factory.mktemp("chaos"), build=lambda _preset: build_folder(), seed=1)
    with Runner(plan) as runner:
        yield runner


@pytest.fixture
def run(runner: Runner, request: pytest.FixtureRequest) -> RunOne:
    def run(strike: Strike, **changes: object) -> Row:
        plain = Fault(request.node.name, "a test", family="tests", strike=strike, hold_s=0.2)
        fault = replace(plain, **{"first_ack_s": None, "exact_s": 60.0, "acked_min": 50} | changes)
        return runner.run_row(fault, lambda arena: drive(arena, fault))

    return run


def harmless(arena: Arena) -> Iterator[None]:
    arena.struck()
    yield


def test_a_harmless_fault_is_ok(run: RunOne) -> None:
    row = run(harmless, times=2)
    assert row.ok, row
    assert row.verdict.struck == 2 and row.verdict.acked >= 50
    assert row.verdict.lost == row.verdict.doubled == row.verdict.counter_error == 0


def test_one_that_never_struck_is_void(run: RunOne) -> None:
    def nothing(_arena: Arena) -> Iterator[None]:
        yield

    row = run(nothing)
    assert row.verdict.void and not row.ok and row.word == "void"


def test_too_few_events_make_it_void(run: RunOne) -> None:
    assert run(harmless, acked_min=1_000_000).word == "void"


def test_one_that_breaks_off_fails_with_its_reason_and_is_healed(run: RunOne) -> None:
    healed = []

    def breaking_off(arena: Arena) -> Iterator[None]:
        try:
            arena.kill("ws-redis")
            arena.struck()
            raise ValueError("planted")
            yield
        finally:
            healed.append(True)

    row = run(breaking_off)
    assert any("planted" in violation for violation in row.violations) and healed
    assert any("ws-redis was left dead" in violation for violation in row.violations)
    assert row.verdict.exact_s is not None and run(harmless).ok


def test_one_that_leaves_redis_stopped_fails_and_redis_goes_on(run: RunOne) -> None:
    def careless(arena: Arena) -> Iterator[None]:
        arena.mesh.redis.pause()
        arena.struck()
        yield

    row = run(careless)
    assert any("redis was left stopped" in violation for violation in row.violations)
    assert run(harmless).ok


def test_a_program_that_dies_behind_its_back_is_a_violation(run: RunOne) -> None:
    def murder(arena: Arena) -> Iterator[None]:
        os.kill(arena.mesh.programs["grpc-server"].pid, signal.SIGKILL)
        arena.struck()
        yield

    row = run(murder)
    assert any("I8: grpc-server died on its own with -9" in violation for violation in row.violations)
    assert any("the end of" in note for note in row.notes), "no log is shown"
    assert row.logs is not None and (row.logs / "grpc-server.log").is_file()


def test_a_complaint_in_a_log_is_a_violation(run: RunOne) -> None:
    def complaining(arena: Arena) -> Iterator[None]:
        with arena.mesh.programs["api"].log.open("a") as log:
            log.write("api.c:1: runtime error: planted\n")
        arena.struck()
        yield

    row = run(complaining)
    assert any("planted" in violation and violation.startswith("I8") for violation in row.violations)
    assert run(harmless).ok, "an old complaint is held against the next row"


def test_a_demand_that_is_not_met_fails_the_row(run: RunOne) -> None:
    def demanding(arena: Arena) -> Iterator[None]:
        arena.struck()
        yield
        arena.require(1 == 1, "right")
        arena.require(1 == 2, "wrong")

    assert run(demanding).violations == ["wrong"]


def test_settings_of_one_start_do_not_outlast_the_row(run: RunOne) -> None:
    seen: dict[str, bool] = {}

    def setting(arena: Arena) -> Iterator[None]:
        arena.stop("ws-redis")
        arena.start("ws-redis", {"VIEWERS_MAX": "7"})
        seen["in the row"] = b"VIEWERS_MAX=7" in environment(arena)
        arena.struck()
        yield

    def looking(arena: Arena) -> Iterator[None]:
        seen["after it"] = b"VIEWERS_MAX=7" in environment(arena)
        arena.struck()
        yield

    run(setting)
    run(looking)
    assert seen == {"in the row": True, "after it": False}


def environment(arena: Arena) -> list[bytes]:
    return Path(f"/proc/{arena.mesh.programs['ws-redis'].pid}/environ").read_bytes().split(b"\0")


def test_an_instance_that_a_fault_adds_goes_with_the_row(run: RunOne, runner: Runner) -> None:
    there: list[bool] = []

    def scaling(arena: Arena) -> Iterator[None]:
        arena.start("kafka-consumer-2")
        there.append(arena.mesh.programs["kafka-consumer-2"].alive())
        arena.struck()
        yield

    def looking(arena: Arena) -> Iterator[None]:
        there.append("kafka-consumer-2" in arena.mesh.programs)
        arena.struck()
        yield

    assert run(scaling).ok and run(looking).ok
    assert there == [True, False]
