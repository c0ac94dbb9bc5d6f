# SPDX-License-Identifier: Apache-2.0
"""Helm's program, what it renders, and how to look at that."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from stack.mesh import PROJECT

CHART = PROJECT / "helm/tweetmesh"
EVERYTHING = PROJECT / "tests/deploy/everything.yaml"
# Every way in which the chart is meant to be installed: its value files, and what is set besides.
WAYS: dict[str, list[Path]] = {
    "defaults": [],
    "dev": [CHART / "values-dev.yaml"],
    "prod": [CHART / "values-prod.yaml"],
    "dev on GKE": [CHART / "values-dev.yaml", CHART / "values-gke.yaml"],
    "prod on GKE": [CHART / "values-prod.yaml", CHART / "values-gke.yaml"],
    "everything": [EVERYTHING],
}


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """As the Kubernetes API reads YAML: a date stays text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in Loader.yaml_implicit_resolvers.items()
}


class RenderError(Exception):
    """What Helm said on standard error."""


@dataclass
class Objects:
    """Rendered objects."""

    text: str
    items: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.items = [item for item in yaml.load_all(self.text, Loader) if item]

    def of(self, kind: str) -> list[dict]:
        return [item for item in self.items if item["kind"] == kind]

    def one(self, kind: str, name: str) -> dict:
        found = [item for item in self.of(kind) if item["metadata"]["name"] == name]
        assert len(found) == 1, (
            f"{len(found)} {kind} {name}; there are {[i['metadata']['name'] for i in self.of(kind)]}"
        )
        return found[0]

    def pods(self) -> dict[str, dict]:
        """The spec of each pod by the name of what makes it."""
        paths = {
            "Pod": ("spec",),
            "Deployment": ("spec", "template", "spec"),
            "StatefulSet": ("spec", "template", "spec"),
            "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
        }
        found = {}
        for kind, path in paths.items():
            for item in self.of(kind):
                spec = item
                for part in path:
                    spec = spec[part]
                found[f"{kind} {item['metadata']['name']}"] = spec
        return found


def containers(pod: dict) -> dict[str, dict]:
    """All containers of a pod by name, sidecars too."""
    return {one["name"]: one for one in [*pod.get("initContainers", []), *pod["containers"]]}


def environment(container: dict) -> dict[str, object]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


@dataclass(frozen=True)
class Helm:
    program: Path

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [str(self.program), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)

    def template(
        self, files: list[Path] | None = None, *more: str, release: str = "mesh1", chart: Path = CHART
    ) -> Objects:
        """The chart as it renders; RenderError if it does not. more: further arguments."""
        settings = [part for file in files or [] for part in ("-f", str(file))]
        done = self.run("template", release, chart, "-n", "project", *settings, *more)
        if done.returncode != 0:
            raise RenderError(done.stderr)
        return Objects(done.stdout)
