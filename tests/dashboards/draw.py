# SPDX-License-Identifier: Apache-2.0
"""Pictures of the dashboards, of what the tests saw: python3 -m dashboards.draw SAVED FOLDER.

They are drawn here and not by Grafana, and say so; values, units, colours and names are those that @grafana/data gave.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from dashboards import saved
from dashboards.charts import CHARTS, FAINT, INK, Box
from dashboards.execute import Window
from dashboards.grafana_data import Result
from dashboards.model import Dashboard, all_dashboards

COLUMN, ROW, GAP, HEAD = 66, 34, 8, 62  # pixels
DPI = 100
PAGE, PANEL, EDGE = "#111217", "#181b1f", "#2c3235"
NOTE = (
    "Drawn by ./mesh dashboards from the answers of real queries during a load; "
    "values, units and colours by @grafana/data. Not a screenshot of Grafana."
)


def _height(board: Dashboard) -> int:
    return max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board.json["panels"])


def _text(figure: Figure, x: float, y: float, text: str, **how: object) -> None:
    width, height = (size * DPI for size in figure.get_size_inches())
    figure.text(x / width, 1 - y / height, text, **({"va": "top", "color": INK} | how))


def _frame(figure: Figure, box: Box) -> None:
    width, height = (size * DPI for size in figure.get_size_inches())
    shape = FancyBboxPatch(
        (box.x / width, 1 - (box.y + box.h) / height),
        box.w / width,
        box.h / height,
        boxstyle="square,pad=0",
        facecolor=PANEL,
        edgecolor=EDGE,
        linewidth=0.8,
        transform=figure.transFigure,
        zorder=-1,
    )
    figure.add_artist(shape)


def _place(panel: dict) -> Box:
    at = panel["gridPos"]
    return Box(at["x"] * COLUMN + GAP, HEAD + at["y"] * ROW + GAP, at["w"] * COLUMN - GAP, at["h"] * ROW - GAP)


def _panel(figure: Figure, panel: dict, result: Result) -> None:
    box = _place(panel)
    _frame(figure, box)
    title = textwrap.shorten(panel["title"], max(12, int(box.w / 7)), placeholder="…")
    _text(figure, box.x + 8, box.y + 7, title, fontsize=8.5, weight="bold")
    CHARTS[panel["type"]](figure, box.inner(), panel, result)


def draw(board: Dashboard, results: dict[tuple[str, int], Result], window: Window) -> Figure:
    width, height = 24 * COLUMN + GAP, HEAD + _height(board) * ROW + GAP
    figure = plt.figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAGE)
    _text(figure, GAP, 10, board.json["title"], fontsize=13, weight="bold")
    moment = datetime.fromtimestamp(window.end, UTC).strftime("%Y-%m-%d %H:%M UTC")
    _text(
        figure, width - GAP, 12, f"{moment}, {window.end - window.start:.0f} s", fontsize=8.5, color=FAINT, ha="right"
    )
    _text(figure, GAP, 36, NOTE, fontsize=8.5, color="#ff9830")
    for panel in board.json["panels"]:
        if panel["type"] == "row":
            box = _place(panel)
            _text(figure, box.x, box.y + 4, panel["title"], fontsize=9.5, color=FAINT, weight="bold")
        else:
            _panel(figure, panel, results[board.name, panel["id"]])
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m dashboards.draw", description=__doc__)
    parser.add_argument("saved", type=Path, help="what the tests wrote to $TWEETMESH_DASHBOARDS")
    parser.add_argument("folder", type=Path, help="where dashboard-NAME.png go")
    arguments = parser.parse_args()
    plt.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK})
    results, window = saved.read(arguments.saved)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for board in all_dashboards():
        path = arguments.folder / f"dashboard-{board.name}.png"
        draw(board, results, window).savefig(path, facecolor=PAGE, metadata={"Software": None})
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
