# SPDX-License-Identifier: Apache-2.0
"""Executes the targets of panels as Grafana would, and has @grafana/data make of them what people see."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

import redis

from dashboards import grafana_data, prometheus_frames, redis_frames
from dashboards.model import PROMETHEUS, REDIS, Dashboard, Panel, interpolate
from dashboards.prometheus import INTERVAL_SECONDS

LABEL_VALUES = re.compile(r"label_values\((.+),\s*(\w+)\)")
RATE_INTERVAL = f"{4 * INTERVAL_SECONDS:g}s"  # what Grafana makes of four scrapes
STEPS_MAX = 300


@dataclass(frozen=True)
class Window:
    """The time that a dashboard shows; Unix seconds."""

    start: float
    end: float

    @property
    def step(self) -> float:
        return max(1.0, (self.end - self.start) // STEPS_MAX)

    @property
    def milliseconds(self) -> tuple[int, int]:
        return round(self.start * 1000), round(self.end * 1000)


class Backends(Protocol):
    """Who answers targets and variables."""

    def variable(self, variable: dict, values: dict[str, str]) -> str: ...

    def frames(self, panel: Panel, values: dict[str, str], window: Window) -> list[dict]: ...


def built_in(window: Window) -> dict[str, str]:
    start, end = window.milliseconds
    return {
        "__rate_interval": RATE_INTERVAL,
        "__interval": f"{window.step:g}s",
        "__range": f"{max(1, round(window.end - window.start))}s",
        "__from": str(start),
        "__to": str(end),
    }


@dataclass(frozen=True)
class Direct:
    """Redis and Prometheus themselves, their answers put into the frames of Grafana's plugins."""

    redis: redis.Redis
    prometheus: str  # URL

    def variable(self, variable: dict, values: dict[str, str]) -> str:
        """What the variable stands for when the dashboard is opened: all, its first value, or what is written."""
        if variable["type"] == "datasource":
            return variable["query"]
        if variable["type"] != "query":
            return variable["current"]["value"] if variable["type"] == "custom" else variable["query"]
        if variable.get("includeAll"):
            return variable["allValue"]
        query = interpolate(variable["query"], values)
        if variable["datasource"]["type"] == REDIS:
            found = redis_frames.variable_values(self.redis, query, variable["regex"])
        else:
            metric, label = LABEL_VALUES.fullmatch(query).groups()
            found = prometheus_frames.label_values(self.prometheus, metric, label)
        assert found, f"variable {variable['name']}: no values for {query}"
        return found[0]

    def frames(self, panel: Panel, values: dict[str, str], window: Window) -> list[dict]:
        found = []
        for target in panel.targets:
            found += (
                self._redis(target, values, window)
                if panel.kind == REDIS
                else self._prometheus(target, values, window, alone=len(panel.targets) == 1)
            )
        return found

    def _redis(self, target: dict, values: dict[str, str], window: Window) -> list[dict]:
        replaced = {name: interpolate(target[name], values) for name in redis_frames.TEMPLATED if target.get(name)}
        return redis_frames.execute(self.redis, target | replaced, *window.milliseconds)

    def _prometheus(self, target: dict, values: dict[str, str], window: Window, *, alone: bool) -> list[dict]:
        expression = interpolate(target["expr"], values)
        if target.get("instant"):
            found = prometheus_frames.query(self.prometheus, expression, window.end)
        else:
            found = prometheus_frames.query_range(self.prometheus, expression, window.start, window.end, window.step)
        return prometheus_frames.frames_of(target, found, alone)


@dataclass
class Run:
    """What a panel showed; error: why it showed nothing."""

    panel: Panel
    frames: list[dict] = field(default_factory=list)
    result: grafana_data.Result = field(default_factory=grafana_data.Result)
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.error


def variables_of(dashboard: Dashboard, backends: Backends, window: Window) -> dict[str, str]:
    values = built_in(window)
    for variable in dashboard.variables:  # one may use those before it
        values[variable["name"]] = backends.variable(variable, values)
    return values


def _execute(panel: Panel, backends: Backends, values: dict[str, str], window: Window) -> Run:
    assert panel.kind in (REDIS, PROMETHEUS), panel.kind
    try:
        frames = backends.frames(panel, values, window)
    except (redis.RedisError, prometheus_frames.QueryError, ValueError) as error:
        return Run(panel, error=f"{type(error).__name__}: {error}")
    missing = {target["refId"] for target in panel.targets} - {frame["schema"]["refId"] for frame in frames}
    error = f"no data for {', '.join(sorted(missing))}" if missing else ""
    return Run(panel, frames, error=error)


def run_dashboard(dashboard: Dashboard, backends: Backends, window: Window) -> list[Run]:
    """Every panel, in the order of the file."""
    values = variables_of(dashboard, backends, window)
    runs = [_execute(panel, backends, values, window) for panel in dashboard.panels]
    results = grafana_data.run(
        [
            {
                "frames": run.frames,
                "transformations": run.panel.transformations,
                "fieldConfig": run.panel.field_config,
                "reduceOptions": run.panel.reduce_options,
            }
            for run in runs
        ]
    )
    for run, result in zip(runs, results, strict=True):
        run.result = result
        run.error = run.error or result.error or ("" if result.has_data() else "no data after the transformations")
    return runs
