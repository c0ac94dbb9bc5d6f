# SPDX-License-Identifier: Apache-2.0
"""Sends requests over HTTP and understands the answers."""

from __future__ import annotations

import http.client
import json

from support.events import encode, ndjson
from support.http import JSON, NDJSON, Answer, Client, expect_problem

from chaos.judge.answers import CLIENT_S_MAX, Answered, Told, id_of
from chaos.judge.plan import Entrance, Names, Outcome, Request

OUTCOMES = {503: Outcome.REFUSED, 504: Outcome.UNKNOWN}


class HttpEntrance:
    """Keep-alive connections to every port, used in turn. Threads: one."""

    def __init__(self, ports: list[int], path: str, turn: int) -> None:
        self._clients = [Client(port, CLIENT_S_MAX) for port in ports]
        self._path = path
        self._turn = turn

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def send(self, request: Request, names: Names) -> Answered:
        self._turn += 1
        client = self._clients[self._turn % len(self._clients)]
        body, content_type = _body(request, names)
        headers = {"Idempotency_Key": names.key(request)} if request.keyed else {}
        count = len(request.events)
        try:
            client.drop_if_closed()
            answer = client.post(self._path, body, content_type, **headers)
        except ConnectionRefusedError as error:
            return Answered.all(Outcome.UNSENT, count, type(error).__name__)
        except (OSError, http.client.HTTPException) as error:
            return Answered.all(Outcome.BROKEN, count, type(error).__name__)
        return understand(answer, request)


def _body(request: Request, names: Names) -> tuple[bytes, str]:
    payloads = [names.payload(event) for event in request.events]
    if request.entrance == Entrance.SINGLE:
        return encode(payloads[0]), JSON
    if request.entrance == Entrance.ARRAY:
        return encode(payloads), JSON
    return ndjson(payloads), NDJSON


def understand(answer: Answer, request: Request) -> Answered:
    """Never raises: what cannot be understood is a fault of the answer."""
    count, word = len(request.events), str(answer.status)
    try:
        if answer.status in (202, 207):
            return _understand_taken(answer, request)
        expect_problem(answer, answer.status)
        faults = [] if answer.status in OUTCOMES else [f"{answer.status} to a good request: {answer.body[:300]!r}"]
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError) as error:
        faults = [f"malformed answer {answer.status}: {error}: {answer.headers} {answer.body[:300]!r}"]
    refused = 400 <= answer.status < 500
    outcome = Outcome.REFUSED if refused else OUTCOMES.get(answer.status, Outcome.UNKNOWN)
    return Answered.all(outcome, count, word, faults)


def _understand_taken(answer: Answer, request: Request) -> Answered:
    assert answer.headers["content-type"].split(";")[0] == JSON
    body = answer.json
    if request.entrance == Entrance.SINGLE:
        assert answer.status == 202
        return Answered([_stored(body)], word="202")
    results = body["results"]
    assert len(results) == len(request.events), f"{len(results)} results for {len(request.events)} events"
    told = [_stored(entry) if "id" in entry else _refused(index, entry) for index, entry in enumerate(results)]
    stored = sum(one.outcome == Outcome.ACKED for one in told)
    assert (body["accepted"], body["rejected"]) == (stored, len(told) - stored), "the sums are wrong"
    assert (answer.status == 202) == (stored == len(told)), "202 is for lists of which all were taken"
    return Answered(told, word=str(answer.status))


def _stored(entry: dict) -> Told:
    event_id, partition, offset = id_of(entry["id"]), entry["partition"], entry["offset"]
    assert event_id is not None, "id is no UUID"
    place = (partition, offset) if isinstance(partition, int) and isinstance(offset, int) else None
    assert place is not None or offset is None, "offset is no number"
    return Told(Outcome.ACKED, event_id, place)


def _refused(index: int, entry: dict) -> Told:
    """An entry of results; its problem has the form of a whole answer's."""
    problem = entry["problem"]
    assert entry["index"] == index, f"index {entry['index']} at {index}"
    headers = {"content-type": "application/problem+json", "retry-after": "1"}
    expect_problem(Answer(problem["status"], headers, json.dumps(problem).encode()), problem["status"])
    assert problem["status"] in OUTCOMES, f"{problem['status']} for a good event"
    return Told(OUTCOMES[problem["status"]])
