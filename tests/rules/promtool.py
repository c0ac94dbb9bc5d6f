# SPDX-License-Identifier: Apache-2.0
"""promtool: its unit tests, made of cases that say what goes in and what comes out."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from rulefiles import ALERTS, RECORDING, groups

Series = dict[str, str]  # {"name{label=...}": values as promtool writes them, "0+60x30"}


@dataclass(frozen=True)
class Recorded:
    """What a recording rule must give: expr at a time has one sample with these labels."""

    expr: str
    value: float
    labels: str = '{namespace="n"}'


@dataclass(frozen=True)
class AlertCase:
    """One alert: fed with `bad` it is silent at `pending_at`, fires at `fires_at`; fed with any of `good` never."""

    alert: str
    bad: Series
    good: tuple[Series, ...]
    fires_at: str
    pending_at: str | None = None  # None: there is no waiting
    labels: str = '{namespace="n"}'  # those of the alert, but for severity
    interval: str = "1m"  # of the samples
    evaluated: str = "30s"  # how often; seldom, where it takes days
    extra: Series = field(default_factory=dict)  # in all of them


def run(content: dict, folder: Path) -> subprocess.CompletedProcess[str]:
    """promtool test rules of this content."""
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=1000))
    return subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=120, check=False
    )


def content(tests: list[dict], evaluated: str = "30s") -> dict:
    return {
        "rule_files": [str(RECORDING), str(ALERTS)],
        "evaluation_interval": evaluated,
        "group_eval_order": groups(),  # else at random, and what is seldom evaluated would be too old to be seen
        "tests": tests,
    }


def test_of(series: Series, expectations: list[dict], interval: str = "1m") -> dict:
    return {
        "interval": interval,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": expectations,
    }


def _firing(case: AlertCase, at: str, state: str, expected: bool) -> dict:
    names = case.labels.strip("{}").split(",")
    by = ", ".join(name.partition("=")[0] for name in names if name)
    return {
        "expr": f'count by ({by}) (ALERTS{{alertname="{case.alert}",alertstate="{state}"}})',
        "eval_time": at,
        "exp_samples": [{"labels": case.labels, "value": 1}] if expected else [],
    }


def alert_tests(case: AlertCase) -> list[dict]:
    bad = [_firing(case, case.fires_at, "firing", True)]
    if case.pending_at is not None:
        bad.append(_firing(case, case.pending_at, "pending", True))
        bad.append(_firing(case, case.pending_at, "firing", False))
    tests = [test_of(case.extra | case.bad, bad, case.interval)]
    for good in case.good:
        quiet = [_firing(case, case.fires_at, "firing", False)]
        tests.append(test_of(case.extra | good, quiet, case.interval))
    return tests


def recorded_test(series: Series, recorded: list[Recorded], at: str, interval: str = "1m") -> dict:
    expectations = [
        {
            "expr": case.expr,
            "eval_time": at,
            "exp_samples": [{"labels": case.labels, "value": case.value}],
        }
        for case in recorded
    ]
    return test_of(series, expectations, interval)
