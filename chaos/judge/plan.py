# SPDX-License-Identifier: Apache-2.0
"""What is sent in a run, all of it from the seed: events, how they are put together, and by which entrance.

Every event carries its token in its text, so that it is known again wherever it turns up.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from enum import IntEnum

from support.countries import UNKNOWN
from support.events import COUNTRIES as COMMON

COUNTRIES = COMMON + (
    ("México", "Mexico"),
    ("PERU", "Peru"),
    ("in", "India"),
    ("FRA", "France"),
    ("Atlantis", UNKNOWN),
    ("Argentina", "Argentina"),
    ("Alemania", "Germany"),
)
PHRASES = ("¿lloverá mañana? 🌧", "sun, at last", 'niebla "espesa" \\ en la costa', "雪が降る", "wind\tand\nrain")
BATCH_LEN_MAX = 12
STREAM_REQUESTS = 3


class Entrance(IntEnum):
    SINGLE = 0
    ARRAY = 1
    NDJSON = 2
    GRPC = 3
    GRPC_STREAM = 4

    @property
    def is_http(self) -> bool:
        return self <= Entrance.NDJSON


WEIGHTS = {
    Entrance.SINGLE: 40,
    Entrance.ARRAY: 20,
    Entrance.NDJSON: 15,
    Entrance.GRPC: 15,
    Entrance.GRPC_STREAM: 10,
}


class Outcome(IntEnum):
    PENDING = 0
    ACKED = 1
    REFUSED = 2  # certainly not stored
    UNKNOWN = 3  # so it was answered
    BROKEN = 4  # no whole answer
    UNSENT = 5  # nobody took the connection; counted as broken


def place_of(partition: int, offset: int) -> int:
    """Both in one number, for there are many."""
    return partition << 48 | offset


def split_place(place: int) -> tuple[int, int]:
    return place >> 48, place & (1 << 48) - 1


class Event:
    """One event and what became of it. There are many: kept small."""

    __slots__ = ("number", "country", "outcome", "id", "place")

    def __init__(self, number: int, country: int) -> None:
        self.number = number
        self.country = country  # index into COUNTRIES
        self.outcome = Outcome.PENDING
        self.id: int | None = None  # as the answer said, or as it was sent
        self.place: int | None = None  # place_of() partition and offset, as the answer said

    @property
    def archived_country(self) -> str:
        written, group = COUNTRIES[self.country]
        return written if group == UNKNOWN else group


class Request:
    """Events that are sent together, also again."""

    __slots__ = ("entrance", "keyed", "events", "attempts", "patient", "chance")

    def __init__(self, entrance: Entrance, keyed: bool, events: list[Event], chance: float) -> None:
        self.entrance = entrance
        self.keyed = keyed  # with Idempotency-Key, or with ids of its own
        self.events = events
        self.attempts = 0
        self.chance = chance  # drawn with the request: what decides how it is treated later
        self.patient = chance < 0.5  # retried only when the run ends


@dataclass(frozen=True)
class Names:
    """How the events of one run are called."""

    label: str  # "<run>.<which of this mesh>-<seed>"

    def token(self, number: int) -> str:
        return f"{self.label}-{number}"

    def text(self, number: int) -> str:
        return f"{self.token(number)} {PHRASES[number % len(PHRASES)]}"

    def payload(self, event: Event) -> dict:
        return {"text": self.text(event.number), "country": COUNTRIES[event.country][0]}

    def key(self, request: Request) -> str:
        return f"key-{self.token(request.events[0].number)}"

    def own_id(self, number: int) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_OID, self.token(number))


def split_text(text: object) -> tuple[str, int] | None:
    """Label and number of the event with this text; None: not one of ours."""
    if not isinstance(text, str):
        return None
    label, _, number = text.partition(" ")[0].rpartition("-")
    return (label, int(number)) if label and number.isdecimal() else None


class Plan:
    """Requests without end. Threads: one at a time."""

    def __init__(self, seed: int, names: Names, http_only: bool = False) -> None:
        self.names = names
        self.events: list[Event] = []
        self._random = random.Random(seed)
        self._entrances = [entrance for entrance in WEIGHTS if entrance.is_http or not http_only]
        self._weights = [WEIGHTS[entrance] for entrance in self._entrances]

    def next(self) -> Request:
        draw = self._random
        entrance = draw.choices(self._entrances, self._weights)[0]
        keyed = draw.random() < 0.6
        count = 1 if entrance == Entrance.SINGLE else draw.randint(1, BATCH_LEN_MAX)
        return self.make(entrance, keyed, [draw.randrange(len(COUNTRIES)) for _ in range(count)], draw.random())

    def make(self, entrance: Entrance, keyed: bool, countries: list[int], chance: float) -> Request:
        events = [Event(len(self.events) + at, country) for at, country in enumerate(countries)]
        if keyed and not entrance.is_http:
            for event in events:
                event.id = self.names.own_id(event.number).int
        self.events.extend(events)
        return Request(entrance, keyed, events, chance)
