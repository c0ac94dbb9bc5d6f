# SPDX-License-Identifier: Apache-2.0
"""Goal: 8,402 real tweets, in batches and singly, are each stored and counted once, by the right country.

Method: the file named by $TWEETMESH_REAL_TWEETS (or ../shared/data/tweets-real.ndjson beside the project) is
sent; countries are judged by iso-codes' own JSON. The file is not shipped: without it conftest.py leaves this out.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest
from support.countries import UNKNOWN, by_alpha_2
from support.events import ndjson, real_tweets_path
from support.http import NDJSON, Crowd
from support.tested import Tested

TWEETS = 8402


@pytest.fixture(scope="module")
def real_tweets() -> list[dict]:
    lines = [json.loads(line) for line in real_tweets_path().read_text().splitlines()]
    return [tweet | {"created_at": f"{tweet['created_at']}T00:00:00Z"} for tweet in lines]


def expect_all(mesh: Tested, sent: list[dict]) -> None:
    documents = mesh.judge.expect_equal(mesh.stream, TWEETS)
    expected = Counter(by_alpha_2().get(tweet["country"], UNKNOWN) for tweet in sent)
    assert mesh.judge.counts(mesh.stream).groups == dict(expected)
    assert Counter(document["text"] for document in documents.values()) == Counter(tweet["text"] for tweet in sent)
    audit = mesh.mesh.audit("--json", "--wait", "30")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert json.loads(audit.stdout)["streams"][mesh.stream.name]["kafka_events"] == TWEETS


def named(tweets: list[dict]) -> list[dict]:
    """Some have an empty country, which the schema refuses: they are sent as Unknown."""
    return [tweet | {"country": tweet["country"] or UNKNOWN} for tweet in tweets]


@pytest.mark.parametrize("form", ["array", "ndjson"])
def test_in_batches_of_100(mesh: Tested, real_tweets: list[dict], form: str) -> None:
    """As they are in the file; those without a country are refused, each with its index, and sent once more."""
    assert len(real_tweets) == TWEETS
    client = mesh.client()
    refused: list[dict] = []
    for start in range(0, TWEETS, 100):
        batch = real_tweets[start : start + 100]
        answer = client.post("/input", batch) if form == "array" else client.post("/input", ndjson(batch), NDJSON)
        without = [index for index, tweet in enumerate(batch) if not tweet["country"]]
        assert answer.status == (207 if without else 202), answer.body[:500]
        assert [result["index"] for result in answer.json["results"] if "problem" in result] == without
        refused += [batch[index] for index in without]
    assert refused
    assert client.post("/input", named(refused)).status == 202
    expect_all(mesh, real_tweets)


def test_singly(mesh: Tested, real_tweets: list[dict]) -> None:
    Crowd([mesh.http_port], "/input", named(real_tweets), "real").start().finish()
    expect_all(mesh, real_tweets)
