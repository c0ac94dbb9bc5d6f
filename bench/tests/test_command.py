# SPDX-License-Identifier: Apache-2.0
"""./mesh bench: what it selects, what it needs for that, and what it says to who asks for what there is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.driver.goals import IDS
from bench.driver.matrix import EXPERIMENTS, needed
from bench.driver.pace import FULL, QUICK
from bench.driver.runner import estimate
from bench.driver.selection import UnknownRow, selected
from stack.mesh import PROJECT

FULL_SECONDS_MAX = 30 * 60
QUICK_SECONDS_MAX = 6 * 60


def mesh_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "tools.mesh", "bench", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)


def test_without_names_it_is_all_of_them() -> None:
    assert selected([]) == IDS


def test_by_id_and_by_glob_in_the_order_of_the_table() -> None:
    assert selected(["P7", "P1"]) == ("P1", "P7")
    assert selected(["p6*"]) == ("P6", "P6b")
    assert selected(["P2b"]) == ("P2b",)


def test_an_id_is_not_a_prefix() -> None:
    assert selected(["P1"]) == ("P1",)


def test_names_can_be_one_by_one_or_with_commas() -> None:
    assert selected(["P1,P7", "P3"]) == selected(["P1", "P3", "P7"])


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(UnknownRow, match="no row is called P17; there are P1, "):
        selected(["P1", "P17"])


def test_every_row_is_measured_by_exactly_one_experiment() -> None:
    assert sorted(each for experiment in EXPERIMENTS for each in experiment.ids) == sorted(IDS)


def test_only_what_is_needed_runs() -> None:
    assert [experiment.ids for experiment in needed(["P4"])] == [("P3", "P4", "P5")]
    assert needed(IDS) == list(EXPERIMENTS)


def test_peaks_are_measured_before_those_who_want_to_know_them() -> None:
    order = [each for experiment in EXPERIMENTS for each in experiment.ids]
    assert order.index("P2b") < order.index("P8") and order.index("P2b") < order.index("P16")
    assert order.index("P3") < order.index("P13")


def test_all_of_it_fits_into_half_an_hour_and_quickly_into_six_minutes() -> None:
    assert estimate(EXPERIMENTS, FULL) <= FULL_SECONDS_MAX
    assert estimate(EXPERIMENTS, QUICK) <= QUICK_SECONDS_MAX


def test_rounds_are_as_many_and_as_long_as_was_asked_for() -> None:
    assert FULL.rounds >= 5 and FULL.seconds >= 10 and FULL.warm_s > 0
    assert QUICK.rounds >= 2 and QUICK.seconds >= 3


def test_list_names_all_rows_and_runs_nothing() -> None:
    done = mesh_bench("--list")
    assert done.returncode == 0
    words = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert set(IDS) <= set(words)


def test_an_unknown_row_ends_with_2_and_runs_nothing() -> None:
    done = mesh_bench("--only", "P99")
    assert done.returncode == 2 and "P99" in done.stderr and not done.stdout


@pytest.mark.parametrize(
    "wrong", [("--rounds", "0"), ("--seconds", "-1"), ("--rounds", "x"), ("--kafka",), ("--kafka", "--only", "P1")]
)
def test_rounds_of_nothing_are_refused(wrong: tuple[str, str]) -> None:
    assert mesh_bench("--list", *wrong).returncode == 2


def test_figures_that_are_no_figures_of_the_bench_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert "figures.json" in mesh_bench("--write-docs", str(file)).stderr
    file.write_text('{"rows": []}')
    done = mesh_bench("--write-docs", str(file))
    assert done.returncode == 1 and "was not written by ./mesh bench --json" in done.stderr
