# SPDX-License-Identifier: Apache-2.0
"""Goal: a healthy mesh under load raises no alert; each fault raises its alerts and no others, until it is healed.

Method: the real mesh, a real Prometheus, the real rule files with shorter times (rulefiles.py says how much shorter).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import foreign
import pytest
from faults import FAULTS, SETTINGS, SLOW, STEADY_EVENTS, STEADY_INTERVAL_S, Fault, Load
from prometheus import Watch
from rulefiles import ALERTS, LONGEST_S, RECORDING, metrics_in, rules, with_shorter_times
from support.judges import Judge
from support.tested import build_folder
from support.waiting import wait_for
from table import TABLE, Row

from stack.mesh import Mesh, Options
from stack.process import poll_until

RAISED_S = 90
CLEARED_S = 120
# Only with something that is not here: a certificate of the test's own would do, and test_tls.py looks at that.
NOT_HERE = {"tweetmesh_certificate_expiry_timestamp_seconds"}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    options = Options(build=build_folder(), settings=SETTINGS)
    with Mesh(tmp_path_factory.mktemp("rules") / "mesh", options) as mesh:
        yield mesh


@pytest.fixture(scope="module")
def judge(mesh: Mesh) -> Iterator[Judge]:
    judge = Judge(mesh.kafka.url, mesh.redis.url, mesh.mongo.url, mesh.options.database)
    yield judge
    judge.close()


@pytest.fixture(scope="module")
def load(mesh: Mesh) -> Iterator[Load]:
    """A steady one."""
    load = Load(mesh.programs["api"].ports["http"], events=STEADY_EVENTS, interval_s=STEADY_INTERVAL_S)
    yield load
    load.stop()


@pytest.fixture(scope="module")
def prometheus(mesh: Mesh, load: Load, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """While the load is on."""
    texts = {file.name: with_shorter_times(file.read_text()) for file in (RECORDING, ALERTS)}
    prometheus = Watch(tmp_path_factory.mktemp("rules") / "prometheus", mesh, texts)
    try:
        wait_for("all programs are scraped", lambda: prometheus.targets_up() == len(mesh.programs))
        yield prometheus
    finally:
        prometheus.stop()


@pytest.mark.parametrize("program", ["api", "grpc-server", "ws-redis", "kafka-consumer"])
def test_promtool_finds_nothing_wrong_with_the_metrics(mesh: Mesh, program: str) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=mesh.programs[program].get("/metrics")[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_programs_export_what_the_rules_read(mesh: Mesh) -> None:
    exported = {
        line.split()[2]
        for program in mesh.programs.values()
        for line in program.get("/metrics")[1].splitlines()
        if line.startswith("# TYPE")
    }
    read = {name for rule in rules() for name in metrics_in(rule.expr) if ":" not in name}
    base = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_total") for name in read}
    bare = {name.removesuffix("_total") for name in exported}
    assert base - bare - NOT_HERE <= set(foreign.METRICS)


def test_a_healthy_load_raises_no_alert(prometheus: Watch) -> None:
    wait_for(
        "the counters are exact under load, and all else is quiet",
        lambda: prometheus.has_samples("tweetmesh:exact") and not prometheus.firing(),
        CLEARED_S,
    )
    seen: dict[str, dict] = {}
    for _ in poll_until(LONGEST_S, 0.3):
        seen |= prometheus.firing()
    TABLE.append(Row("healthy load", set(), set(), set(seen)))
    assert not seen, seen
    assert not prometheus.rule_errors()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_raises_its_alerts_and_no_others(mesh: Mesh, judge: Judge, prometheus: Watch, fault: Fault) -> None:
    wait_for("nothing fires before", lambda: not prometheus.firing(), CLEARED_S)
    seen: dict[str, dict] = {}
    with fault.act(mesh, judge):
        for _ in poll_until(RAISED_S, 0.3):
            seen |= prometheus.firing()
            if fault.must <= seen.keys():
                break
    row = Row(fault.name, fault.must, fault.may | SLOW, set(seen))
    TABLE.append(row)
    for left in poll_until(CLEARED_S, 0.3):
        firing = prometheus.firing()
        seen |= firing
        row.raised = set(seen)
        if not firing:
            row.cleared_s = CLEARED_S - left
            break
    assert fault.must <= seen.keys(), f"did not fire: {sorted(fault.must - seen.keys())}"
    assert seen.keys() <= row.must | row.may, f"fired, too: {sorted(seen.keys() - row.must - row.may)}"
    assert row.cleared_s is not None, f"still firing: {sorted(prometheus.firing())}"
    texts = [text for alert in seen.values() for text in alert["annotations"].values()]
    assert not [text for text in texts if "<error" in text or "<no value>" in text or "%!" in text], texts
    assert not prometheus.rule_errors()


def test_counts_are_exact_after_all_of_it(mesh: Mesh, load: Load, prometheus: Watch) -> None:
    wait_for("nothing fires", lambda: not prometheus.firing(), CLEARED_S)
    load.stop()
    done = mesh.audit("--wait", "60")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_cannot_fire_here_is_said(tmp_path: Path) -> None:
    raised = {name for fault in FAULTS for name in fault.must}
    assert {rule.name for rule in rules(ALERTS)} - raised == set(foreign.ONLY_PROMTOOL)
