# SPDX-License-Identifier: Apache-2.0
"""Goal: the sample file is what generate.py makes, and is like real tweets in what matters.

Method: generate again and compare bytes; look at lengths, scripts, countries and the schema.
"""

import json
import statistics
import unicodedata
from collections import Counter
from datetime import datetime
from pathlib import Path

import dataset
import generate
import pytest

SAMPLE = Path(__file__).parents[1] / "data" / "tweets.json"


def text_of(tweet):
    return tweet.get("text") or tweet["texto"]


def country_of(tweet):
    return tweet.get("country") or tweet["pais"]


@pytest.fixture(scope="module")
def tweets():
    return generate.make_tweets(seed=1, count=1000)


def test_the_sample_is_what_seed_1_gives(tweets):
    assert SAMPLE.read_bytes() == generate.write_array(tweets).encode()
    assert SAMPLE.stat().st_size < 300_000


def test_another_seed_gives_other_tweets(tweets):
    assert generate.make_tweets(seed=2, count=1000) != tweets


@pytest.mark.parametrize("form", generate.WRITERS)
def test_each_form_is_read_back(tweets, form, tmp_path):
    path = tmp_path / form
    path.write_text(generate.WRITERS[form](tweets), encoding="utf-8")
    assert [json.loads(body) for body in dataset.load(path)] == tweets


def test_tweets_fit_the_stream(tweets):
    for tweet in tweets:
        assert len({"text", "texto"} & set(tweet)) == 1
        assert len({"country", "pais"} & set(tweet)) == 1
        assert 1 <= len(text_of(tweet)) <= 280
        assert 1 <= len(country_of(tweet)) <= 64
        assert len(tweet.get("user", "")) <= 64
        if "created_at" in tweet:
            assert datetime.fromisoformat(tweet["created_at"]).tzinfo is not None


def test_lengths_are_like_real_ones(tweets):
    lengths = [len(text_of(tweet)) for tweet in tweets]
    assert 55 <= statistics.median(lengths) <= 85
    assert min(lengths) < 15 and max(lengths) > 240


def test_many_scripts_and_emoji(tweets):
    letters = {char for tweet in tweets for char in text_of(tweet)}
    names = {unicodedata.name(char, "").split()[0] for char in letters if char.isalpha()}
    assert names >= {"LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI", "CJK", "HANGUL", "THAI"}
    assert "\u200d" in letters and "🇬" in letters and "\ufe0f" in letters


def test_countries_are_skewed_and_spelled_in_many_ways(tweets):
    counts = Counter(map(country_of, tweets))
    assert counts["United States"] > 100
    assert {"US", "Estados Unidos", "Guatemala", "GT", "Brasil"} <= set(counts)
    assert 50 < len(counts) < 255
