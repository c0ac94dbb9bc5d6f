# SPDX-License-Identifier: Apache-2.0
"""Goal: an Idempotency-Key makes any number of retries one event: one document, one count.

Method: send the same again, singly and in batches, to one replica and to another; audit afterwards.
"""

from __future__ import annotations

import re

from support.events import groups, ndjson, tweet, tweets
from support.http import NDJSON
from support.tested import Tested

UUID_V8 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def expect_one_each(mesh: Tested, count: int) -> None:
    mesh.judge.expect_equal(mesh.stream, count)
    assert sum(mesh.judge.counts(mesh.stream).groups.values()) == count


def test_a_retry_is_one_document_and_one_count(mesh: Tested) -> None:
    client = mesh.client()
    answers = [client.post("/input", tweet(1), Idempotency_Key="order-4711") for _ in range(5)]
    assert {answer.status for answer in answers} == {202}
    ids = {answer.json["id"] for answer in answers}
    assert len(ids) == 1
    assert UUID_V8.fullmatch(ids.pop())
    expect_one_each(mesh, 1)


def test_a_batch_sent_again_is_the_same_batch(mesh: Tested) -> None:
    client = mesh.client()
    first = client.post("/input", tweets(300), Idempotency_Key="batch")
    again = client.post("/input", tweets(300), Idempotency_Key="batch")
    lines = client.post("/input", ndjson(tweets(300)), NDJSON, Idempotency_Key="batch")
    ids = [[result["id"] for result in answer.json["results"]] for answer in (first, again, lines)]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids[0])) == 300
    expect_one_each(mesh, 300)
    assert mesh.judge.counts(mesh.stream).groups == groups(300)


def test_the_index_in_a_batch_counts_refused_events_too(mesh: Tested) -> None:
    """A batch with a bad event keeps the ids of the others when the bad one is mended and all is sent again."""
    client = mesh.client()
    first = client.post("/input", [tweet(0), {"text": 1}, tweet(2)], Idempotency_Key="mend")
    assert first.status == 207, first.body
    second = client.post("/input", [tweet(0), tweet(1), tweet(2)], Idempotency_Key="mend")
    ids = [result.get("id") for result in second.json["results"]]
    known = [result["id"] for result in first.json["results"] if "problem" not in result]
    assert known == [ids[0], ids[2]]
    expect_one_each(mesh, 3)


def test_a_second_replica_gives_the_same_id(mesh: Tested) -> None:
    mesh.add("api-2")
    other = mesh.client("api-2")
    first = mesh.client().post("/input", tweet(1), Idempotency_Key="k")
    second = other.post("/input", tweet(1), Idempotency_Key="k")
    assert first.json["id"] == second.json["id"]
    batch = mesh.client().post("/input", tweets(20), Idempotency_Key="b").json["results"]
    again = other.post("/input", tweets(20), Idempotency_Key="b").json["results"]
    assert [result["id"] for result in batch] == [result["id"] for result in again]
    expect_one_each(mesh, 21)


def test_other_keys_are_other_events(mesh: Tested) -> None:
    client = mesh.client()
    keys = ["a", "A", "a ", "!", "~" * 255, "0", "00"]
    ids = {client.post("/input", tweet(), Idempotency_Key=key).json["id"] for key in keys}
    assert len(ids) == len({key.strip() for key in keys})
    expect_one_each(mesh, len(ids))


def test_without_a_key_every_request_is_an_event_of_its_own(mesh: Tested) -> None:
    client = mesh.client()
    assert len({client.post("/input", tweet()).json["id"] for _ in range(20)}) == 20
    expect_one_each(mesh, 20)
