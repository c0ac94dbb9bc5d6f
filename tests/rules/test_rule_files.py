# SPDX-License-Identifier: Apache-2.0
"""Goal: each rule gives what it says, each alert fires when it should and only then, and somebody is told what to do.

Method: promtool, on cases of alert_cases.py and recorded_cases.py; the files themselves are looked through.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import alert_cases
import foreign
import pytest
import recorded_cases
import yaml
from promtool import alert_tests, content, recorded_test, run
from rulefiles import ALERTS, FACTOR, RECORDING, RUNBOOKS, alerts, metrics_in, rules, with_shorter_times

SEVERITIES = {"critical", "warning"}
SOURCES = ("api/src", "grpc-server/src", "ws-redis/src", "kafka-consumer/src", "common/src")


def test_promtool_finds_nothing_wrong() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(RECORDING), str(ALERTS)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", sorted({rule.name for rule in alerts()}))
def test_alert_fires_when_it_should_and_only_then(alert: str, tmp_path: Path) -> None:
    cases = [case for case in alert_cases.CASES if case.alert == alert]
    assert cases, f"{alert} has no case in alert_cases.py"
    for case in cases:
        done = run(content(alert_tests(case), case.evaluated), tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_that_waits_has_a_case_for_the_waiting() -> None:
    waits = set()
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        waits |= {rule["alert"] for rule in group["rules"] if "for" in rule}
    assert waits == {case.alert for case in alert_cases.CASES if case.pending_at is not None}


def test_recording_rules_give_what_they_say(tmp_path: Path) -> None:
    tests = [
        recorded_test(recorded_cases.SERIES, recorded_cases.CASES, recorded_cases.AT),
        recorded_test(recorded_cases.SLOW_SERIES, recorded_cases.SLOW_CASES, recorded_cases.AT),
    ]
    done = run(content(tests), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_recording_rule_has_a_case() -> None:
    cases = recorded_cases.CASES + recorded_cases.SLOW_CASES
    tested = {name for case in cases for name in metrics_in(case.expr)}
    assert {rule.name for rule in rules(RECORDING)} == tested


def test_a_wrong_expectation_is_noticed(tmp_path: Path) -> None:
    """The test above can fail."""
    wrong = [case for case in recorded_cases.CASES if "lag" in case.expr][0]
    test = recorded_test(recorded_cases.SERIES, [type(wrong)(wrong.expr, wrong.value + 1, wrong.labels)], "30m")
    assert run(content([test]), tmp_path).returncode != 0


def test_each_alert_has_severity_texts_and_a_runbook() -> None:
    headings = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.M)
    for alert in alerts():
        assert alert.labels.get("severity") in SEVERITIES, alert.name
        assert alert.annotations["summary"] and not alert.annotations["summary"].endswith("."), alert.name
        assert "{{ $value" in alert.annotations["description"] or "$labels" in alert.annotations["description"]
        assert alert.annotations["runbook_url"] == f"docs/operations.md#{alert.name.lower()}", alert.name
        assert alert.name in headings, f"docs/operations.md has no section {alert.name}"


def test_each_runbook_says_what_how_and_what_to_do_and_is_of_an_alert() -> None:
    text = RUNBOOKS.read_text().partition("\n# Runbooks\n")[2]
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert set(sections) == {alert.name for alert in alerts()}
    for name, section in sections.items():
        for part in ("**Means:**", "**See:**", "**Do:**"):
            assert part in section, f"{name} lacks {part}"


def test_every_metric_is_exported_or_listed_as_foreign() -> None:
    read = {name for rule in rules() for name in metrics_in(rule.expr)}
    recorded = {rule.name for rule in rules(RECORDING)}
    base = {re.sub(r"_(bucket|sum|count)$", "", name) for name in read - recorded}
    ours = {name for name in base if name.startswith(("tweetmesh_", "process_"))}
    source = "".join(path.read_text() for folder in SOURCES for path in _sources(folder))
    missing = [name for name in sorted(ours) if not re.search(rf"\b{name}\b", source)]
    assert not missing, f"no program exports {missing}"
    assert base - ours == set(foreign.METRICS), "foreign.py lists what is not ours, with the reason"


def _sources(folder: str) -> list[Path]:
    return sorted((ALERTS.parents[3] / folder).glob("*.c"))


def test_shorter_times_change_times_only() -> None:
    text = ALERTS.read_text() + "\n"
    shorter = yaml.safe_load(with_shorter_times(text))
    for before, after in zip(
        (rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]),
        (rule for group in shorter["groups"] for rule in group["rules"]),
        strict=True,
    ):
        blank = re.compile(r"\b\d+(ms|[smhd])\b|(4 \* 86400|2304)(?=\)\) < 0)")
        assert blank.sub("T", before["expr"]) == blank.sub("T", after["expr"])
        assert (before["labels"], before["annotations"]) == (after["labels"], after["annotations"])
        assert ("for" in before) == ("for" in after)
    assert f"[{600_000 // FACTOR}ms]" in with_shorter_times(text)
    assert f"ms], {4 * 86400 // FACTOR}))" in with_shorter_times(text)
    assert "/ 86400 < 14" in with_shorter_times(text)
