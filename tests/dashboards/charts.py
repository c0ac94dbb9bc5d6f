# SPDX-License-Identifier: Apache-2.0
"""One function for each type of panel: draws a result into a box of a figure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from dashboards.grafana_data import Field, Result

INK, FAINT, GRID = "#ccccdc", "#8e8e99", "#2c3235"
PALETTE = ("#73BF69", "#F2CC0C", "#5794F2", "#FF9830", "#F2495C", "#B877D9", "#8AB8FF", "#96D98D", "#FFB357", "#CA95E5")
ROWS_MAX = 12
LEGEND_MAX = 10
SMALL = 7.5
# Steps of a unit: from which value on, divisor, suffix.
SCALES = {
    "s": ((1, 1, " s"), (1e-3, 1e-3, " ms"), (0, 1e-6, " µs")),
    "joule": ((1e3, 1e3, " kJ"), (1, 1, " J"), (0, 1e-3, " mJ")),
    "massg": ((1, 1, " g"), (1e-3, 1e-3, " mg"), (0, 1e-6, " µg")),
    "watt": ((1, 1, " W"), (1e-3, 1e-3, " mW"), (0, 1e-6, " µW")),
    "percentunit": ((0, 0.01, " %"),),
}


@dataclass(frozen=True)
class Box:
    """Pixels from the top left of the picture."""

    x: float
    y: float
    w: float
    h: float

    def inner(self) -> Box:
        """Without the title."""
        return Box(self.x + 8, self.y + 26, self.w - 16, self.h - 32)


def _label(value: float, unit: str) -> str:
    for least, divisor, suffix in SCALES.get(unit, ()):
        if abs(value) >= least:
            return f"{value / divisor:.3g}{suffix}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _axes(figure: Figure, box: Box, left: float = 0, bottom: float = 0) -> Axes:
    width, height = (size * figure.dpi for size in figure.get_size_inches())
    spot = ((box.x + left) / width, 1 - (box.y + box.h - bottom) / height)
    axes = figure.add_axes((*spot, (box.w - left) / width, (box.h - bottom) / height), facecolor="none")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors=FAINT, labelsize=SMALL, length=0)
    return axes


def _times(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")))


def _hidden(panel: dict) -> set[str]:
    overrides = panel["fieldConfig"]["overrides"]
    return {
        each["matcher"]["options"]
        for each in overrides
        if any(p["id"] == "custom.hideFrom" for p in each["properties"])
    }


def _series(panel: dict, result: Result) -> list[tuple[list[float], Field]]:
    """Times in seconds, and each column that is drawn over them."""
    hidden = _hidden(panel)
    found = []
    for frame in result.frames:
        times = [time / 1000 for time in next(each for each in frame if each.type == "time").values]
        found += [(times, each) for each in frame if each.type == "number" and each.name not in hidden]
    return found


def stat(figure: Figure, box: Box, panel: dict, result: Result) -> None:
    axes = _axes(figure, box)
    axes.set_axis_off()
    shown = result.shown or []
    named = panel["options"]["textMode"] == "value_and_name"
    for row, each in enumerate(shown):
        x = (row + 0.5) / len(shown)
        if panel["options"]["colorMode"] == "background":
            axes.axvspan(row / len(shown), (row + 1) / len(shown), color=each.color)
        ink = "#ffffff" if panel["options"]["colorMode"] == "background" else each.color
        size = min(24.0, box.w / len(shown) / max(4, len(each.text)) * 1.15)
        axes.text(
            x, 0.42 if named else 0.5, each.text, color=ink, fontsize=size, ha="center", va="center", weight="bold"
        )
        if named:
            axes.text(x, 0.88, each.title, color=INK, fontsize=9, ha="center", va="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def timeseries(figure: Figure, box: Box, panel: dict, result: Result) -> None:
    found = _series(panel, result)
    columns = max(1, int(box.w // 130))
    bottom = 18 + 14 * -(-min(len(found), LEGEND_MAX) // columns)
    axes = _axes(figure, box, left=46, bottom=bottom)
    custom = panel["fieldConfig"]["defaults"]["custom"]
    below: dict[float, float] = {}
    for number, (times, column) in enumerate(found):
        color, values = (
            PALETTE[number % len(PALETTE)],
            [value if value is not None else float("nan") for value in column.values],
        )
        base = (
            [below.get(time, 0.0) for time in times] if custom["stacking"]["mode"] == "normal" else [0.0] * len(times)
        )
        top = [under + value for under, value in zip(base, values, strict=True)]
        axes.plot(times, top, color=color, linewidth=1.3, label=column.name, marker="o" if len(times) == 1 else None)
        axes.fill_between(times, base, top, color=color, alpha=custom["fillOpacity"] / 100, linewidth=0)
        below |= dict(zip(times, top, strict=True))
    if custom["scaleDistribution"]["type"] == "log":
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif "min" in panel["fieldConfig"]["defaults"]:
        axes.set_ylim(bottom=0)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _label(value, unit)))
    axes.grid(color=GRID, linewidth=0.6)
    _times(axes)
    if found:
        handles, names = (each[:LEGEND_MAX] for each in axes.get_legend_handles_labels())
        axes.legend(
            handles,
            [textwrap.shorten(name, 26, placeholder="…") for name in names],
            loc="upper left",
            bbox_to_anchor=(-0.02, -18 / (box.h - bottom)),
            ncols=columns,
            fontsize=SMALL,
            frameon=False,
            labelcolor=INK,
            handlelength=1,
            borderpad=0,
            columnspacing=1,
        )


def _bars(figure: Figure, box: Box, names: list[str], values: list[float], texts: list[str], colors: list[str]) -> None:
    axes = _axes(figure, box, left=min(170, box.w * 0.36))
    places = range(len(names))
    axes.barh(places, values, color=colors, height=0.72)
    axes.set_yticks(places, [textwrap.shorten(name, 28, placeholder="…") for name in names], color=INK)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.18 * max(values, default=1))
    for place, (value, text) in enumerate(zip(values, texts, strict=True)):
        axes.text(value, place, f" {text}", color=INK, fontsize=SMALL, va="center")


def barchart(figure: Figure, box: Box, panel: dict, result: Result) -> None:
    (frame,) = result.frames
    names = next(each for each in frame if each.name == panel["options"]["xField"])
    column = next(each for each in frame if each.type == "number")
    _bars(figure, box, names.values, column.values, column.texts, column.colors)


def bargauge(figure: Figure, box: Box, panel: dict, result: Result) -> None:
    shown = result.shown
    values = [each.numeric or 0.0 for each in shown]
    _bars(
        figure,
        box,
        [each.title for each in shown],
        values,
        [each.text for each in shown],
        [each.color for each in shown],
    )


def piechart(figure: Figure, box: Box, panel: dict, result: Result) -> None:
    side = min(box.h, box.w * 0.5)
    axes = _axes(figure, Box(box.x, box.y + (box.h - side) / 2, side, side))
    values, colors = (
        [each.numeric or 0.0 for each in result.shown],
        [PALETTE[i % len(PALETTE)] for i in range(len(result.shown))],
    )
    wedges, _ = axes.pie(values, colors=colors, startangle=90, counterclock=False, wedgeprops={"width": 0.4})
    total = sum(values) or 1.0
    names = [f"{each.title}  {value / total:.0%}" for each, value in zip(result.shown, values, strict=True)]
    axes.legend(
        wedges, names, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=SMALL, frameon=False, labelcolor=INK
    )


def _colored(panel: dict) -> set[str]:
    """The columns whose cells are coloured."""
    found = set()
    for override in panel["fieldConfig"]["overrides"]:
        cells = [each["value"]["type"] for each in override["properties"] if each["id"] == "custom.cellOptions"]
        if cells and cells[0] in ("color-text", "gauge"):
            found.add(override["matcher"]["options"])
    return found


def _cell(column: Field, row: int) -> str:
    if column.type == "time":
        return datetime.fromtimestamp(column.values[row] / 1000, UTC).strftime("%H:%M:%S UTC")
    return column.texts[row]


def table(figure: Figure, box: Box, panel: dict, result: Result) -> None:
    axes = _axes(figure, box)
    axes.set_axis_off()
    (frame,) = result.frames
    count = len(frame[0].values)
    fits = min(ROWS_MAX, int(box.h / 18) - 1)
    rows = count if count <= fits else fits - 1
    colored = _colored(panel)
    lengths = [max([len(each.name), *(len(_cell(each, row)) for row in range(rows))]) for each in frame]
    lengths = [min(34, length) + 2 for length in lengths]
    starts = [sum(lengths[:i]) / sum(lengths) for i in range(len(lengths))]
    step = 18 / box.h
    for start, column, length in zip(starts, frame, lengths, strict=True):
        axes.text(
            start, 1 - step / 2, column.name, fontsize=SMALL, color="#6e9fff", va="center", transform=axes.transAxes
        )
        for row in range(rows):
            text = textwrap.shorten(_cell(column, row), length, placeholder="…")
            color = column.colors[row] if column.name in colored else INK
            axes.text(
                start, 1 - step * (row + 1.5), text, fontsize=SMALL, color=color, va="center", transform=axes.transAxes
            )
    if rows < count:
        axes.text(
            1,
            0,
            f"{rows} of {count} rows",
            fontsize=6.5,
            color=FAINT,
            ha="right",
            va="bottom",
            transform=axes.transAxes,
        )


def heatmap(figure: Figure, box: Box, panel: dict, result: Result) -> None:
    axes = _axes(figure, box, left=46, bottom=16)
    (frame,) = result.frames
    times = [time / 1000 for time in frame[0].values]
    rows = [each for each in frame if each.type == "number"]
    cells = [[value or float("nan") for value in each.values] for each in rows]
    step = times[1] - times[0] if len(times) > 1 else 1.0
    edges = [times[0] - step, *times]
    top = max((value for row in cells for value in row if value == value), default=1.0)
    axes.pcolormesh(
        edges, range(len(rows) + 1), cells, cmap="Oranges", norm=LogNorm(max(0.1, top / 1000), max(0.2, top))
    )
    axes.set_yticks(
        [i + 1 for i in range(len(rows) - 1)], [_label(float(each.name), "s") for each in rows[:-1]], fontsize=6.5
    )
    _times(axes)


CHARTS: dict[str, Callable[[Figure, Box, dict, Result], None]] = {
    "stat": stat,
    "timeseries": timeseries,
    "barchart": barchart,
    "bargauge": bargauge,
    "piechart": piechart,
    "table": table,
    "heatmap": heatmap,
}
