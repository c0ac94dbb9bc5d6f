# SPDX-License-Identifier: Apache-2.0
"""Makes a file of invented tweets: python3 locust/generate.py --seed 1 --count 1000 -o FILE

The same seed gives the same bytes, on every machine and day. Lengths, scripts, emoji, hashtags
and the skew of countries are like those of real tweets; no tweet is copied.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from datetime import UTC, datetime, timedelta

from places import PLACES
from words import EMOJI, LANGUAGES, SYLLABLES, Language

TEXT_LEN_MAX = 280  # code points
TEXT_LEN_MEDIAN = 66
TEXT_LEN_SIGMA = 0.65
FIRST_MOMENT = datetime(2025, 5, 1, tzinfo=UTC)
SPAN_S = 120 * 24 * 3600


def make_tweets(seed: int, count: int) -> list[dict]:
    """Returns count tweets; the same for the same seed and count."""
    rng = random.Random(seed)
    weights = [place.weight for place in PLACES]
    return [_tweet(rng, place) for place in rng.choices(PLACES, weights, k=count)]


def write_array(tweets: list[dict]) -> str:
    return "[\n" + ",\n".join(map(_line, tweets)) + "\n]\n"


def write_ndjson(tweets: list[dict]) -> str:
    return "".join(_line(tweet) + "\n" for tweet in tweets)


def write_course(tweets: list[dict]) -> str:
    """Not JSON: objects, each with a comma behind it, and no brackets around them."""
    return "".join(_line(tweet) + ",\n" for tweet in tweets)


WRITERS = {"array": write_array, "ndjson": write_ndjson, "course": write_course}


def _line(tweet: dict) -> str:
    return json.dumps(tweet, ensure_ascii=False)


def _tweet(rng: random.Random, place) -> dict:
    language = LANGUAGES[rng.choice(place.languages)]
    usual = rng.random() < 0.6
    country = place.spellings[0] if usual else rng.choice(place.spellings)
    spanish = rng.random() < 0.2
    tweet = {
        "texto" if spanish else "text": _text(rng, language),
        "pais" if spanish else "country": country,
    }
    if rng.random() < 0.4:
        tweet["user"] = _name(rng)
    if rng.random() < 0.5:
        moment = FIRST_MOMENT + timedelta(seconds=rng.randrange(SPAN_S))
        tweet["created_at"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return tweet


def _text(rng: random.Random, language: Language) -> str:
    length = round(rng.lognormvariate(math.log(TEXT_LEN_MEDIAN), TEXT_LEN_SIGMA))
    length = max(3, min(TEXT_LEN_MAX, length))
    extras = _extras(rng, language, length)
    body = _sentence(rng, language, max(2, length - sum(len(extra) + 1 for extra in extras)))
    if rng.random() < 0.12:
        body = f"@{_name(rng)} {body}"
    return " ".join([body, *extras])[:TEXT_LEN_MAX].rstrip()


def _extras(rng: random.Random, language: Language, length: int) -> list[str]:
    """What follows the words: emoji, hashtags, a link; nothing much behind a short text."""
    extras = []
    if rng.random() < 0.35:
        extras.append("".join(rng.choice(EMOJI) for _ in range(rng.choice((1, 1, 1, 2, 3)))))
    if length > 30 and rng.random() < 0.3:
        extras.extend(rng.choice(language.tags) for _ in range(rng.choice((1, 1, 2, 3))))
    if length > 60 and rng.random() < 0.12:
        extras.append(f"https://example.org/{rng.randrange(16**6):06x}")
    return extras


def _sentence(rng: random.Random, language: Language, length: int) -> str:
    text = rng.choice(language.words).capitalize()
    until_stop = rng.randrange(4, 11)
    while True:
        word = rng.choice(language.words)
        if until_stop == 0:
            word = rng.choice(language.stops) + language.joint + word.capitalize()
            until_stop = rng.randrange(4, 11)
        else:
            word = language.joint + word
        until_stop -= 1
        if len(text) + len(word) > length:
            return text + rng.choice(("", "", language.stops[0], language.stops[1]))
        if rng.random() < 0.02:
            word += rng.choice(("\n", ' "', " & ", f" {rng.randrange(-9, 42)}°C "))
        text += word


def _name(rng: random.Random) -> str:
    name = "".join(rng.choice(SYLLABLES) for _ in range(rng.randrange(2, 5)))
    return name + (str(rng.randrange(100)) if rng.random() < 0.5 else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--format", choices=WRITERS, default="array")
    parser.add_argument("-o", "--output", help="file to write; standard output if not given")
    options = parser.parse_args()
    data = WRITERS[options.format](make_tweets(options.seed, options.count)).encode()
    if options.output:
        with open(options.output, "wb") as file:
            file.write(data)
    else:
        sys.stdout.buffer.write(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
