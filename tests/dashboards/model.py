# SPDX-License-Identifier: Apache-2.0
"""Dashboards as they lie in helm/tweetmesh/dashboards: panels, targets, variables and what they stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "helm/tweetmesh/dashboards"
NAMES = ("tweets", "mesh", "energy")
REDIS, PROMETHEUS = "redis-datasource", "prometheus"
# $name, ${name}, ${name:format} and [[name]], as Grafana's templates have them; $1 is a group of a regular expression.
VARIABLE = re.compile(r"\$([A-Za-z_]\w*)|\$\{(\w+)(?::[^}]*)?\}|\[\[(\w+)\]\]")
BUILT_IN = ("__rate_interval", "__interval", "__range", "__from", "__to")


class UnknownVariable(Exception):
    """A text names a variable that the dashboard does not have."""


def variables_in(text: str) -> list[str]:
    return [next(filter(None, found.groups())) for found in VARIABLE.finditer(text)]


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Grafana leaves an unknown variable as it is; here it is an error."""

    def value(found: re.Match[str]) -> str:
        name = next(filter(None, found.groups()))
        if name not in values:
            raise UnknownVariable(name)
        return values[name]

    return VARIABLE.sub(value, text)


def texts_in(node: object) -> Iterator[str]:
    """All strings below a node of the JSON."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for each in node.values():
            yield from texts_in(each)
    elif isinstance(node, list):
        for each in node:
            yield from texts_in(each)


@dataclass(frozen=True)
class Panel:
    """A panel that shows data; json is all of it."""

    dashboard: str  # file name without .json
    json: dict

    @property
    def title(self) -> str:
        return self.json["title"]

    @property
    def type(self) -> str:
        return self.json["type"]

    @property
    def key(self) -> str:
        return f"{self.dashboard}: {self.title}"

    @property
    def kind(self) -> str:
        """The type of its datasource."""
        return self.json["datasource"]["type"]

    @property
    def targets(self) -> list[dict]:
        return [target for target in self.json["targets"] if not target.get("hide")]

    @property
    def transformations(self) -> list[dict]:
        return self.json.get("transformations", [])

    @property
    def field_config(self) -> dict:
        return self.json["fieldConfig"]

    @property
    def reduce_options(self) -> dict | None:
        """How it makes single values of its frames; None for panels that show them whole."""
        return self.json.get("options", {}).get("reduceOptions")


@dataclass(frozen=True)
class Dashboard:
    name: str
    json: dict

    @property
    def panels(self) -> list[Panel]:
        """Without rows and texts."""
        return [Panel(self.name, panel) for panel in self.json["panels"] if panel["type"] not in ("row", "text")]

    @property
    def variables(self) -> list[dict]:
        return self.json["templating"]["list"]


def load(path: Path) -> Dashboard:
    return Dashboard(path.stem, json.loads(path.read_text()))


def all_dashboards() -> list[Dashboard]:
    return [load(FOLDER / f"{name}.json") for name in NAMES]


def formatted(content: dict) -> str:
    """How the files are written, so that a change shows as what it is."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
