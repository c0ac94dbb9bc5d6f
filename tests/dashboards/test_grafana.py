# SPDX-License-Identifier: Apache-2.0
"""The same panels through a real Grafana; collected only where GRAFANA_URL says that there is one."""

from __future__ import annotations

import time

import pytest

from dashboards.execute import Run, Window, run_dashboard
from dashboards.grafana_server import from_environment
from dashboards.model import Panel, all_dashboards

PANELS = [panel for board in all_dashboards() for panel in board.panels]
SHOWN_SECONDS = 3600


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    grafana = from_environment()
    assert grafana is not None
    window = Window(time.time() - SHOWN_SECONDS, time.time())
    return {run.panel.key: run for board in all_dashboards() for run in run_dashboard(board, grafana, window)}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.key)
def test_panel_shows_data_in_grafana(runs: dict[str, Run], panel: Panel) -> None:
    assert runs[panel.key].ok, runs[panel.key].error
