# SPDX-License-Identifier: Apache-2.0
"""Goal: an event's id and its trace can be followed from the request to the archive.

Method: send with and without `traceparent`; look at Kafka's headers and the documents.
"""

from __future__ import annotations

import re
import secrets

import pytest
from support.events import tweet, tweets
from support.judges import Record
from support.tested import Tested
from support.waiting import wait_for

TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def records_by_id(mesh: Tested) -> dict[str, Record]:
    return {record.event["id"]: record for record in mesh.judge.records(mesh.stream.topic)}


def test_the_callers_trace_goes_on(shared_mesh: Tested) -> None:
    trace_id = secrets.token_hex(16)
    sent = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    answer = shared_mesh.client().post("/input", tweet(), traceparent=sent)
    record = records_by_id(shared_mesh)[answer.json["id"]]
    assert TRACEPARENT.fullmatch(record.headers["traceparent"])
    assert record.headers["traceparent"].split("-")[1] == trace_id
    assert record.headers["traceparent"].endswith("-01"), "the sampled flag must be kept"
    collection = shared_mesh.judge.database[shared_mesh.stream.collection]
    document = wait_for("archived", lambda: collection.find_one({"_id": answer.json["id"]}))
    assert trace_id in str(document), "the trace is not in the archive"


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        "garbage",
        "00-" + "0" * 32 + "-" + "1" * 16 + "-01",
        "ff-" + "1" * 32 + "-" + "1" * 16 + "-01",
        "00-" + "X" * 32 + "-" + "1" * 16 + "-01",
    ],
)
def test_without_a_good_trace_a_new_one_is_made(shared_mesh: Tested, bad: str | None) -> None:
    headers = {} if bad is None else {"traceparent": bad}
    answer = shared_mesh.client().post("/input", tweet(), **headers)
    assert answer.status == 202, answer.body
    made = records_by_id(shared_mesh)[answer.json["id"]].headers["traceparent"]
    assert TRACEPARENT.fullmatch(made)
    assert made != bad


def test_all_events_of_a_batch_share_the_trace_but_not_the_id(shared_mesh: Tested) -> None:
    trace_id = secrets.token_hex(16)
    answer = shared_mesh.client().post("/input", tweets(10), traceparent=f"00-{trace_id}-{secrets.token_hex(8)}-00")
    by_id = records_by_id(shared_mesh)
    found = [by_id[result["id"]] for result in answer.json["results"]]
    assert {record.headers["traceparent"].split("-")[1] for record in found} == {trace_id}
    assert len({record.event["id"] for record in found}) == 10
