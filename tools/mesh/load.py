# SPDX-License-Identifier: Apache-2.0
"""load: rough speed of the whole mesh with wrk, singly and in batches, and who spends the CPU time."""

from __future__ import annotations

import json
import subprocess
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from stack.cache import say
from stack.component import External
from stack.mesh import PROJECT, Mesh, Options
from stack.process import StackError, cpu_seconds, poll_until
from tools.mesh.build import given_or_built
from tools.mesh.demo import audit_lines, run_audit
from tools.mesh.running import running_mesh

BATCH = 100
DRAIN_SECONDS_MAX = 300
WRK_THREADS = 2


class Log:
    """How far a topic is written, and how far the consumer has committed."""

    def __init__(self, brokers: str, topic: str, group: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "log_level": 0})
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._partitions = [TopicPartition(topic, number) for number in partitions]

    def written(self) -> int:
        return sum(self._consumer.get_watermark_offsets(each, timeout=10)[1] for each in self._partitions)

    def committed(self) -> int:
        return sum(max(0, each.offset) for each in self._consumer.committed(self._partitions, timeout=10))

    def wait_drained(self) -> None:
        for _ in poll_until(DRAIN_SECONDS_MAX, 0.2):
            if self.committed() >= self.written():
                return
        raise StackError(f"kafka-consumer still lags after {DRAIN_SECONDS_MAX} s")

    def close(self) -> None:
        self._consumer.close()


def write_bodies(mesh: Mesh) -> dict[int, Path]:
    """Request bodies for wrk, one a line: {events a request: file}."""
    tweets = json.loads((PROJECT / "locust/data/tweets.json").read_text())
    files = {1: mesh.folder / "load-1.ndjson", BATCH: mesh.folder / f"load-{BATCH}.ndjson"}
    files[1].write_text("".join(json.dumps(tweet) + "\n" for tweet in tweets))
    batches = [tweets[start : start + BATCH] for start in range(0, len(tweets) - BATCH + 1, BATCH)]
    files[BATCH].write_text("".join(json.dumps(batch) + "\n" for batch in batches))
    return files


def cpu(mesh: Mesh) -> dict[str, float]:
    return {c.name: cpu_seconds(c.pid) for c in mesh.components if not isinstance(c, External)}


def run_wrk(mesh: Mesh, bodies: Path, arguments: Namespace) -> dict:
    connections, seconds = str(arguments.connections), f"{arguments.seconds}s"
    command = ["wrk", "-t", str(WRK_THREADS), "-c", connections, "-d", seconds, "--timeout", "10s", "--latency"]
    command += ["-s", str(PROJECT / "tools/load.lua"), f"{mesh.api_url}/input", "--", str(bodies)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"wrk failed: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(mesh: Mesh, log: Log, batch: int, bodies: Path, arguments: Namespace) -> dict:
    """One run. Events are counted in Kafka, CPU time until the consumer has worked all off."""
    log.wait_drained()
    say(f"{arguments.seconds} s with {arguments.connections} connections, {batch} events a request")
    written, spent = log.written(), cpu(mesh)
    figures = run_wrk(mesh, bodies, arguments)
    events = log.written() - written
    log.wait_drained()
    used = {name: seconds - spent[name] for name, seconds in cpu(mesh).items()}
    figures |= {"batch": batch, "events": events, "events_per_s": events / figures["seconds"]}
    figures["cpu_us_per_event"] = {name: 1e6 * seconds / max(1, events) for name, seconds in used.items()}
    return figures


def print_table(runs: list[dict]) -> None:
    print(f"\n  {'':<22}" + "".join(f"{run['batch']:>8} a request" for run in runs))
    rows = [("events/s", "events_per_s", ",.0f"), ("p50 ms", "p50_ms", ".2f"), ("p99 ms", "p99_ms", ".2f")]
    rows += [("refused requests", "refused", ",d"), ("connection errors", "errors", ",d")]
    for label, key, form in rows:
        print(f"  {label:<22}" + "".join(f"{run[key]:>18{form}}" for run in runs))
    print("  CPU µs per event")
    for name in runs[0]["cpu_us_per_event"]:
        print(f"    {name:<20}" + "".join(f"{run['cpu_us_per_event'][name]:>18.1f}" for run in runs))


@contextmanager
def mesh_for_load(arguments: Namespace, folder: str = "load"):
    """The running mesh, or one of its own that lives in this folder as long as the measuring."""
    if mesh := running_mesh(arguments.name):
        yield mesh
        return
    options = Options(
        build=given_or_built("release"),
        jvm_defaults=arguments.jvm_defaults,
        external=Options.external_from_environment(),
    )
    mesh = Mesh(PROJECT / ".mesh" / folder, options)
    mesh.erase()
    with mesh:
        yield mesh


def load(arguments: Namespace) -> int:
    with mesh_for_load(arguments) as mesh:
        stream = json.loads((mesh.options.streams / "tweets.json").read_text())
        log = Log(mesh.kafka.url, stream["topic"], "tweetmesh-archive")
        try:
            runs = [measure(mesh, log, batch, file, arguments) for batch, file in write_bodies(mesh).items()]
        finally:
            log.close()
        print_table(runs)
        code, audit = run_audit(mesh)
    for line in audit_lines(audit):
        print(f"  audit                 {line}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"runs": runs, "audit": audit}, indent=2) + "\n")
    return 0 if code == 0 and not any(run["refused"] + run["errors"] for run in runs) else 1
