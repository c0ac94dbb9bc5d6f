# SPDX-License-Identifier: Apache-2.0
"""Goal: a run sends exactly what it should, and its exit code and summary tell the truth.

Method: Locust itself, as `./mesh demo` calls it, against a server that notes each request and
answers as the test says, above all wrongly. The real API is met in the integration tests.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from faults import FAULTS

FOLDER = Path(__file__).parents[1]
RUN_S_MAX = 90


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            number = len(self.server.bodies)
            self.server.bodies.append(body)
        answer = self.server.answer(number, body)
        if answer is None:
            self.close_connection = True
            return
        status, document = answer
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.bodies: list[bytes] = []
        self.connections = 0
        self.answer = lambda number, body: (202, receipt(number))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


def receipt(number):
    return {"id": f"id-{number}", "partition": number % 4, "offset": number}


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "seven.json"
    path.write_text("".join(f'{{"texto": "día {n}", "pais": "GT"}},\n' for n in range(7)))
    return path


def command(name, url, data, summary, *more):
    script = str(FOLDER / f"{name}.py")
    start = [sys.executable, "-m", "locust", "-f", script, "--headless", "--only-summary"]
    return [*start, "--host", url, "--data", str(data), "--summary", str(summary), *more]


def run(name, url, data, *more, users=10):
    """Returns the exit code, the summary (None if there is none) and what was printed."""
    summary = Path(data).parent / "summary.json"
    summary.write_text('"of an earlier run"')
    line = command(name, url, data, summary, "-u", str(users), "-r", str(users), *more)
    code, printed = finish(line)
    return code, json.loads(summary.read_text()) if summary.exists() else None, printed


def finish(line):
    """Runs the command to its end; a run that hangs is ended together with its workers."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(line, start_new_session=True, **pipes) as process:
        try:
            printed, _ = process.communicate(timeout=RUN_S_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, printed


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize(("requests", "users"), [(1003, 10), (3, 10), (50, 1)])
def test_exactly_as_many_requests_as_asked_for(server, data, requests, users):
    code, summary, _ = run("locustfile", server.url, data, "--requests", str(requests), users=users)
    assert code == 0
    assert summary["requests"] == len(server.bodies) == requests
    assert summary["failures"] == 0 and summary["errors"] == []
    assert summary["requests_per_s"] > 0
    assert 0 < summary["p50_ms"] <= summary["p95_ms"] <= summary["p99_ms"]
    assert server.connections <= users  # each kept alive
    counts = Counter(map(bytes, server.bodies))
    assert max(counts.values()) - min(counts.values()) <= 1  # the file, round and round


def test_zero_requests_means_the_file_once(server, data):
    code, summary, _ = run("locustfile", server.url, data, "--requests", "0")
    assert code == 0 and summary["requests"] == 7
    texts = sorted(json.loads(body)["texto"] for body in server.bodies)
    assert texts == [f"día {n}" for n in range(7)]


def test_environment_names_work_as_the_options_do(server, data, tmp_path, monkeypatch):
    monkeypatch.setenv("TWEETMESH_REQUESTS", "5")
    monkeypatch.setenv("TWEETMESH_DATA", str(data))
    monkeypatch.setenv("TWEETMESH_SUMMARY", str(tmp_path / "by-env.json"))
    script = str(FOLDER / "locustfile.py")
    line = [sys.executable, "-m", "locust", "-f", script, "--headless", "--host", server.url]
    code, printed = finish(line)
    assert code == 0, printed
    assert json.loads((tmp_path / "by-env.json").read_text())["requests"] == 5


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ((202, {"id": "x", "partition": 1}), "202 without a valid offset"),
        ((200, receipt(0)), "status 200, expected 202"),
        ((503, {"title": "Busy"}), "status 503 (Busy), expected 202"),
        (None, "no answer"),
    ],
)
def test_one_bad_answer_fails_the_run(server, data, bad, words):
    server.answer = lambda number, body: bad if number == 17 else (202, receipt(number))
    code, summary, _ = run("locustfile", server.url, data, "--requests", "60")
    assert code == 1
    # 60, not 61: a request whose answer is lost is a failure, and is not sent again.
    assert len(server.bodies) == summary["requests"] == 60
    assert summary["failures"] == 1
    [error] = summary["errors"]
    assert error["error"].startswith(words) or words in error["error"]


def test_nobody_there_fails_each_request_and_ends(data):
    code, summary, _ = run(
        "locustfile", f"http://127.0.0.1:{free_port()}", data, "--requests", "30"
    )
    assert code == 1
    assert summary["requests"] == summary["failures"] == 30
    assert "refused" in summary["errors"][0]["error"].lower()


@pytest.mark.parametrize("content", [None, b"", b'{"text": "a"}\n{"text"', b'{"text": "\xff"}'])
def test_bad_data_is_one_line_and_exit_2(server, tmp_path, content):
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_bytes(content)
    code, summary, printed = run("locustfile", server.url, path)
    assert code == 2 and summary is None and server.bodies == []
    lines = [line for line in printed.splitlines() if line.strip()]
    assert [line for line in lines if str(path) in line] == [lines[-1]]
    assert "Traceback" not in printed


def test_a_bad_option_is_exit_2(server, data):
    code, _, printed = run("locustfile", server.url, data, "--requests", "-1")
    assert code == 2 and "is not a number from 0" in printed


def test_a_run_that_is_cut_short_fails(server, data, tmp_path):
    summary = tmp_path / "cut.json"
    line = command("locustfile", server.url, data, summary, "-u", "2", "--requests", "1000000")
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + RUN_S_MAX
        while not server.bodies and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(RUN_S_MAX) == 1
    assert "of 1000000 requests were made" in json.loads(summary.read_text())["errors"][-1]["error"]


@pytest.mark.parametrize("users", [10, 1])
def test_workers_share_the_total(server, data, users):
    port = free_port()
    ports = ("--master-bind-port", port, "--master-port", port)
    more = ("--requests", "503", "--processes", "2", *ports)
    code, summary, printed = run("locustfile", server.url, data, *more, users=users)
    assert code == 0, printed
    assert summary["requests"] == len(server.bodies) == 503
    assert summary["p99_ms"] > 0


def test_batches_are_arrays_and_ndjson_in_turn(server, data):
    def answer(number, body):
        array = body.startswith(b"[")
        events = json.loads(body) if array else list(map(json.loads, body.splitlines()))
        results = [receipt(n) for n in range(len(events))]
        kinds["array" if array else "ndjson", len(events)] += 1
        return 202, {"accepted": len(events), "rejected": 0, "results": results}

    kinds = Counter()
    server.answer = answer
    code, _, printed = run("batch", server.url, data, "--requests", "0", "--batch-size", "3")
    assert code == 0, printed
    assert kinds == {("array", 3): 1, ("ndjson", 3): 1, ("array", 1): 1}


def test_a_fault_that_is_let_in_fails_the_run(server, data):
    count = str(len(FAULTS) * 4)
    code, summary, _ = run("faulty", server.url, data, "--requests", count, "--faulty-share", "0.5")
    assert code == 1
    assert summary["failures"] == len(FAULTS) * 2
    assert {error["name"] for error in summary["errors"]} == {
        f"{fault.status} {fault.name}" for fault in FAULTS
    }
