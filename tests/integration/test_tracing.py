# SPDX-License-Identifier: Apache-2.0
"""Goal: an event's id, and its trace where it has one, can be followed from the request to the archive.

Method: send with and without `traceparent`; look at Kafka's headers and the documents. Spans are off here, on in
test_spans.py.
"""

from __future__ import annotations

import secrets

import pytest
from support.events import encode, tweet, tweets
from support.grpc_client import GrpcClient, request
from support.judges import Record
from support.tested import Tested
from support.waiting import wait_for


def new_trace(flags: str = "01") -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{flags}"


def records_by_id(mesh: Tested) -> dict[str, Record]:
    return {record.event["id"]: record for record in mesh.judge.records(mesh.stream.topic)}


def document_of(mesh: Tested, event_id: str) -> dict:
    collection = mesh.judge.database[mesh.stream.collection]
    return wait_for("archived", lambda: collection.find_one({"_id": event_id}))


@pytest.mark.parametrize("flags", ["00", "01", "ff"])
def test_the_callers_trace_goes_on_as_it_is(shared_mesh: Tested, flags: str) -> None:
    """Nothing here has a span that could be anybody's parent."""
    sent = new_trace(flags)
    answer = shared_mesh.client().post("/input", tweet(), traceparent=sent)
    assert records_by_id(shared_mesh)[answer.json["id"]].headers == {"traceparent": sent}
    assert document_of(shared_mesh, answer.json["id"])["traceparent"] == sent


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
def test_without_a_good_trace_there_is_none(shared_mesh: Tested, bad: str | None) -> None:
    headers = {} if bad is None else {"traceparent": bad}
    answer = shared_mesh.client().post("/input", tweet(), **headers)
    assert answer.status == 202, answer.body
    assert records_by_id(shared_mesh)[answer.json["id"]].headers == {}
    assert "traceparent" not in document_of(shared_mesh, answer.json["id"])


def test_all_events_of_a_batch_share_the_trace_but_not_the_id(shared_mesh: Tested) -> None:
    sent = new_trace("00")
    answer = shared_mesh.client().post("/input", tweets(10), traceparent=sent)
    by_id = records_by_id(shared_mesh)
    found = [by_id[result["id"]] for result in answer.json["results"]]
    assert all(record.headers == {"traceparent": sent} for record in found)
    assert len({record.event["id"] for record in found}) == 10


def test_over_grpc_each_event_has_its_own_trace_or_none(shared_mesh: Tested) -> None:
    bare = {"stream": shared_mesh.stream.name, "payload": encode(tweet())}
    first, second = new_trace(), new_trace("00")
    events = [bare, bare | {"traceparent": first}, bare | {"traceparent": "00-broken"}, bare | {"traceparent": second}]
    with GrpcClient(f"127.0.0.1:{shared_mesh['grpc-server'].ports['grpc']}") as client:
        reply = client.publish(request(1, *events), timeout=20)
    by_id = records_by_id(shared_mesh)
    headers = [by_id[event_id].headers for event_id in reply.ids]
    assert headers == [{}, {"traceparent": first}, {}, {"traceparent": second}]
