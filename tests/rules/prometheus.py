# SPDX-License-Identifier: Apache-2.0
"""A Prometheus that watches the programs of a mesh, and what it says of alerts."""

from __future__ import annotations

from pathlib import Path

from stack.component import Home
from stack.mesh import Mesh
from stack.prometheus import Prometheus

SCRAPE_S = 0.5


class Watch(Prometheus):
    """Runs from its making to stop()."""

    def __init__(self, folder: Path, mesh: Mesh, rules: dict[str, str]) -> None:
        """rules: {file name: text}."""
        folder.mkdir(parents=True)
        for name, text in rules.items():
            (folder / name).write_text(text)
        targets = {program.program: [f"127.0.0.1:{program.ports['ops']}"] for program in mesh.programs.values()}
        super().__init__(Home(folder), targets, [folder / name for name in rules], scrape_s=SCRAPE_S)
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

    def has_samples(self, metric: str) -> bool:
        return bool(self.get(f"query?query={metric}")["result"])
