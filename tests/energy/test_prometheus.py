# SPDX-License-Identifier: Apache-2.0
"""Goal: a real Prometheus that scrapes the mesh gets figures from the rules, with the right labels.

Method: Prometheus on the running programs, a load, and the rules' own series asked over HTTP.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Run
from support.waiting import wait_for

from stack.component import Home
from stack.mesh import Mesh
from stack.program import PROGRAMS
from stack.prometheus import Prometheus
from tools.energy import rules
from tools.energy.factors import grid_of

ASK_S_MAX = 90
PER_MILLION = "tweetmesh:energy_joules_per_million_events"


@pytest.fixture
def prometheus(running: Mesh, tmp_path: Path) -> Iterator[Prometheus]:
    """All our programs are one job, as they may be."""
    targets = [f"127.0.0.1:{program.ports['ops']}" for program in running.programs.values()]
    prometheus = Prometheus(Home(tmp_path), {"tweetmesh": targets}, [rules.RULES])
    prometheus.start()
    try:
        yield prometheus
    finally:
        prometheus.stop()


def ask(prometheus: Prometheus, query: str) -> list[dict]:
    """The samples of a query now."""
    return prometheus.get(f"query?{urllib.parse.urlencode({'query': query})}")["result"]


def test_rules_give_figures_of_the_running_mesh(prometheus: Prometheus, energy: Run, running: Mesh) -> None:
    wait_for("all are scraped twice", lambda: len(ask(prometheus, "tweetmesh:energy_cpu_instance")) == 4, ASK_S_MAX)
    assert not ask(prometheus, PER_MILLION), "nothing was sent since it looks"
    done = energy("--name", running.folder.name, "--seconds", "3")
    assert done.code == 0, done.told
    samples = wait_for("four programs", lambda: four(ask(prometheus, PER_MILLION)), ASK_S_MAX)
    for sample in samples:
        assert sample["metric"]["quality"] == "modelled"
        assert sample["metric"]["source"] == "process_cpu_seconds_total"
        assert float(sample["value"][1]) > 0
    assert {sample["metric"]["program"] for sample in samples} == set(PROGRAMS)
    ratio = f"tweetmesh:gco2e_per_million_events / on (program) {PER_MILLION}"
    for sample in wait_for("grams", lambda: four(ask(prometheus, ratio)), ASK_S_MAX):
        assert float(sample["value"][1]) == pytest.approx(grid_of("us-central1").value / 3.6e6, rel=1e-6)
    [total] = wait_for("a total", lambda: ask(prometheus, "tweetmesh:mesh_sci_gco2e_per_1000_events"), ASK_S_MAX)
    assert (total["metric"]["quality"], total["metric"]["programs"]) == ("modelled", "4")


def four(samples: list[dict]) -> list[dict]:
    return samples if len(samples) == 4 else []
