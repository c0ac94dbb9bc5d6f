# SPDX-License-Identifier: Apache-2.0
"""Every target of every panel is executed on real backends; each panel shows something after a load."""

from __future__ import annotations

import pytest

from dashboards.conftest import Seen
from dashboards.model import Panel, all_dashboards

PANELS = [panel for board in all_dashboards() for panel in board.panels]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.key)
def test_panel_shows_data(seen: Seen, panel: Panel) -> None:
    run = seen.runs[panel.key]
    assert run.ok, run.error
    if panel.reduce_options:
        assert any(shown.text not in ("", "No data", "NaN") for shown in run.result.shown), run.result.shown
