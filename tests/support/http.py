# SPDX-License-Identifier: Apache-2.0
"""HTTP as clients of the mesh speak it: single requests, and a crowd that retries as the contract says."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from support.events import encode
from support.waiting import wait_for

JSON = "application/json"
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class Client:
    """One keep-alive connection to a program on loopback. Threads: one."""

    def __init__(self, port: int, seconds: float = 30) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None) -> Answer:
        """Raises OSError or HTTPException when there is no whole answer; the next call connects anew."""
        try:
            self._connection.request(method, path, body, headers or {})
            response = self._connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: object, content_type: str | None = JSON, **headers: str) -> Answer:
        """body: bytes as they are, anything else as JSON. Header names with _ for -."""
        data = body if isinstance(body, bytes) else encode(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type:
            named["Content-Type"] = content_type
        return self.request("POST", path, data, named)

    def drop_if_closed(self) -> None:
        """Notices that the server has closed the idle connection; the next call then connects anew."""
        opened = self._connection.sock
        if opened is not None and select.select([opened], [], [], 0)[0]:
            self._connection.close()

    def close(self) -> None:
        self._connection.close()


class HttpsClient(Client):
    """Over TLS, the certificate checked."""

    def __init__(self, port: int, context: ssl.SSLContext, seconds: float = 30) -> None:
        self._connection = http.client.HTTPSConnection("localhost", port, timeout=seconds, context=context)


def expect_problem(answer: Answer, status: int) -> dict:
    """The answer is a well-formed RFC 9457 problem with this status."""
    assert answer.status == status, f"{answer.status}: {answer.body[:500]!r}"
    assert answer.headers["content-type"].split(";")[0] == PROBLEM
    problem = answer.json
    assert problem["status"] == status
    for name in ("type", "title", "detail"):
        assert isinstance(problem[name], str) and problem[name], f"{name} is missing in {problem}"
    for error in problem.get("errors", []):
        assert set(error) >= {"pointer", "reason"}, error
        assert error["pointer"] == "" or error["pointer"].startswith("/")
        assert error["reason"]
    if status == 503:
        assert int(answer.headers["retry-after"]) >= 1
    return problem


def talk(port: int, sent: Sequence[bytes], seconds: float = 20) -> bytes:
    """Sends raw bytes and returns all that comes back until the server closes the connection.

    A server that refuses before it has read everything may reset the connection after its answer.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection, suppress(ConnectionError):
        for part in sent:
            connection.sendall(part)
        while chunk := connection.recv(65536):
            received += chunk
    return received


@dataclass
class Crowd:
    """Sends events one by one from several threads, each with its Idempotency-Key, until each is taken.

    503, 504 and a broken connection are retried with the same key; any other answer is an error.
    """

    ports: list[int]
    path: str
    events: list[dict]
    key: str
    workers: int = 6
    seconds: float = 120
    answers: dict[int, Answer] = field(default_factory=dict)  # by index of the event
    retries: int = 0
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()  # guards _next, retries, answers and errors
        self._next = 0
        self._threads = [threading.Thread(target=self._work, args=(at,), daemon=True) for at in range(self.workers)]

    def start(self) -> Crowd:
        self._deadline = time.monotonic() + self.seconds
        for thread in self._threads:
            thread.start()
        return self

    @property
    def taken(self) -> int:
        return len(self.answers)

    def wait_taken(self, count: int) -> None:
        """Waits until so many events have been taken (or the crowd has met an error, which finish() tells)."""
        wait_for(f"{count} events are taken", lambda: self.taken >= count or self.errors, self.seconds)

    def finish(self) -> dict[int, Answer]:
        """Waits for the end; every event has been answered with 202, or this fails."""
        for thread in self._threads:
            thread.join(max(0.0, self._deadline - time.monotonic()) + 5)
        assert not self.errors, self.errors[:5]
        assert len(self.answers) == len(self.events), f"only {len(self.answers)} of {len(self.events)} were taken"
        return self.answers

    def ids(self) -> set[str]:
        return {answer.json["id"] for answer in self.answers.values()}

    def _take(self) -> int | None:
        with self._lock:
            if self._next >= len(self.events) or self.errors:
                return None
            self._next += 1
            return self._next - 1

    def _work(self, worker: int) -> None:
        clients = [Client(port) for port in self.ports]
        while (index := self._take()) is not None:
            self._send(clients, worker + index, index)
        for client in clients:
            client.close()

    def _send(self, clients: list[Client], turn: int, index: int) -> None:
        while time.monotonic() < self._deadline:
            turn += 1
            try:
                answer = clients[turn % len(clients)].post(
                    self.path, self.events[index], Idempotency_Key=f"{self.key}-{index}"
                )
            except (OSError, http.client.HTTPException):
                answer = None
            with self._lock:
                if answer is not None and answer.status == 202:
                    self.answers[index] = answer
                    return
                if answer is not None and answer.status not in (503, 504):
                    self.errors.append(f"event {index}: {answer.status} {answer.body[:300]!r}")
                    return
                self.retries += 1
            time.sleep(0.05)  # spares a server that is down; what is waited for is the answer above
        with self._lock:
            self.errors.append(f"event {index}: not taken in time")
