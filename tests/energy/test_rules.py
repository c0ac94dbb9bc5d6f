# SPDX-License-Identifier: Apache-2.0
"""Goal: the energy rules compute what docs/energy.md says, and nothing where something is not known.

Method: promtool runs energy.test.yaml on the rules; rules that were spoiled on purpose must fail it.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tools.energy import rules
from tools.energy.factors import grid_of

CASES = Path(__file__).with_name("energy.test.yaml")
RULES = rules.RULES.read_text()

# What the rules must not do, as a change of their text that does it.
SPOILED = {
    "zones are added up": ('zone="package",state="running",container_name', 'state="running",container_name'),
    "containers that ended count": (',state="running",container_name', ",container_name"),
    "namespaces of others count": (
        'and on (pod_id) (\n            kepler_pod_cpu_joules_total{zone="package",state="running"} '
        "and on (pod_namespace) tweetmesh:energy_namespace\n          )",
        "",
    ),
    "events count once in api and again in grpc-server": (" and on (job, instance) tweetmesh_grpc_calls)", ")"),
    "refused events count": ('tweetmesh_events_total{code="OK"}', "tweetmesh_events_total"),
    "Kepler and the estimate are both summed": (
        "or on (program) tweetmesh:energy_modelled",
        "or tweetmesh:energy_modelled",
    ),
    "a Kepler that knows some instances is enough": (
        "(tweetmesh:energy_cpu_instance) > on",
        "(tweetmesh:energy_cpu_instance) < on",
    ),
    "a meter that stands still is believed": (
        "(sum by (program) (tweetmesh:energy_kepler_instance) > 0)",
        "sum by (program) (tweetmesh:energy_kepler_instance)",
    ),
    "without events there is a figure": (
        "(tweetmesh:energy_events_per_second > 0)",
        "(tweetmesh:energy_events_per_second >= 0)",
    ),
    "Kepler's own fake meter is believed": ('path=~".*/energy_.*"', 'path=~"nowhere"'),
    "a scrape's word about a fake meter is ignored": ('meter="fake"', 'meter="nowhere"'),
    "PUE is left out": ("* on () group_left () tweetmesh:energy_pue", "* 1"),
    "the total is better than its worst part": ('unless on () tweetmesh:energy_watts{quality="fake"}', ""),
}


def promtool(folder: Path, text: str, cases: str) -> subprocess.CompletedProcess[str]:
    (folder / "rules.yaml").write_text(text)
    (folder / "cases.yaml").write_text(cases)
    command = ["promtool", "test", "rules", "cases.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_rules_are_valid() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(rules.RULES)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_compute_what_they_should(tmp_path: Path) -> None:
    done = promtool(tmp_path, RULES, CASES.read_text())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("what", SPOILED)
def test_the_cases_notice_when(what: str, tmp_path: Path) -> None:
    old, new = SPOILED[what]
    assert old in RULES, "the rules have changed; change this, too"
    done = promtool(tmp_path, RULES.replace(old, new), CASES.read_text())
    assert done.returncode != 0, f"nobody notices that {what}"


def test_factors_are_those_of_the_table() -> None:
    assert rules.with_factors(RULES) == RULES, "run python3 -m tools.energy.rules"


def test_another_region_and_embodied_carbon_are_used(tmp_path: Path) -> None:
    """The grid of Belgium, and M = 0.5 gCO2e per 1,000 events, which the programs share."""
    chosen = RULES.replace("region: us-central1\n", "region: europe-west1\n")
    record = "      - record: tweetmesh:energy_embodied_gco2e_per_1000_events\n        expr: vector(0)"
    text = chosen.replace(record, record.replace("vector(0)", "vector(0.5)"))
    assert text.count("europe-west1\n") == 1 and "vector(0.5)" in text
    joules = 145.563  # of all programs per 1,000 events in the first case
    total = joules / 3.6e6 * grid_of("europe-west1").value
    api = 110 / 3.6e6 * grid_of("europe-west1").value
    expected = {
        "sum(tweetmesh:gco2e_per_1000_events)": total,
        "sum(tweetmesh:sci_gco2e_per_1000_events)": total + 0.5,
        'sum(tweetmesh:sci_gco2e_per_1000_events{program="api"})': api + 0.5 * 110 / joules,
        "sum(tweetmesh:mesh_sci_gco2e_per_1000_events)": total + 0.5,
        'count(tweetmesh:gco2e_per_1000_events{region="europe-west1"})': 4,
    }
    series = re.search(
        r"    interval: 30s\n    input_series:\n.*?(?=    promql_expr_test)", CASES.read_text(), re.DOTALL
    )
    tests = "".join(
        f"      - expr: round(1e9 * {expr})\n        eval_time: 15m\n"
        f"        exp_samples: [{{labels: '{{}}', value: {round(1e9 * value)}}}]\n"
        for expr, value in expected.items()
    )
    head = "rule_files: [rules.yaml]\nevaluation_interval: 30s\ntests:\n  - name: another region\n"
    done = promtool(tmp_path, text, f"{head}{series[0]}    promql_expr_test:\n{tests}")
    assert done.returncode == 0, done.stdout + done.stderr
