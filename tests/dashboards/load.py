# SPDX-License-Identifier: Apache-2.0
"""A load that leaves something to see in every panel: waves of events, repeated ones, refused ones."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

from support.http import NDJSON, Client
from support.events import ndjson

# As people write it, as it is counted, and how often it comes.
COUNTRIES = (
    ("US", "United States", 28),
    ("guatemala", "Guatemala", 17),
    ("id", "Indonesia", 12),
    ("br", "Brazil", 11),
    ("TR", "Türkiye", 8),
    ("japón", "Japan", 7),
    ("España", "Spain", 5),
    ("DEU", "Germany", 4),
    ("mx", "Mexico", 3),
    ("ar", "Argentina", 2),
    ("Kenia", "Kenya", 1),
    ("in", "India", 1),
    ("Narnia", "Unknown", 1),
)
TICK_SECONDS = 0.1
WAVE_SECONDS = 12
SEED = 2026


@dataclass
class Sent:
    started: float = 0.0  # Unix time
    ended: float = 0.0
    events: int = 0  # different ones that were acknowledged
    records: int = 0  # with the repeated
    refused: int = 0
    groups: Counter[str] = field(default_factory=Counter)


def _events(chance: random.Random, count: int) -> tuple[list[dict], Counter[str]]:
    chosen = chance.choices(COUNTRIES, weights=[weight for *_, weight in COUNTRIES], k=count)
    events = [{"text": f"does it rain? {number}", "country": written} for number, (written, *_) in enumerate(chosen)]
    return events, Counter(group for _, group, _ in chosen)


def _repeated(client: Client, sent: Sent, key: str) -> None:
    """One event, sent twice as a client does that heard no answer."""
    for _ in range(2):
        answer = client.post("/input", {"text": "once", "country": "gt"}, Idempotency_Key=key)
        assert answer.status == 202, answer
        sent.records += 1
    sent.events += 1
    sent.groups["Guatemala"] += 1


def _refused(client: Client, sent: Sent) -> None:
    answer = client.post("/input", {"text": "no country"})
    assert answer.status == 422, answer
    sent.refused += 1


def _waves(client: Client, sent: Sent, seconds: float) -> None:
    chance, begin, tick = random.Random(SEED), time.monotonic(), 0
    while (at := tick * TICK_SECONDS) < seconds:
        count = 12 + round(9 * math.sin(2 * math.pi * at / WAVE_SECONDS)) + chance.randint(-2, 2)
        events, groups = _events(chance, count)
        answer = client.post("/input", ndjson(events), NDJSON)
        assert answer.status == 202, answer
        sent.events, sent.records = sent.events + count, sent.records + count
        sent.groups += groups
        if tick % 10 == 3:
            _repeated(client, sent, f"dashboards-{tick}")
        if tick % 20 == 7:
            _refused(client, sent)
        tick += 1
        time.sleep(max(0.0, begin + tick * TICK_SECONDS - time.monotonic()))  # an open loop, not a wait


def send(port: int, seconds: float) -> Sent:
    """To the API on that port; every request is answered as it should be, or AssertionError."""
    sent = Sent(started=time.time())
    with closing(Client(port)) as client:
        _waves(client, sent, seconds)
    sent.ended = time.time()
    return sent
