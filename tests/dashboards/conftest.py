# SPDX-License-Identifier: Apache-2.0
"""One mesh, one load, one look at every panel; the tests judge what was seen. The list of panels ends the run."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from support.tested import build_folder
from support.waiting import wait_for

from dashboards import load, prometheus_frames
from dashboards.execute import Direct, Run, Window, run_dashboard
from dashboards.model import all_dashboards
from dashboards.prometheus import INTERVAL_SECONDS, CpuExporter, rule_files
from dashboards.saved import save
from stack.component import External, Home
from stack.mesh import PROJECT, Mesh, Options
from stack.program import complaints
from stack.prometheus import Prometheus

LOAD_SECONDS = float(os.environ.get("TWEETMESH_DASHBOARDS_SECONDS", "16"))
WAIT_SECONDS = 60.0
LIST = pytest.StashKey[list[str]]()
DOCUMENT = PROJECT / "docs/dashboards.md"
PASSWORD = secrets.token_urlsafe(12)
SETTINGS = {"DRAIN_DELAY_MS": "0"}
CONTAINERS = {"kafka": "kafka", "redis": "redis", "mongo": "ferretdb"}


@dataclass(frozen=True)
class Loaded:
    """The mesh after the load, at rest, and all of it known to Prometheus."""

    mesh: Mesh
    redis: redis.Redis
    reader: redis.Redis  # as Grafana: the user that docs/dashboards.md describes
    prometheus: Prometheus
    sent: load.Sent
    window: Window


@dataclass(frozen=True)
class Seen:
    loaded: Loaded
    runs: dict[str, Run]  # by the panel's key


def _is_settled(client: redis.Redis, records: int) -> bool:
    settled = client.hget("{tweets}:totals", "settled")
    return settled is not None and int(settled) >= records


def _rates_are_written(client: redis.Redis, events: int) -> bool:
    newest = client.xrevrange("{tweets}:rate", count=1)
    return bool(newest) and int(newest[0][1]["total"]) == events


def _rules_have_seen(prometheus: Prometheus, records: int) -> bool:
    """The rules that depend on others, and on all of the load."""
    offsets = prometheus_frames.query(prometheus.url, "sum(tweetmesh:settled_offset)", time.time())
    energy = prometheus_frames.query(prometheus.url, "tweetmesh:mesh_sci_gco2e_per_1000_events", time.time())
    return bool(energy) and bool(offsets) and offsets[0].values[-1] == records


def _scrape_targets(mesh: Mesh, exporter: CpuExporter) -> dict[str, list[str]]:
    programs = {name: [f"127.0.0.1:{program.ports['ops']}"] for name, program in mesh.programs.items()}
    return programs | {"cadvisor": [exporter.address]}


@contextmanager
def _reader(url: str, admin: redis.Redis) -> Iterator[redis.Redis]:
    """A connection of the user that the documentation tells people to make."""
    line = next(line for line in DOCUMENT.read_text().splitlines() if line.startswith("ACL SETUSER "))
    admin.execute_command(*line.replace(">PASSWORD", f">{PASSWORD}").split())
    with redis.Redis.from_url(url, decode_responses=True, username=line.split()[2], password=PASSWORD) as client:
        yield client


def _server_pids(mesh: Mesh) -> dict[str, int]:
    return {CONTAINERS[each.name]: each.pid for each in mesh.servers if not isinstance(each, External) and each.alive()}


def _scrapes(prometheus: Prometheus) -> bool:
    """All targets are up, and were seen twice, so that the load's beginning is in the rates."""
    expression = "sum(min_over_time(up[2s]) and count_over_time(up[2s]) > 1)"
    up = prometheus_frames.query(prometheus.url, expression, time.time())
    return bool(up) and up[0].values[-1] == len(prometheus.targets)


@contextmanager
def _watched(folder: Path) -> Iterator[tuple[Mesh, Prometheus]]:
    """The mesh, and a Prometheus that scrapes all of it."""
    options = Options(build=build_folder(), streams=PROJECT / "streams", settings={"all": SETTINGS})
    mesh = Mesh(folder / "mesh", options)
    exporter = CpuExporter(lambda: _server_pids(mesh))
    prometheus = Prometheus(
        Home(folder),
        _scrape_targets(mesh, exporter),
        rule_files(),
        scrape_s=INTERVAL_SECONDS,
        evaluation_s=INTERVAL_SECONDS,
    )
    try:
        prometheus.launch()  # needs seconds until it scrapes; meanwhile the mesh comes up
        mesh.start()
        prometheus.wait_ready()
        wait_for("scraping", lambda: _scrapes(prometheus), WAIT_SECONDS, 0.2)
        yield mesh, prometheus
    finally:
        prometheus.stop()
        exporter.close()
        codes = mesh.stop()
    bad = [line for program in mesh.programs.values() for line in complaints(program.log)]
    bad += [f"{name} ended with {codes[name]}" for name in mesh.programs if codes[name] != 0]
    assert not bad, bad


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    with (
        _watched(tmp_path_factory.mktemp("dashboards")) as (mesh, prometheus),
        redis.Redis.from_url(mesh.redis.url, decode_responses=True) as client,
        _reader(mesh.redis.url, client) as reader,
    ):
        sent = load.send(mesh.programs["api"].ports["http"], LOAD_SECONDS)
        wait_for("settling", lambda: _is_settled(client, sent.records), WAIT_SECONDS)
        wait_for("rates", lambda: _rates_are_written(client, sent.events), WAIT_SECONDS)
        wait_for("rules", lambda: _rules_have_seen(prometheus, sent.records), WAIT_SECONDS, 0.2)
        yield Loaded(mesh, client, reader, prometheus, sent, Window(sent.started - 2, time.time()))


@pytest.fixture(scope="session")
def seen(loaded: Loaded, request: pytest.FixtureRequest) -> Seen:
    backends = Direct(loaded.reader, loaded.prometheus.url)
    runs = [run for board in all_dashboards() for run in run_dashboard(board, backends, loaded.window)]
    request.config.stash[LIST] = [_verdict(run) for run in runs]
    if path := os.environ.get("TWEETMESH_DASHBOARDS"):
        save(Path(path), runs, loaded.window)
    return Seen(loaded, {run.panel.key: run for run in runs})


def _verdict(run: Run) -> str:
    columns = [column for frame in run.result.frames for column in frame if column.type != "time"]
    values = sum(len(column.values) for column in columns)
    shown = ", ".join(f"{each.title}: {each.text}".removeprefix(": ") for each in run.result.shown[:3])
    detail = run.error or shown or f"{len(columns)} columns, {values} values"
    where = f"{run.panel.dashboard:<7} {run.panel.type:<11} {run.panel.title:<42}"
    return f"{'ok' if run.ok else 'BAD':<4} {where} {detail}"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if collection_path.name == "test_grafana.py" and not os.environ.get("GRAFANA_URL") else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(LIST, [])
    if not lines:
        return
    terminalreporter.section("panels")
    for line in lines:
        terminalreporter.write_line(line)
    bad = sum(line.startswith("BAD") for line in lines)
    terminalreporter.write_line(f"panels: {len(lines)} executed, {bad} bad")
    terminalreporter.write_line(
        "fed by the test: container_cpu_usage_seconds_total of kafka, redis and ferretdb, real CPU seconds of /proc "
        "under the name of the kubelet; all energy is modelled, for there is no Kepler"
    )
    if not os.environ.get("GRAFANA_URL"):
        terminalreporter.write_line("not run: no GRAFANA_URL, so nothing was asked of a real Grafana")
