# SPDX-License-Identifier: Apache-2.0
"""The rule files, read; and the same rules with shorter times, so that a fault run need not last for days.

SHORTER TIMES: every duration in `for`, in a range [...] and behind `offset` becomes duration / FACTOR, but no less than
RANGE_MIN_S (FOR_MIN_S for `for`) and no more than LONGEST_S. The lower bound leaves a few samples in every range, the
upper one lets the windows of days end soon after a fault. The days that predict_linear looks ahead are divided, too,
without bounds. Thresholds, labels and everything else stay as they are; nothing of the order
"longer or shorter" is turned round, though some that differed become equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "helm/tweetmesh/rules"
RECORDING = FOLDER / "recording.yaml"
ALERTS = FOLDER / "alerts.yaml"
RUNBOOKS = PROJECT / "docs/operations.md"

FACTOR = 150
RANGE_MIN_S = 2
FOR_MIN_S = 1
LONGEST_S = 8

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"\d+[smhd]")
_IN_EXPRESSION = re.compile(r"(\[|\boffset\s+)(\d+[smhd])")
_AHEAD = re.compile(r"(\bpredict_linear\([^)]*, )(\d+) \* 86400\)")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NO_METRIC = re.compile(
    r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)|\{[^}]*\}|\[[^\]]*\]|\boffset\s+\d+[smhd]|#.*"
)
WORDS = {"and", "or", "unless", "bool", "by", "on", "without", "ignoring", "group_left", "group_right", "offset"}


@dataclass(frozen=True)
class Rule:
    """One rule; name is the alert's or the recorded metric's."""

    name: str
    kind: str  # "alert" or "record"
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]
    file: Path


def rules(*files: Path) -> list[Rule]:
    found = []
    for file in files or (RECORDING, ALERTS):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                kind = "alert" if "alert" in rule else "record"
                found.append(
                    Rule(
                        rule[kind],
                        kind,
                        str(rule["expr"]),
                        rule.get("labels") or {},
                        rule.get("annotations") or {},
                        file,
                    )
                )
    return found


def groups() -> list[str]:
    """All groups, each behind those it reads from."""
    return [group["name"] for file in (RECORDING, ALERTS) for group in yaml.safe_load(file.read_text())["groups"]]


def alerts() -> list[Rule]:
    return [rule for rule in rules() if rule.kind == "alert"]


def metrics_in(expr: str) -> set[str]:
    """The metrics an expression reads."""
    bare = _NO_METRIC.sub(" ", _STRING.sub('""', expr))
    names = set()
    for found in _NAME.finditer(bare):
        called = bare[found.end() :].lstrip().startswith("(")
        if not called and found[0] not in WORDS and not bare[: found.start()][-1:].isdigit():
            names.add(found[0])
    return names


def _shorter(duration: str, least: float) -> str:
    seconds = int(duration[:-1]) * SECONDS[duration[-1]] / FACTOR
    return f"{round(min(max(seconds, least), LONGEST_S) * 1000)}ms"


def with_shorter_times(text: str) -> str:
    """A rule file's text with the times of a fault run, see above."""
    content = yaml.safe_load(text)
    for group in content["groups"]:
        for rule in group["rules"]:
            expr = _IN_EXPRESSION.sub(lambda m: m[1] + _shorter(m[2], RANGE_MIN_S), str(rule["expr"]))
            rule["expr"] = _AHEAD.sub(lambda m: f"{m[1]}{int(m[2]) * SECONDS['d'] / FACTOR:g})", expr)
            if "for" in rule:
                rule["for"] = _shorter(_DURATION.fullmatch(rule["for"])[0], FOR_MIN_S)
    return yaml.safe_dump(content, sort_keys=False, width=1000)
