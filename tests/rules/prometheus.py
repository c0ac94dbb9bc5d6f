# SPDX-License-Identifier: Apache-2.0
"""A Prometheus that watches programs, and what it says of alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from stack.component import LOOPBACK, Home
from stack.program import Program
from stack.prometheus import Prometheus

SCRAPE_S = 0.5


def targets_of(programs: Iterable[Program]) -> dict[str, list[str]]:
    """By what the rules want in the label `job`: the program's name, whatever the instance's."""
    targets: dict[str, list[str]] = {}
    for program in programs:
        targets.setdefault(program.program, []).append(f"{LOOPBACK}:{program.ports['ops']}")
    return targets


class Watch(Prometheus):
    """Runs from its making to stop()."""

    def __init__(
        self,
        folder: Path,
        targets: dict[str, list[str]],
        rules: dict[str, str],
        scrape_s: float = SCRAPE_S,
        more: Sequence[dict] = (),
    ) -> None:
        """rules: {file name: text}; more: further scrape_configs."""
        folder.mkdir(parents=True)
        for name, text in rules.items():
            (folder / name).write_text(text)
        super().__init__(Home(folder), targets, [folder / name for name in rules], scrape_s=scrape_s, more=more)
        self.start()

    def firing(self) -> dict[str, dict]:
        """The alerts that fire now: {name: one of each}."""
        return {a["labels"]["alertname"]: a for a in self.get("alerts")["alerts"] if a["state"] == "firing"}

    def targets_up(self) -> int:
        return sum(target["health"] == "up" for target in self.get("targets")["activeTargets"])

    def rule_errors(self) -> list[str]:
        """Rules that could not be evaluated."""
        groups = self.get("rules")["groups"]
        return [f"{rule['name']}: {rule['lastError']}" for g in groups for rule in g["rules"] if rule.get("lastError")]

    def samples(self, query: str) -> list[dict]:
        """What a query comes to now."""
        return self.get(f"query?query={quote(query)}")["result"]

    def has_samples(self, query: str) -> bool:
        return bool(self.samples(query))
