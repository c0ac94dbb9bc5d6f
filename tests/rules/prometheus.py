# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus that scrapes the programs of a mesh and evaluates rule files, on loopback."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from stack.mesh import Mesh
from stack.ports import free_port
from stack.process import Process

SCRAPE_S = 0.5
EVALUATION_S = 1
READY_S = 60


class Prometheus:
    """From start to stop(). Threads: the one that made it."""

    def __init__(self, folder: Path, mesh: Mesh, rules: dict[str, str]) -> None:
        """rules: {file name: text}."""
        folder.mkdir(parents=True)
        for name, text in rules.items():
            (folder / name).write_text(text)
        config = {
            "global": {
                "scrape_interval": f"{round(SCRAPE_S * 1000)}ms",
                "scrape_timeout": f"{round(SCRAPE_S * 1000)}ms",
                "evaluation_interval": f"{EVALUATION_S}s",
            },
            "rule_files": list(rules),
            "scrape_configs": [
                {
                    "job_name": program.program,
                    "static_configs": [{"targets": [f"127.0.0.1:{program.ports['ops']}"]}],
                }
                for program in mesh.programs.values()
            ],
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        self._process = Process.spawn(
            "prometheus",
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yaml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            log=folder / "prometheus.log",
            env=dict(os.environ),
            cwd=folder,
            dies_with_us=True,
        )
        self._process.wait_ready(self._is_ready, READY_S)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except (OSError, urllib.error.HTTPError):
            return False

    def _get(self, path: str) -> dict:
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def firing(self) -> dict[str, dict]:
        """The alerts that fire now: {name: one of each}."""
        return {a["labels"]["alertname"]: a for a in self._get("alerts")["alerts"] if a["state"] == "firing"}

    def targets_up(self) -> int:
        return sum(target["health"] == "up" for target in self._get("targets")["activeTargets"])

    def rule_errors(self) -> list[str]:
        """Rules that could not be evaluated."""
        groups = self._get("rules")["groups"]
        return [f"{rule['name']}: {rule['lastError']}" for g in groups for rule in g["rules"] if rule.get("lastError")]

    def has_samples(self, metric: str) -> bool:
        return bool(self._get(f"query?query={metric}")["result"])

    def stop(self) -> None:
        self._process.stop()
