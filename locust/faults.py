# SPDX-License-Identifier: Apache-2.0
"""Requests that must be refused, each with the status that the API promises for it."""

from __future__ import annotations

import json
from typing import NamedTuple

REQUEST_BYTES_MAX = 1024 * 1024
TEXT_LEN_MAX = 4000
JSON = "application/json"


class Fault(NamedTuple):
    name: str
    status: int
    body: bytes
    method: str = "POST"
    path: str = "/input"
    content_type: str = JSON


def _event(**changes: object) -> bytes:
    event = {"text": "Llueve en la capital", "country": "Guatemala", **changes}
    return json.dumps(event, ensure_ascii=False).encode()


FAULTS = (
    Fault("not JSON", 400, b"text=Llueve&country=Guatemala"),
    Fault("cut off", 400, _event()[:-1]),
    Fault("empty", 400, b""),
    Fault("trailing comma", 400, _event()[:-1] + b",}"),
    Fault("bad UTF-8", 400, b'{"text":"caf\xe9","country":"Guatemala"}'),
    Fault("missing field", 422, b'{"text":"Llueve"}'),
    Fault("extra field", 422, _event(mood="wet")),
    Fault("wrong type", 422, _event(text=42)),
    Fault("null", 422, _event(country=None)),
    Fault("empty text", 422, _event(text="")),
    Fault("text too long", 422, _event(text="x" * (TEXT_LEN_MAX + 1))),
    Fault("not a date", 422, _event(created_at="yesterday")),
    Fault("content type", 415, b"<text>Llueve</text>", content_type="application/xml"),
    Fault("unknown path", 404, _event(), path="/inputs"),
    Fault("wrong method", 405, b"", method="GET"),
    Fault("too big", 413, _event(text="x" * REQUEST_BYTES_MAX)),
)


def fault_of(ticket: int, share: float) -> Fault | None:
    """The fault for this ticket, or None for a good one.

    Faulty tickets are spread evenly and the kinds take turns, so a run of any length has the
    share it was asked for, and a long enough one has every kind, without a random number.
    """
    before, after = int(ticket * share), int((ticket + 1) * share)
    return FAULTS[before % len(FAULTS)] if after > before else None
