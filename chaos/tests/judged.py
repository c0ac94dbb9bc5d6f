# SPDX-License-Identifier: Apache-2.0
"""A judge at work on a mesh of tests, and somebody between judge and mesh who meddles with the answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.http import PROBLEM, Answer, Client
from support.tested import Tested
from support.waiting import wait_for

from chaos.judge.client import JudgeProcess
from chaos.judge.protocol import Run, Verdict


@dataclass
class Judged:
    """Threads: the main one."""

    tested: Tested
    judge: JudgeProcess
    log: Path
    runs: int = 0

    def begin(self, **changes: object) -> None:
        """A run without goals that a busy machine could miss."""
        self.runs += 1
        fields = {"name": "test", "seed": self.runs, "events_s": 300, "workers": 4, "struck_min": 0, "acked_min": 100}
        goals = {"first_ack_s": None, "exact_s": 60, "patience_s": 0}
        self.judge.begin(Run(**fields | goals | changes))

    def wait_acked(self, count: int = 150) -> None:
        wait_for(f"{count} events are acknowledged", lambda: self.judge.counts().acked >= count, 60)

    def run(self, meanwhile: Callable[[], None] = lambda: None, **changes: object) -> Verdict:
        """A run in which something is done under load."""
        self.begin(**changes)
        self.wait_acked()
        meanwhile()
        return self.judge.end()

    def document(self) -> dict:
        """Some archived event of the run in hand."""
        label = f"test.{self.runs}-{self.runs}-"
        collection = self.tested.judge.database[self.tested.stream.collection]
        return wait_for("a document of this run", lambda: collection.find_one({"text": {"$regex": f"^{label}"}}))


@dataclass
class Meddler:
    """Stands before api. `meddle` gets each request's headers and a way to forward it; None closes the connection."""

    port_behind: int
    meddle: Callable[[dict[str, str], Callable[[], Answer]], Answer | None]
    times: int = 0  # how often it has meddled
    lock: threading.Lock = field(default_factory=threading.Lock)  # guards times

    def again(self, at_most: int = 1) -> bool:
        """True so many times; then never more."""
        with self.lock:
            if self.times >= at_most:
                return False
            self.times += 1
            return True


def refusal(status: int, **headers: str) -> Answer:
    """A well-formed one, if Retry_After is given with 503."""
    problem = {"type": "urn:tweetmesh:problem:unavailable", "title": "t", "status": status, "detail": "d"}
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return Answer(status, {"content-type": PROBLEM} | named, json.dumps(problem).encode())


@contextmanager
def meddling(judged: Judged, meddler: Meddler) -> Iterator[None]:
    """The judge's HTTP goes through the meddler meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            passed = {name: value for name, value in headers.items() if name in ("content-type", "idempotency-key")}
            client = Client(meddler.port_behind)
            answer = meddler.meddle(headers, lambda: client.request("POST", self.path, body, passed))
            client.close()
            self.close_connection = answer is None
            if answer is not None:
                self.reply(answer)

        def reply(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name in ("content-type", "retry-after"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """The judge has hung up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        judged.judge.retarget(http_ports=[server.server_address[1]])
        try:
            yield
        finally:
            judged.judge.retarget(http_ports=[judged.tested.http_port])
            server.shutdown()
            thread.join()
