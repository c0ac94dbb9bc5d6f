# SPDX-License-Identifier: Apache-2.0
"""A row counts only if Kafka, Redis and the archive hold exactly its events."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from confluent_kafka import KafkaException
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from bench.driver.audit import Stream, audited, faults_of
from bench.driver.experiment import Experiment, Verdict
from bench.driver.goals import BY_NAME
from bench.driver.pace import FULL, Pace
from bench.driver.row import Row, plain_row
from bench.driver.runner import Outcome, clear
from stack.process import StackError


def stream(acked: int = 10) -> Stream:
    return Stream("x-1", "/x-1", "x-1", "x_1", 4, acked)


def found(**changes: object) -> dict:
    """What audit says of ten events that are everywhere."""
    counts = dict.fromkeys(("kafka_records", "kafka_events", "redis", "shown", "mongo"), 10)
    return counts | {"equal": True, "differences": []} | changes


def test_equal_everywhere_is_no_fault() -> None:
    assert faults_of(stream(), found(), stored=True) == []


@pytest.mark.parametrize("place", ["kafka_records", "kafka_events", "redis", "shown", "mongo"])
@pytest.mark.parametrize("count", [9, 11])
def test_one_too_few_or_too_many_anywhere_is_a_fault(place: str, count: int) -> None:
    faults = faults_of(stream(), found(**{place: count}), stored=True)
    assert faults == [f"x-1: {place} {count}, acknowledged 10"]


def test_equal_stores_that_hold_other_events_than_were_acknowledged_are_a_fault() -> None:
    assert len(faults_of(stream(11), found(), stored=True)) == 5


def test_audits_own_verdict_counts() -> None:
    assert faults_of(stream(), found(equal=False, differences=[{"missing": ["id"]}]), stored=True)


def test_what_the_sink_does_not_keep_is_not_asked_for_there() -> None:
    said = found(
        mongo=0, equal=False, differences=[{"group": "Peru", "kafka": 10, "redis": 10, "shown": 10, "mongo": 0}]
    )
    assert faults_of(stream(), said, stored=False) == []


def test_groups_must_agree_also_with_the_sink() -> None:
    said = found(mongo=0, equal=False, differences=[{"group": "Peru", "kafka": 4, "redis": 5, "shown": 5, "mongo": 0}])
    assert faults_of(stream(), said, stored=False) == ["x-1: groups differ: Peru"]


class Audited:
    """A mesh whose audit says what it is told to."""

    def __init__(self, text: str, code: int = 1) -> None:
        self._done = CompletedProcess(["audit"], code, text, "Kafka is away")

    def audit(self, *_arguments: str, seconds: float) -> CompletedProcess[str]:
        assert seconds > 0
        return self._done


def test_documents_that_the_consumer_did_not_archive_are_a_fault() -> None:
    mesh = Audited(json.dumps({"streams": {"x-1": found(mongo=0)}}))
    assert audited(mesh, [stream()], archived=10) == []
    assert audited(mesh, [stream()], archived=11) == ["11 documents archived, 10 events acknowledged"]


def test_an_audit_that_could_not_look_is_an_error_with_its_words() -> None:
    with pytest.raises(StackError, match="audit ended with 2: Kafka is away"):
        audited(Audited("", 2), [stream()], archived=None)


class Fake(Experiment):
    """Gives the rows or the error that it is told to."""

    ids = ("P4", "P8")
    text = "nothing"

    def __init__(self, result: list[Row] | Exception) -> None:
        self._result = result

    def estimate(self, pace: Pace) -> float:
        return pace.seconds

    def run(self, site: object, wanted: object) -> list[Row]:
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def test_rows_that_were_not_asked_for_are_left_out() -> None:
    rows = Fake([plain_row("P4", [1.0]), plain_row("P8", [0.1])]).rows(None, ("P8",))
    assert [row.goal.name for row in rows] == ["P8"]


def test_a_failed_experiment_voids_its_rows_and_says_why() -> None:
    rows = Fake(StackError("api ended\nwith a long log")).rows(None, ("P4", "P8"))
    assert [row.void for row in rows] == ["StackError: api ended"] * 2
    assert not any(row.ok for row in rows)


@pytest.mark.parametrize("error", [RedisError("away"), KafkaException("away"), PyMongoError("away")])
def test_a_server_that_fails_voids_its_rows_and_no_others(error: Exception) -> None:
    assert "away" in Fake(error).rows(None, ("P4",))[0].void


def test_a_row_that_is_missing_is_void() -> None:
    rows = Fake([plain_row("P4", [1.0])]).rows(None, ("P4", "P8"))
    assert rows[0].ok and rows[1].void == "was not measured"


def test_an_error_of_our_own_is_not_taken_for_a_measurement() -> None:
    with pytest.raises(ZeroDivisionError):
        Fake(ZeroDivisionError()).rows(None, ("P4",))


def test_the_audits_verdict_voids_all_rows_of_the_experiment_but_hides_no_earlier_reason() -> None:
    rows = [plain_row("P4", [1.0]), Row(BY_NAME["P8"], void="too slow")]
    assert [row.void for row in Verdict("differs").of(rows)] == ["differs", "too slow"]
    assert Verdict().of([plain_row("P4", [1.0])])[0].ok


def test_a_pace_cut_by_hand_shrinks_all_of_it() -> None:
    cut = FULL.cut(2, 1)
    assert (cut.rounds, cut.seconds, cut.million, cut.sustain_s) == (2, 1, 100_000, 6)
    assert FULL.cut(None, None) == FULL


@pytest.mark.parametrize(("void", "left"), [("", []), ("it differs", ["logs"])])
def test_only_the_logs_of_a_failure_stay(tmp_path: Path, void: str, left: list[str]) -> None:
    folder = tmp_path / "run"
    for name in ("kafka", "redis", "mongo", "logs"):
        (folder / "servers" / name).mkdir(parents=True)
    clear(folder, Outcome([Row(BY_NAME["P4"], [1.0], void=void)], whole=True))
    assert sorted(path.name for path in folder.glob("servers/*")) == left
