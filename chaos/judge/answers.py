# SPDX-License-Identifier: Apache-2.0
"""What an entrance answered, event by event, and what is wrong with the answer itself (I7)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from chaos.judge.plan import Outcome

REQUEST_S_MAX = 10.0  # what the mesh promises: REQUEST_MS_MAX
SLACK_S = 1.0  # sanitized builds on a busy machine
CLIENT_S_MAX = 15.0  # the judge waits no longer


@dataclass(slots=True)
class Told:
    """What the answer says about one event."""

    outcome: Outcome
    id: int | None = None
    place: tuple[int, int] | None = None


@dataclass(slots=True)
class Answered:
    told: list[Told]
    faults: list[str] = field(default_factory=list)
    word: str = ""  # "202", "UNAVAILABLE", "ConnectionResetError": for people

    @classmethod
    def all(cls, outcome: Outcome, count: int, word: str, faults: list[str] | None = None) -> Answered:
        return cls([Told(outcome)] * count, faults or [], word)


def id_of(text: object) -> int | None:
    """A canonical UUID as a number; None: it is not one."""
    try:
        parsed = uuid.UUID(text)  # type: ignore[arg-type]
    except (ValueError, TypeError, AttributeError):
        return None
    return parsed.int if str(parsed) == text else None


def text_of(number: int) -> str:
    return str(uuid.UUID(int=number))
