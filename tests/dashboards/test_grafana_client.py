# SPDX-License-Identifier: Apache-2.0
"""What a real Grafana would be asked.

Goal: the requests of grafana_server.py are such as Grafana's API takes, and its answers are understood.
Method: an HTTP server that checks each request and answers as Grafana does; the dashboards as they are.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from dashboards.execute import Window, run_dashboard
from dashboards.grafana_server import Grafana
from dashboards.model import PROMETHEUS, REDIS, Dashboard, all_dashboards, texts_in, variables_in

WINDOW = Window(1_795_269_300, 1_795_269_400)
SOURCES = [{"uid": "r", "type": REDIS}, {"uid": "p", "type": PROMETHEUS}, {"uid": "other", "type": "loki"}]


def _frame(ref: str) -> dict:
    fields = [{"name": "Time", "type": "time"}, {"name": "Value", "type": "number", "labels": {"le": "1"}}]
    return {"schema": {"fields": fields}, "data": {"values": [[1_795_269_350_000], [len(ref)]]}}


class FakeGrafana:
    """Its address, and all queries that it was sent."""

    def __init__(self) -> None:
        outer = self
        self.queries: list[dict] = []
        self.failing: set[str] = set()  # of these datasources

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status: int, content: object) -> None:
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                allowed = self.headers["Authorization"] == "Bearer secret"
                self.answer(200 if allowed else 401, SOURCES if allowed else {"message": "Unauthorized"})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.queries += body["queries"]
                asked = {each["refId"]: each["datasource"]["uid"] for each in body["queries"]}
                results = {ref: {"frames": [_frame(ref)]} for ref in asked}
                self.answer(
                    200, {"results": results | {r: {"error": "no"} for r, s in asked.items() if s in outer.failing}}
                )

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def fake() -> Iterator[FakeGrafana]:
    grafana = FakeGrafana()
    thread = threading.Thread(target=grafana.server.serve_forever)
    thread.start()
    yield grafana
    grafana.server.shutdown()
    thread.join()
    grafana.server.server_close()


@pytest.mark.parametrize("board", all_dashboards(), ids=lambda board: board.name)
def test_every_target_is_asked_with_its_variables_replaced(fake: FakeGrafana, board: Dashboard) -> None:
    runs = run_dashboard(board, Grafana(fake.url, "secret"), WINDOW)
    targets = [target for panel in board.panels for target in panel.targets]
    assert len(runs) == len(board.panels) and len(fake.queries) == len(targets)
    for query, target in zip(fake.queries, targets, strict=True):
        assert query["datasource"]["uid"] == ("r" if query["datasource"]["type"] == REDIS else "p")
        assert query["refId"] == target["refId"] and query["maxDataPoints"] > 0
        assert not [name for text in texts_in(query) for name in variables_in(text)], query


def test_what_grafana_cannot_do_is_told(fake: FakeGrafana) -> None:
    fake.failing = {"r"}
    (tweets, *_) = all_dashboards()
    runs = run_dashboard(tweets, Grafana(fake.url, "secret"), WINDOW)
    assert all("A: no" in run.error for run in runs)


def test_refused_token_is_an_error(fake: FakeGrafana) -> None:
    with pytest.raises(ValueError, match="401"):
        Grafana(fake.url, "wrong")
