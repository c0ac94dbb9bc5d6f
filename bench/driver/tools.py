# SPDX-License-Identifier: Apache-2.0
"""The programs that load and that are compared with: how they are called, and what they print."""

from __future__ import annotations

import csv
import io
import json
import resource
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from stack.component import Component, Home
from stack.ports import accepts
from stack.process import StackError, dying_with_us, poll_until

BULK = 1000  # kafka-consumer's BATCH_LEN_MAX
EXTRA_SECONDS = 60  # beyond what a program was told to take


class Tools:
    """The programs of one build folder. Threads: any; the CPU time of what runs at once is told as one."""

    def __init__(self, build: Path) -> None:
        self.build = build

    def path(self, name: str) -> Path:
        folder = "bench/openloop" if name == "openloop" else "bench/baseline"
        return self.build / folder / name

    def run(self, name: str, *options: object, seconds: float) -> dict:
        """Runs one to its end; the object it prints, and "cpu_s", its CPU time."""
        command = [str(self.path(name)), *map(str, options)]
        before = _children_cpu()
        text = run_text(command, seconds + EXTRA_SECONDS)
        figures = last_object(text)
        if figures is None:
            raise StackError(f"{name} printed no JSON object: {text[-300:]}")
        return figures | {"cpu_s": _children_cpu() - before}

    def openloop(self, port: int, path: str, bodies: Path, *, seconds: float, **options: object) -> dict:
        """options: rate, connections, drain …; True for an option without a value."""
        words: list[object] = ["--port", port, "--path", path, "--bodies", bodies, "--seconds", f"{seconds:g}"]
        return self.run("openloop", *words, *as_options(options), seconds=seconds + float(options.get("drain", 12)))

    def producer(
        self, brokers: str, topic: str, values: Path, *, seconds: float = 0, count: int = 0, **options: object
    ) -> dict:
        """Either seconds or count; options: in_flight, rate, linger_us …"""
        words: list[object] = ["--brokers", brokers, "--topic", topic, "--values", values, "--json"]
        words += ["--count", count] if count else ["--seconds", f"{seconds:g}"]
        figures = self.run("bench-producer", *words, *as_options(options), seconds=seconds + count / 10_000 + 60)
        if figures["failed"]:
            raise StackError(f"bench-producer: {figures['failed']} events were not stored")
        return figures

    def inserter(self, uri: str, database: str, collection: str, values: Path, count: int) -> dict:
        """Unordered bulk inserts, as many documents in each as kafka-consumer puts into one."""
        words: list[object] = ["--uri", uri, "--database", database, "--collection", collection, "--values", values]
        words += ["--count", count, "--batch", BULK]
        figures = self.run("bench-inserter", *words, seconds=count / 2000)
        if figures["inserted"] != count:
            raise StackError(f"bench-inserter: {figures['inserted']:,} of {count:,} inserted")
        return figures


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def as_options(options: dict[str, object]) -> list[str]:
    """{"in_flight": 64, "retry": True} as --in-flight 64 --retry."""
    words = []
    for name, value in options.items():
        if value is False or value is None:
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(f"{value:g}" if isinstance(value, float) else str(value))
    return words


def run_text(command: Sequence[str], seconds: float) -> str:
    """What it prints; raises StackError unless it ends well and in time."""
    try:
        done = subprocess.run(
            dying_with_us(list(command)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise StackError(f"{command[0]} is missing (./mesh bench builds it)") from error
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{Path(command[0]).name} still ran after {seconds:g} s") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise StackError(f"{Path(command[0]).name} ended with {done.returncode}: {said[-1] if said else 'no word'}")
    return done.stdout


def last_object(text: str) -> dict | None:
    """The last JSON object of a text, which may have many lines."""
    decoder = json.JSONDecoder()
    at = 0
    found = None
    while (at := text.find("{", at)) >= 0:
        try:
            found, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            at += 1
    return found


def hincrby(port: int, requests: int, keys: int) -> float:
    """redis-benchmark -P 16 HINCRBY on one hash; requests a second."""
    command = ["redis-benchmark", "-p", str(port), "-P", "16", "-n", str(requests), "-r", str(keys), "--csv"]
    return hincrby_rate(run_text([*command, "HINCRBY", "bench:naive", "__rand_int__", "1"], 120))


def hincrby_rate(text: str) -> float:
    """From the CSV: the last line, whose second column is requests a second."""
    rows = [row for row in csv.reader(io.StringIO(text)) if len(row) > 1]
    try:
        return float(rows[-1][1])
    except (IndexError, ValueError) as error:
        raise StackError(f"redis-benchmark said something else: {text[-200:]}") from error


class Sink(Component):
    """mongo-sink: takes every insert, stores nothing. It serves 64 connections in its life: restart it in between."""

    usual_ports = {"mongo": 0}

    def __init__(self, name: str, home: Home, build: Path) -> None:
        super().__init__(name, home)
        self._build = build

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.ports['mongo']}"

    def command(self) -> list[str]:
        return [str(self._build / "kafka-consumer/mongo-sink"), str(self.ports["mongo"])]

    def is_ready(self) -> bool:
        return accepts(self.ports["mongo"])


class BareHttp(Component):
    """bench-mhd: bare libmicrohttpd that answers 202."""

    usual_ports = {"http": 0}

    def __init__(self, home: Home, tools: Tools) -> None:
        super().__init__("bench-mhd", home)
        self._path = tools.path("bench-mhd")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    def command(self) -> list[str]:
        return [str(self._path), "--port", str(self.ports["http"])]

    def is_ready(self) -> bool:
        return accepts(self.ports["http"])


def wait_for(what: str, done: Callable[[], bool], seconds: float, interval_s: float = 0.02) -> None:
    """Polls; raises StackError if it has not come true in time."""
    for _ in poll_until(seconds, interval_s):
        if done():
            return
    raise StackError(f"{what}: not within {seconds:g} s")
