# SPDX-License-Identifier: Apache-2.0
"""Is this answer what the API promises? Each check returns None, or what is wrong with it.

The words never hold ids or offsets: Locust groups failures by their text.
"""

from __future__ import annotations

import json
from typing import NamedTuple

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S_MAX = 60


class Answer(NamedTuple):
    """What the checks look at. status 0: there was no answer, and error says why."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes
    error: str = ""


def accepted(answer: Answer) -> str | None:
    """202 for one event, with its id, partition and offset."""
    document, wrong = _document(answer, 202)
    return wrong or _receipt(document)


def batch_accepted(answer: Answer, count: int) -> str | None:
    """202 for several events: all taken, and a receipt for each, in order."""
    document, wrong = _document(answer, 202)
    if wrong:
        return wrong
    if document.get("accepted") != count or document.get("rejected") != 0:
        return "not all events of the batch were accepted"
    results = document.get("results")
    if not isinstance(results, list) or len(results) != count:
        return "results has not one entry an event"
    if len({result.get("id") for result in results if isinstance(result, dict)}) != count:
        return "ids in results are not distinct"
    return next(filter(None, map(_receipt, results)), None)


def refused(answer: Answer, status: int) -> str | None:
    """A problem document (RFC 9457) with this status, in the head and in the body."""
    document, wrong = _document(answer, status)
    if wrong:
        return wrong
    if _media_type(answer) != PROBLEM_TYPE:
        return f"{status} without content type {PROBLEM_TYPE}"
    if document.get("status") != status:
        return f"{status}, but the problem's status says otherwise"
    if not isinstance(document.get("title"), str):
        return f"{status} without a title"
    if status == 405 and "POST" not in answer.headers.get("allow", ""):
        return "405 without Allow: POST"
    return None


def busy(answer: Answer) -> str | None:
    """A well-formed 503: certainly not stored, come back after Retry-After seconds."""
    wrong = refused(answer, 503)
    if wrong:
        return wrong
    if retry_after_s(answer) is None:
        return "503 without a usable Retry-After"
    return None


def retry_after_s(answer: Answer) -> int | None:
    text = answer.headers.get("retry-after", "")
    if not (text.isascii() and text.isdigit()) or int(text[:9]) > RETRY_AFTER_S_MAX:
        return None
    return int(text)


def _document(answer: Answer, status: int) -> tuple[dict, str | None]:
    if answer.status == 0:
        return {}, f"no answer: {answer.error}"
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if answer.status != status:
        title = document.get("title") if isinstance(document, dict) else None
        reason = f" ({title[:80]})" if isinstance(title, str) else ""
        return {}, f"status {answer.status}{reason}, expected {status}"
    if not isinstance(document, dict):
        return {}, f"{status}, but the body is not a JSON object"
    return document, None


def _receipt(document: object) -> str | None:
    if not isinstance(document, dict):
        return "a receipt is not an object"
    if not isinstance(document.get("id"), str) or not document["id"]:
        return "202 without an id"
    for field in ("partition", "offset"):
        if type(document.get(field)) is not int or document[field] < 0:
            return f"202 without a valid {field}"
    return None


def _media_type(answer: Answer) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()
