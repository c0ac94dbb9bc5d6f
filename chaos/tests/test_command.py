# SPDX-License-Identifier: Apache-2.0
"""./mesh chaos: what it selects, and what it says to who asks for what there is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chaos.fault import REGISTER
from chaos.runner import ordered, sites_of
from stack.mesh import PROJECT
from tools.mesh.chaos import UnknownFault, selected


def mesh_chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "tools.mesh", "chaos", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)


def names(*only: str, quick: bool = False) -> set[str]:
    return {fault.name for fault in selected(list(only), quick)}


def test_without_names_it_is_all_of_them() -> None:
    assert names() == set(REGISTER.faults)


def test_by_name_by_glob_and_by_family() -> None:
    assert names("killed-api") == {"killed-api"}
    assert {"killed-api", "killed-all"} <= names("killed-*")
    assert names("programs") == {name for name, fault in REGISTER.faults.items() if fault.family == "programs"}
    assert names("killed-api", "stopped-api") == {"killed-api", "stopped-api"}


def test_quick_ones_are_some_of_all_families() -> None:
    quick = selected([], True)
    assert quick and all(fault.quick for fault in quick)
    assert {"programs", "kafka", "redis", "mongodb"} <= {fault.family for fault in quick}


def test_an_unknown_name_is_named_with_what_may_be_meant() -> None:
    with pytest.raises(UnknownFault, match="killd-api; did you mean killed-api"):
        selected(["killed-api", "killd-api"], False)


def test_names_can_be_one_by_one_or_with_commas() -> None:
    apart = selected(["killed-api", "redis"], False)
    assert selected(["killed-api,redis"], False) == apart and len(apart) > 5


def test_an_unknown_name_ends_with_2_and_runs_nothing() -> None:
    done = mesh_chaos("--only", "no-such-thing")
    assert done.returncode == 2 and "no-such-thing" in done.stderr and not done.stdout


def test_list_names_all() -> None:
    done = mesh_chaos("--list")
    assert done.returncode == 0
    assert all(name in done.stdout for name in REGISTER.faults)


def test_faults_with_equal_needs_follow_each_other() -> None:
    faults = ordered(list(REGISTER.faults.values()))
    shared = [fault.needs for fault in faults if not fault.fresh]
    changes = sum(one != other for one, other in zip(shared, shared[1:], strict=False))
    assert changes + 1 == len(set(shared))
    assert sites_of(faults) == len(set(shared)) + sum(fault.fresh for fault in faults)


def test_whatever_has_a_name_says_what_it_does() -> None:
    for fault in REGISTER.faults.values():
        assert fault.text and "\n" not in fault.text, fault.name
        assert fault.struck_min >= 1 and fault.times >= 1, fault.name
