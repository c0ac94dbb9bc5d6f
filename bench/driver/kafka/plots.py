# SPDX-License-Identifier: Apache-2.0
"""The plots of docs/kafka-behaviour.md, from the JSON of `./mesh bench --kafka`.

    python -m bench.driver.kafka.plots figures.json docs/pictures

Run by the Python of the tools' environment, which has matplotlib. The same figures give the same bytes: no date, no
random ids. Transparent, in colours that stand out from white paper and from a dark page; text stays text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from bench.driver.kafka.page import Points
from bench.driver.kafka.points import ACKS, CLOSED, FULL, RATE_LINGERS_US, RATES, ms

GREY = "#7d7d7d"  # of all text and lines
COLOURS = ("#2f81c9", "#d0662b", "#2b9a5f")  # of series
MARKERS = ("o", "s", "^")
SETTINGS = {
    "svg.hashsalt": "tweetmesh",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": GREY,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GREY,
    "grid.alpha": 0.3,
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "savefig.transparent": True,
}
SIZE = (8.4, 3.3)  # inches: two panels
TITLES = {"events_per_s": "events/s", "p50_ms": "p50, ms", "p99_ms": "p99, ms"}
Series = tuple[str, list[dict], str]  # its name, its points, which figure of them


def thousands(value: float, _place: int = 0) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1000:g} k" if value >= 1000 else f"{value:g}"


def lines(axes: Axes, series: Iterable[Series], place: Callable[[dict], float]) -> None:
    """place: where a point stands across."""
    for (name, points, figure), colour, marker in zip(series, COLOURS, MARKERS, strict=False):
        if not points:
            continue
        xs, ys = [place(point) for point in points], [point[figure] for point in points]
        axes.plot(xs, ys, color=colour, marker=marker, markersize=4, linewidth=1.6, label=name)


def _x(point: dict) -> float:
    return point["x"]


def named(axes: Axes, title: str, across: str, *, log: bool = True) -> None:
    axes.set_title(title)
    axes.set_xlabel(across)
    if log and axes.has_data():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(thousands)


def explained(axes: Axes) -> None:
    if axes.has_data():
        axes.legend()


def labelled(axes: Axes, places: list[float], labels: list[str]) -> None:
    axes.set_xticks(places, labels)
    axes.minorticks_off()


def _pair() -> tuple[Figure, Axes, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    left, right = figure.subplots(1, 2)
    return figure, left, right


def by_steps(points: Points, group: str, across: str) -> Figure:
    """The rates of both loops of a group, and the times of the closed one; the values stand side by side, evenly."""
    closed, full = points.series(group, CLOSED), points.series(group, FULL)
    steps = sorted({point["x"] for point in [*closed, *full]})
    figure, left, right = _pair()
    for axes in (left, right):
        labelled(axes, list(range(len(steps))), [f"{step:g}" for step in steps])
    rates = [(CLOSED, closed, "events_per_s"), (FULL, full, "events_per_s")]
    lines(left, rates, lambda point: steps.index(point["x"]))
    lines(right, [("p50", closed, "p50_ms"), ("p99", closed, "p99_ms")], lambda point: steps.index(point["x"]))
    named(left, "events/s", across)
    named(right, f"ms to the acknowledgement, {CLOSED}", across, log=False)
    explained(left)
    explained(right)
    return figure


def batch(points: Points) -> Figure:
    found = points.series("batch", "events")
    figure, left, right = _pair()
    lines(left, [("", found, "events_per_s")], _x)
    lines(right, [("producer", found, "client_us"), ("broker", found, "broker_us")], _x)
    for axes in (left, right):
        if found:
            axes.set_xscale("log")
        axes.xaxis.set_major_formatter(thousands)
    named(left, "events/s", "events in a batch, at most")
    named(right, "CPU µs per event", "events in a batch, at most")
    explained(right)
    return figure


def acks(points: Points) -> Figure:
    figure, left, right = _pair()
    labels = [f"acks={name}" + ("\nidempotent" if idempotent else "") for name, idempotent in ACKS]
    for axes, name, what in ((left, FULL, "events_per_s"), (right, CLOSED, "p50_ms")):
        found = points.series("acks", name)
        axes.bar([p["x"] for p in found], [p[what] for p in found], color=COLOURS[0], width=0.6)
        labelled(axes, list(range(len(labels))), labels)
        named(axes, f"{TITLES[what]}, {name}", "", log=False)
        axes.grid(visible=False, axis="x")
    return figure


def rate(points: Points) -> Figure:
    series = [(f"linger {ms(us)}", points.series("rate", f"linger {ms(us)}")) for us in RATE_LINGERS_US]
    figure, left, right = _pair()
    for axes, what in ((left, "p50_ms"), (right, "p99_ms")):
        lines(axes, [(*each, what) for each in series], _x)
        if axes.has_data():
            axes.set_xscale("log")
        labelled(axes, list(RATES), [thousands(each) for each in RATES])
        named(axes, TITLES[what], "events/s offered (open loop)")
    explained(left)
    return figure


def figures(told: dict) -> dict[str, Figure]:
    """By the name of the file."""
    points = Points(told)
    with mpl.rc_context(SETTINGS):
        return {
            "kafka-linger.svg": by_steps(points, "linger", "linger, ms"),
            "kafka-batch.svg": batch(points),
            "kafka-acks.svg": acks(points),
            "kafka-partitions.svg": by_steps(points, "partitions", "partitions"),
            "kafka-rate.svg": rate(points),
        }


def draw(told: dict, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in figures(told).items():
        with mpl.rc_context(SETTINGS):
            figure.savefig(folder / name, format="svg", metadata={"Date": None, "Creator": None})
        written.append(folder / name)
    return written


def main() -> int:
    source, folder = sys.argv[1:]
    draw(json.loads(Path(source).read_text()), Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
