# SPDX-License-Identifier: Apache-2.0
"""What panels showed, kept in a file, so that pictures are drawn of what the tests saw."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from dashboards.execute import Run, Window
from dashboards.grafana_data import Field, Result, Shown


def save(path: Path, runs: list[Run], window: Window) -> None:
    panels = [
        {"dashboard": run.panel.dashboard, "id": run.panel.json["id"]} | asdict(run.result) | {"error": run.error}
        for run in runs
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"window": asdict(window), "panels": panels}))


def read(path: Path) -> tuple[dict[tuple[str, int], Result], Window]:
    """Results by dashboard and panel id."""
    content = json.loads(path.read_text())
    results = {
        (panel["dashboard"], panel["id"]): Result(
            [[Field(**each) for each in frame] for frame in panel["frames"]],
            [Shown(**each) for each in panel["shown"]],
            panel["error"],
        )
        for panel in content["panels"]
    }
    return results, Window(**content["window"])
