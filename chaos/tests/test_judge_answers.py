# SPDX-License-Identifier: Apache-2.0
"""Goal: the judge believes no answer: acknowledgements, refusals and broken connections are held to what was stored.

Method: a real mesh; between it and the judge somebody alters, swallows or invents single answers.
"""

from __future__ import annotations

import json
import uuid

from support.http import JSON, Answer

from chaos.tests.judged import Judged, Meddler, meddling, refusal


def judge_with(judged: Judged, meddle, **changes):
    """The verdict of a run in which meddle(meddler, headers, forward) stands before api; it must have meddled."""
    meddler = Meddler(judged.tested.http_port, lambda headers, forward: meddle(meddler, headers, forward))
    with meddling(judged, meddler):
        judged.begin(**changes)
        judged.wait_acked(300)
        verdict = judged.judge.end()
    assert meddler.times > 0
    return verdict


def listed(verdict, kind: str, words: str) -> list[str]:
    return [line for line in verdict.violations if line.startswith(f"{kind}: ") and words in line]


def test_one_who_only_passes_on_is_no_violation(judged: Judged) -> None:
    def pass_on(meddler: Meddler, _headers: dict, forward) -> Answer:
        meddler.again()
        return forward()

    verdict = judge_with(judged, pass_on)
    assert verdict.ok, verdict.violations


def test_an_offset_that_holds_another_record_is_a_loss(judged: Judged) -> None:
    def shift(meddler: Meddler, _headers: dict, forward) -> Answer:
        answer = forward()
        told = answer.json
        if told.get("offset", 0) < 1 or not meddler.again():
            return answer
        return Answer(answer.status, answer.headers, json.dumps(told | {"offset": told["offset"] - 1}).encode())

    verdict = judge_with(judged, shift)
    assert verdict.lost == 1 and listed(verdict, "I1", "acknowledged at"), verdict.violations


def test_an_acknowledgement_of_nothing_is_a_loss(judged: Judged) -> None:
    def invent(meddler: Meddler, headers: dict, forward) -> Answer:
        if headers["content-type"] != JSON or not meddler.again():
            return forward()
        told = {"id": str(uuid.uuid4()), "partition": 0, "offset": 0}
        return Answer(202, {"content-type": JSON}, json.dumps(told).encode())

    verdict = judge_with(judged, invent)
    lost = listed(verdict, "I1", "not in Kafka")
    malformed = listed(verdict, "I7", "malformed answer 202")  # it was a list, and 202 for one event is none
    assert lost or malformed
    assert verdict.lost == len(lost)


def test_an_altered_id_is_a_loss(judged: Judged) -> None:
    def rename(meddler: Meddler, headers: dict, forward) -> Answer:
        answer = forward()
        told = answer.json
        if "id" not in told or "idempotency-key" in headers or not meddler.again():
            return answer
        return Answer(answer.status, answer.headers, json.dumps(told | {"id": str(uuid.uuid4())}).encode())

    verdict = judge_with(judged, rename)
    assert verdict.lost == 1 and listed(verdict, "I1", "not in Kafka"), verdict.violations


def test_a_refusal_of_what_was_stored_is_found(judged: Judged) -> None:
    def lie(meddler: Meddler, headers: dict, forward) -> Answer:
        answer = forward()
        if "idempotency-key" in headers or not meddler.again(3):
            return answer
        return refusal(503, Retry_After="1")

    verdict = judge_with(judged, lie)
    assert len(listed(verdict, "I4", "refused as not stored")) >= 3, verdict.violations
    assert verdict.figures["answers_http_503"] == 3 and verdict.lost == 0


def test_honest_refusals_are_no_violation(judged: Judged) -> None:
    def refuse(meddler: Meddler, _headers: dict, forward) -> Answer:
        return refusal(503, Retry_After="1") if meddler.again(20) else forward()

    verdict = judge_with(judged, refuse)
    assert verdict.ok, verdict.violations
    assert verdict.figures["answers_http_503"] >= 20


def test_malformed_refusals_are_found(judged: Judged) -> None:
    bad = [
        refusal(503),  # no Retry-After
        Answer(503, {"content-type": "text/html", "retry-after": "1"}, b"<h1>no</h1>"),
        Answer(503, {"content-type": "application/problem+json", "retry-after": "1"}, b"{"),
        refusal(422),  # well-formed, but what was sent is good
        refusal(500),
        Answer(202, {"content-type": JSON}, b'{"id": 7}'),
    ]

    def refuse(meddler: Meddler, _headers: dict, forward) -> Answer:
        with meddler.lock:
            at, meddler.times = meddler.times, meddler.times + 1
        return bad[at] if at < len(bad) else forward()

    verdict = judge_with(judged, refuse)
    assert len(listed(verdict, "I7", "")) == len(bad), verdict.violations
    assert verdict.lost == 0 and verdict.exact_s is not None


def test_connections_that_break_are_cleared_up(judged: Judged) -> None:
    """Half of them after the events were stored: with a key they are sent again, and are one document each."""

    def cut(meddler: Meddler, _headers: dict, forward) -> Answer | None:
        if not meddler.again(20):
            return forward()
        if meddler.times % 2:
            forward()
        return None

    verdict = judge_with(judged, cut)
    assert verdict.ok, verdict.violations
    assert verdict.figures["retries"] > 0
    assert verdict.figures["duplicates_in_kafka"] > 0, "no event was stored twice: nothing was shown"


def test_what_is_never_cleared_up_is_told(judged: Judged) -> None:
    """A mesh that answers 504 for ever to one key: not what was promised."""
    key = []

    def hang(meddler: Meddler, headers: dict, forward) -> Answer:
        own = headers.get("idempotency-key")
        if own and not key and meddler.again():
            key.append(own)
        return refusal(504) if own and own in key else forward()

    verdict = judge_with(judged, hang, retry_s=2)
    assert listed(verdict, "I4", "still UNKNOWN"), verdict.violations
