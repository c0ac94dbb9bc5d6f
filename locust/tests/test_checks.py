# SPDX-License-Identifier: Apache-2.0
"""Goal: only a right answer passes. Method: a right answer, then each thing wrong in turn."""

import json

import checks
import pytest
from checks import Answer
from faults import FAULTS, fault_of

RECEIPT = {"id": "0198c0de", "partition": 3, "offset": 0}
PROBLEM = {"type": "about:blank", "title": "Not acceptable", "status": 422}


def answer(status, document, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, headers, body)


def problem(status=422, content_type="application/problem+json", **headers):
    return answer(status, {**PROBLEM, "status": status}, content_type=content_type, **headers)


def test_a_receipt_is_accepted():
    assert checks.accepted(answer(202, RECEIPT)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        Answer(0, {}, b"", "ConnectionRefusedError"),
        answer(200, RECEIPT),
        answer(503, PROBLEM),
        answer(202, b""),
        answer(202, b"accepted"),
        answer(202, [RECEIPT]),
        answer(202, {**RECEIPT, "id": ""}),
        answer(202, {**RECEIPT, "id": 7}),
        answer(202, {**RECEIPT, "partition": "3"}),
        answer(202, {**RECEIPT, "offset": True}),
        answer(202, {**RECEIPT, "offset": -1}),
        answer(202, {"id": "0198c0de", "partition": 3}),
    ],
)
def test_anything_else_is_not(wrong):
    assert checks.accepted(wrong)


def test_what_is_wrong_names_the_problem_but_no_id():
    wrong = checks.accepted(answer(503, {**PROBLEM, "title": "Busy"}))
    assert wrong == "status 503 (Busy), expected 202"


def batch(count=2, **changes):
    results = [{**RECEIPT, "id": f"id-{index}"} for index in range(count)]
    return {"accepted": count, "rejected": 0, "results": results, **changes}


def test_a_whole_batch_is_accepted():
    assert checks.batch_accepted(answer(202, batch()), 2) is None


@pytest.mark.parametrize(
    "wrong",
    [
        answer(207, batch()),
        answer(202, batch(accepted=1)),
        answer(202, batch(rejected=1)),
        answer(202, batch(results=[RECEIPT])),
        answer(202, batch(results=[RECEIPT, RECEIPT])),
        answer(202, batch(results=[RECEIPT, {**RECEIPT, "id": "other", "offset": None}])),
        answer(202, batch(results=[RECEIPT, "taken"])),
        answer(202, batch(results=None)),
    ],
)
def test_a_batch_with_a_flaw_is_not(wrong):
    assert checks.batch_accepted(wrong, 2)


def test_a_refusal_with_its_status_is_right():
    assert checks.refused(problem(), 422) is None
    assert checks.refused(problem(content_type="Application/Problem+JSON; charset=x"), 422) is None
    assert checks.refused(problem(405, allow="OPTIONS, POST"), 405) is None


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (problem(400), 422),
        (answer(202, RECEIPT), 422),
        (problem(content_type="application/json"), 422),
        (answer(422, {**PROBLEM, "status": 400}, content_type=checks.PROBLEM_TYPE), 422),
        (answer(422, {"status": 422}, content_type=checks.PROBLEM_TYPE), 422),
        (answer(422, b"", content_type=checks.PROBLEM_TYPE), 422),
        (problem(405), 405),
        (Answer(0, {}, b"", "ConnectionResetError"), 413),
    ],
)
def test_a_refusal_with_a_flaw_is_not(wrong, status):
    assert checks.refused(wrong, status)


@pytest.mark.parametrize("retry_after", [None, "soon", "-1", "1.5", "61", "9" * 5000, "²"])
def test_busy_needs_a_usable_retry_after(retry_after):
    headers = {} if retry_after is None else {"retry_after": retry_after}
    assert checks.busy(problem(503, **headers))
    assert checks.busy(problem(503, retry_after="0")) is None


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.5, 1])
def test_faults_have_their_share_and_take_turns(share):
    chosen = [fault_of(ticket, share) for ticket in range(1000)]
    faults = [fault for fault in chosen if fault]
    assert len(faults) == int(1000 * share)
    assert not faults or set(faults) == set(FAULTS)
