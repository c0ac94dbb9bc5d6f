# SPDX-License-Identifier: Apache-2.0
"""A real Grafana, if there is one: GRAFANA_URL, and GRAFANA_TOKEN of a service account that may query."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import requests

from dashboards.execute import LABEL_VALUES, Window
from dashboards.model import PROMETHEUS, REDIS, Panel, interpolate
from dashboards.redis_frames import TEMPLATED

# What is asked about where GRAFANA_STREAM and GRAFANA_COUNT_BY say nothing else.
USUAL = {"stream": "tweets", "count_by": "country"}
NAMES = {REDIS: os.environ.get("GRAFANA_REDIS"), PROMETHEUS: os.environ.get("GRAFANA_PROMETHEUS")}


@dataclass
class Grafana:
    """Frames come from /api/ds/query; datasources are the first of their type, or those that GRAFANA_REDIS and
    GRAFANA_PROMETHEUS name (their uid)."""

    url: str
    token: str
    uids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        listed = self._ask("GET", "/api/datasources")
        for kind, wanted in NAMES.items():
            found = [each["uid"] for each in listed if each["type"] == kind and wanted in (None, each["uid"])]
            if not found:
                raise ValueError(f"Grafana has no datasource of type {kind}")
            self.uids[kind] = found[0]

    def _ask(self, method: str, path: str, body: dict | None = None, **parameters: str) -> dict | list:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = requests.request(
            method, self.url.rstrip("/") + path, json=body, params=parameters, headers=headers, timeout=60
        )
        if not answer.ok:
            raise ValueError(f"Grafana: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def variable(self, variable: dict, values: dict[str, str]) -> str:
        if variable["type"] == "datasource":
            return self.uids[variable["query"]]
        if variable["type"] != "query":
            return variable["current"]["value"]
        if variable.get("includeAll"):
            return variable["allValue"]
        query = interpolate(variable["query"], values)
        if variable["datasource"]["type"] == PROMETHEUS:
            metric, label = LABEL_VALUES.fullmatch(query).groups()
            path = f"/api/datasources/uid/{self.uids[PROMETHEUS]}/resources/api/v1/label/{label}/values"
            return self._ask("GET", path, **{"match[]": metric})["data"][0]
        name = variable["name"]
        return os.environ.get(f"GRAFANA_{name.upper()}", USUAL[name])

    def frames(self, panel: Panel, values: dict[str, str], window: Window) -> list[dict]:
        """As in a browser: variables are replaced here, everything else is done by Grafana's server."""
        start, end = window.milliseconds
        queries = []
        for target in panel.targets:
            names = TEMPLATED if panel.kind == REDIS else ("expr",)
            replaced = {name: interpolate(target[name], values) for name in names if target.get(name)}
            source = {"type": panel.kind, "uid": self.uids[panel.kind]}
            timing = {"intervalMs": round(window.step * 1000), "maxDataPoints": 300}
            queries.append(target | replaced | timing | {"datasource": source})
        body = {"queries": queries, "from": str(start), "to": str(end)}
        found = []
        for ref, result in self._ask("POST", "/api/ds/query", body)["results"].items():
            if "error" in result:
                raise ValueError(f"{ref}: {result['error']}")
            for frame in result["frames"]:
                frame["schema"]["refId"] = ref
                found.append(frame)
        return found


def from_environment() -> Grafana | None:
    url = os.environ.get("GRAFANA_URL")
    return Grafana(url, os.environ.get("GRAFANA_TOKEN", "")) if url else None
