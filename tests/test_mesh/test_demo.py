# SPDX-License-Identifier: Apache-2.0
"""Goal: ./mesh demo ends by naming a live page that is there; with --chaos it kills, tells each kill, and is exact.

Method: the command itself, from the first line to Ctrl-C; what it says against the processes, the page and the stores.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pymongo
import pytest
import redis

from stack.mesh import PROJECT, read_state
from stack.process import poll_until
from stack.program import PROGRAMS
from tools.mesh.demo import demo_folder
from tools.mesh.demo_chaos import BETWEEN_S, DOWN_S, steps

RUN_S_MAX = 280
SEED = 7


@dataclass
class Shown:
    """A demo that runs, and what it has printed so far."""

    process: subprocess.Popen
    folder: Path
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, pattern: str) -> re.Match[str]:
        for _ in poll_until(RUN_S_MAX, 0.05):
            ended = self.process.poll() is not None
            if found := next(filter(None, (re.search(pattern, line) for line in list(self.lines))), None):
                return found
            if ended and not self._reader.is_alive():
                break
        pytest.fail(f"it did not say {pattern!r}, but:\n" + "\n".join(self.lines))

    def end(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(120)
        self._reader.join(10)
        return code

    def url(self, component: str, use: str, scheme: str) -> str:
        ports = read_state(self.folder)["components"][component]["ports"]
        return f"{scheme}://127.0.0.1:{ports[use]}"


Show = Callable[..., Shown]


@pytest.fixture
def show() -> Iterator[Show]:
    """Starts ./mesh demo with these arguments."""
    name = f"test-{os.getpid()}"
    shown: list[Shown] = []

    def start(*arguments: str) -> Shown:
        command = ["python3", "-P", "-m", "tools.mesh", "demo", "--name", name, *arguments]
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("KAFKA", "REDIS", "MONGO"))
        }
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        shown.append(Shown(process, demo_folder(name)))
        return shown[-1]

    yield start
    for each in shown:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
        each.process.stdout.close()
    shutil.rmtree(demo_folder(name), ignore_errors=True)


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.status == 200
        return answer.read().decode()


def test_a_demo_ends_by_naming_the_live_page(show: Show, tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    demo = show("--requests", "200", "--users", "2", "--json", str(file))
    url = demo.wait_for(r"watch it live +(http://\S+)$")[1]
    assert [line for line in demo.lines if line][-1].split() == ["watch", "it", "live", url]
    assert any("all is well" in line for line in demo.lines)
    assert "<html" in page(url)
    figures = json.loads(file.read_text())
    assert figures["requests"] == 200 and figures["failures"] == 0
    with redis.Redis.from_url(demo.url("redis", "redis", "redis"), decode_responses=True) as client:
        assert client.hget("{tweets}:totals", "total") == "200"
    assert demo.end() == 0
    assert not demo_pids(demo), "something goes on running"


def demo_pids(demo: Shown) -> list[int]:
    state = read_state(demo.folder) or {"components": {}}
    known = [each["process"]["pid"] for each in state["components"].values() if each["process"]]
    return [pid for pid in known if Path(f"/proc/{pid}").exists()]


class Seen:
    """Which programs the live page's source calls killed, looked at all the time inside the with."""

    def __init__(self, url: str) -> None:
        self.programs: set[str] = set()
        self._redis = redis.Redis.from_url(url, decode_responses=True)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Seen:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        while not self._end.wait(0.05):
            for name, value in self._redis.hgetall("tweetmesh:health").items():
                if json.loads(value)["state"] == "killed":
                    self.programs.add(name.partition("/")[0])


def test_chaos_kills_tells_each_kill_and_ends_equal(show: Show, tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    demo = show("--chaos", "--minutes", "0.4", "--seed", str(SEED), "--json", str(file))
    early = demo.wait_for(r"watch it live +(http://\S+)$")[1]  # before the first kill, to be opened in time
    assert not any("is killed" in line for line in demo.lines)
    assert "<html" in page(early)
    with Seen(demo.url("redis", "redis", "redis")) as seen:
        demo.wait_for(r"end +Ctrl-C")
    assert demo.wait_for(r"all is well|NOT WELL")[0] == "all is well", "\n".join(demo.lines)
    figures = json.loads(file.read_text())
    killed = [kill["program"] for kill in figures["kills"]]
    assert killed and killed == [step.fault.name.removeprefix("killed-") for step in islice(steps(SEED), len(killed))]
    check_kills(demo, killed)
    assert set(killed[1:]) <= seen.programs <= set(killed)  # before the first, not all may have spoken yet
    for kill in figures["kills"]:
        assert DOWN_S[0] < kill["down_s"] < kill["exact_s"] and kill["lag_most"] >= 0
    assert figures["seed"] == SEED and figures["ok"] and not figures["violations"]
    assert (figures["lost"], figures["doubled"], figures["counter_error"]) == (0, 0, 0)
    audit = figures["audit"]["streams"]["tweets"]
    assert audit["equal"] and audit["kafka_events"] >= figures["acked"] > 100
    with pymongo.MongoClient(demo.url("mongo", "mongo", "mongodb")) as client:
        assert client.tweetmesh.tweets.count_documents({}) == audit["mongo"] == audit["kafka_events"]
    assert demo.end() == 0
    assert not demo_pids(demo), "something goes on running"


def check_kills(demo: Shown, killed: list[str]) -> None:
    """Each was told with its process, which is gone; and that it was ready, and exact, again."""
    told = [match for line in demo.lines if (match := re.search(r"s  (\S+) is killed \(SIGKILL to (\d+)\)", line))]
    assert [match[1] for match in told] == killed
    components = read_state(demo.folder)["components"]
    for match in told:
        assert components[match[1]]["process"]["pid"] != int(match[2])
    for words in (r"is ready again after [\d.]+ s; the lag is [\d,]+ events", r"exact again [\d.]+ s after the kill"):
        assert sum(bool(re.search(words, line)) for line in demo.lines) == len(killed)
    rows = [line.split()[0] for line in demo.lines if re.match(r"  \S+ +[\d.]+ +[\d.]+ +[\d,]+ +[\d.]+$", line)]
    assert rows == killed


def test_the_seed_says_which_kills() -> None:
    first, again, other = (list(islice(steps(seed), 200)) for seed in (1, 1, 2))
    assert first == again != other
    for at in range(0, len(first), len(PROGRAMS)):  # each once before any again
        assert {step.fault.name for step in first[at : at + len(PROGRAMS)]} == {f"killed-{name}" for name in PROGRAMS}
    for step in first:
        assert BETWEEN_S[0] <= step.wait_s <= BETWEEN_S[1] and DOWN_S[0] <= step.hold_s <= DOWN_S[1]


@pytest.mark.parametrize("minutes", ["0", "-1", "61", "nan"])
def test_minutes_are_bounded(show: Show, minutes: str) -> None:
    demo = show("--chaos", "--minutes", minutes)
    demo.wait_for("--minutes is above 0, and at most 60")
    assert demo.process.wait(60) == 2 and not demo.folder.exists()
