# SPDX-License-Identifier: Apache-2.0
"""Queries to Prometheus, and their answers in the frames of Grafana's own datasource."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import requests

FORMATS = ("time_series", "table", "heatmap")
_LEGEND = re.compile(r"\{\{\s*(.+?)\s*\}\}")


class QueryError(Exception):
    """Prometheus refused a query; the text is its own."""


@dataclass(frozen=True)
class Series:
    labels: Mapping[str, str]
    times: list[int]  # Unix milliseconds
    values: list[float | None]


def _series(result: Mapping) -> Series:
    pairs = result["values"] if "values" in result else [result["value"]]
    numbers = [float(text) for _, text in pairs]
    return Series(
        {name: value for name, value in result["metric"].items() if name != "__name__"},
        [round(float(second) * 1000) for second, _ in pairs],
        [None if math.isnan(number) or math.isinf(number) else number for number in numbers],
    )


def _ask(url: str, path: str, parameters: Mapping[str, str]) -> object:
    answer = requests.get(f"{url}/api/v1/{path}", params=parameters, timeout=30).json()
    if answer["status"] != "success":
        raise QueryError(f"{answer['error']} ({parameters.get('query', path)})")
    return answer["data"]


def query(url: str, expression: str, at: float) -> list[Series]:
    """At one moment (Unix time)."""
    data = _ask(url, "query", {"query": expression, "time": f"{at:.3f}"})
    return [_series(result) for result in data["result"]]


def query_range(url: str, expression: str, start: float, end: float, step: float) -> list[Series]:
    parameters = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
    return [_series(result) for result in _ask(url, "query_range", parameters)["result"]]


def label_values(url: str, metric: str, label: str) -> list[str]:
    return list(_ask(url, f"label/{label}/values", {"match[]": metric}))


def legend(pattern: str, labels: Mapping[str, str]) -> str:
    """A label that is not there leaves nothing."""
    return _LEGEND.sub(lambda found: labels.get(found[1], ""), pattern)


def _frame(ref: str, fields: list[dict], values: list[list], name: str = "") -> dict:
    return {"schema": {"name": name, "refId": ref, "fields": fields}, "data": {"values": values}}


def time_series(ref: str, pattern: str, found: list[Series]) -> list[dict]:
    """A frame for each series."""
    frames = []
    for series in found:
        name = legend(pattern, series.labels)
        fields = [
            {"name": "Time", "type": "time", "config": {}},
            {
                "name": "Value",
                "type": "number",
                "labels": dict(series.labels),
                "config": {"displayNameFromDS": name},
            },
        ]
        frames.append(_frame(ref, fields, [series.times, series.values], name))
    return frames


def table(ref: str, found: list[Series], alone: bool) -> list[dict]:
    """One frame with a row for each series; alone: the panel has no other target."""
    labels = sorted({name for series in found for name in series.labels})
    fields = [
        {"name": "Time", "type": "time", "config": {}},
        *({"name": name, "type": "string", "config": {}} for name in labels),
        {"name": "Value" if alone else f"Value #{ref}", "type": "number", "config": {}},
    ]
    values = [
        [series.times[-1] for series in found],
        *([series.labels.get(name, "") for series in found] for name in labels),
        [series.values[-1] for series in found],
    ]
    return [_frame(ref, fields, values)] if found else []


def heatmap(ref: str, found: list[Series]) -> list[dict]:
    """One frame with a field for each bucket, which holds what lies between it and the one below."""
    buckets = sorted(found, key=lambda series: float(series.labels["le"]))
    times = sorted({time for series in buckets for time in series.times})
    fields, values, below = [{"name": "Time", "type": "time", "config": {}}], [times], [0.0] * len(times)
    for series in buckets:
        known = dict(zip(series.times, series.values, strict=True))
        upto = [known.get(time) or 0.0 for time in times]
        fields.append({"name": series.labels["le"], "type": "number", "config": {}})
        values.append([max(0.0, here - under) for here, under in zip(upto, below, strict=True)])
        below = upto
    return [_frame(ref, fields, values)] if found else []


def frames_of(target: Mapping, found: list[Series], alone: bool) -> list[dict]:
    form = target.get("format", "time_series")
    if form == "table":
        return table(target["refId"], found, alone)
    if form == "heatmap":
        return heatmap(target["refId"], found)
    return time_series(target["refId"], target["legendFormat"], found)
