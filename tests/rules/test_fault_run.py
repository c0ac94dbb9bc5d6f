# SPDX-License-Identifier: Apache-2.0
"""Goal: a healthy mesh under load raises no alert; each fault raises its alerts and no others, until it is healed.

Method: the real mesh, a real Prometheus, the real rule files with shorter times (rulefiles.py says how much shorter).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import foreign
import pytest
from faults import FAULTS, PARTITIONS, SETTINGS, SLOW, STEADY_EVENTS, STEADY_INTERVAL_S, Fault, Load, Scene
from prometheus import Watch, targets_of
from rulefiles import ALERTS, LONGEST_S, RECORDING, metrics_in, rules, with_shorter_times
from support.judges import Judge
from support.tested import build_folder
from support.waiting import wait_for
from table import TABLE, Row

from stack.certificates import Authority, Certificate
from stack.mesh import Mesh, Options
from stack.process import poll_until

RAISED_S = 90
CLEARED_S = 120


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    """Of ws-redis; valid for a month."""
    return authority.issue("ws-redis")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory, authority: Authority, certificate: Certificate) -> Iterator[Mesh]:
    """ws-redis is reached by TLS, and every connection can be made slow."""
    tls = {"TLS_CERT": str(certificate.cert), "TLS_KEY": str(certificate.key)}
    options = Options(build=build_folder(), settings=SETTINGS | {"ws-redis": tls}, partitions=PARTITIONS, links=True)
    mesh = Mesh(tmp_path_factory.mktemp("rules") / "mesh", options)
    api = mesh.programs["api"].settings
    api |= {"WS_URL": api["WS_URL"].replace("ws://127.0.0.1", "wss://localhost"), "WS_CA": str(authority.cert)}
    with mesh:
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
    targets = targets_of(mesh.programs.values())
    prometheus = Watch(tmp_path_factory.mktemp("rules") / "prometheus", targets, texts)
    try:
        wait_for("all programs are scraped", lambda: prometheus.targets_up() == len(mesh.programs))
        yield prometheus
    finally:
        prometheus.stop()


@pytest.fixture(scope="module")
def scene(mesh: Mesh, judge: Judge, prometheus: Watch, authority: Authority, certificate: Certificate) -> Scene:
    return Scene(mesh, judge, prometheus, authority, certificate)


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
    assert base - bare <= set(foreign.METRICS)


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
def test_a_fault_raises_its_alerts_and_no_others(scene: Scene, fault: Fault) -> None:
    prometheus = scene.prometheus
    wait_for("nothing fires before", lambda: not prometheus.firing(), CLEARED_S)
    seen: dict[str, dict] = {}
    with fault.act(scene):
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


def test_every_alert_is_raised_here_or_beside_the_fault_run() -> None:
    raised = {name for fault in FAULTS for name in fault.must} | {foreign.OF_A_CLUSTER} | foreign.OF_A_NODE
    assert {rule.name for rule in rules(ALERTS)} == raised
