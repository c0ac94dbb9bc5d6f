# SPDX-License-Identifier: Apache-2.0
"""What every dashboard has to keep to; `complaints()` says where one does not.

A panel has a title, a description, a unit that Grafana knows and a datasource by variable; panels lie side by side;
variables are there and used; links lead to headings that exist; targets are such as the plugins understand.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dashboards import prometheus_frames, redis_frames
from dashboards.model import BUILT_IN, PROMETHEUS, REDIS, Dashboard, Panel, formatted, texts_in, variables_in

DOCS = Path(__file__).resolve().parents[2] / "docs"
COLUMNS = 24
PANELS_MAX = 20
DESCRIPTION_MIN = 30
SCHEMA_MIN = 36
KEYS = ("{$stream}:", "tweetmesh:")  # what a Redis key begins with
OWN_COLUMNS = ("streamId", "time")  # the Redis plugin calls columns $streamId and $time
QUALITY = "{{quality}}"
TYPES = ("stat", "timeseries", "barchart", "bargauge", "piechart", "table", "heatmap")


@dataclass(frozen=True)
class Known:
    """What is to be had elsewhere."""

    units: Callable[[str], bool]
    transformations: frozenset[str]
    docs: Path = DOCS


def _slug(heading: str) -> str:
    """The anchor that a heading of Markdown gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _headings(page: Path) -> set[str]:
    return {_slug(line.lstrip("#")) for line in page.read_text().splitlines() if line.startswith("#")}


def _link(url: str, docs: Path) -> str | None:
    """What is wrong with a link into the documentation."""
    start = "${docs}/"
    if not url.startswith(start):
        return f"the link {url!r} does not begin with {start}"
    name, _, anchor = url.removeprefix(start).partition("#")
    if not (docs / name).is_file():
        return f"the link {url!r} leads to no page of docs/"
    if anchor and anchor not in _headings(docs / name):
        return f"the link {url!r} leads to no heading of docs/{name}"
    return None


# The dashboard as a whole.


def _head(board: Dashboard) -> Iterable[str]:
    for name in ("uid", "title", "description", "refresh", "time"):
        if not board.json.get(name):
            yield f"no {name}"
    if "tweetmesh" not in board.json.get("tags", []):
        yield "no tag tweetmesh"
    if board.json.get("id") is not None:
        yield "has an id, which belongs to one Grafana"
    if board.json.get("schemaVersion", 0) < SCHEMA_MIN:
        yield f"schemaVersion below {SCHEMA_MIN}"
    if len(board.panels) > PANELS_MAX:
        yield f"{len(board.panels)} panels, at most {PANELS_MAX}"


def _twice(what: str, values: Iterable[object]) -> Iterable[str]:
    seen = set()
    for value in values:
        if value in seen:
            yield f"{what} {value!r} twice"
        seen.add(value)


def _overlap(one: dict, other: dict) -> bool:
    apart = (
        one["x"] + one["w"] <= other["x"]
        or other["x"] + other["w"] <= one["x"]
        or one["y"] + one["h"] <= other["y"]
        or other["y"] + other["h"] <= one["y"]
    )
    return not apart


def _layout(board: Dashboard) -> Iterable[str]:
    panels = board.json["panels"]
    yield from _twice("panel id", (panel.get("id") for panel in panels))
    yield from _twice("title", (panel.get("title") for panel in panels))
    placed = []
    for panel in panels:
        place = panel.get("gridPos", {})
        sizes = [place.get(name) for name in "xywh"]
        whole = all(isinstance(size, int) for size in sizes)
        if not whole or place["x"] < 0 or place["y"] < 0 or place["w"] < 1 or place["h"] < 1:
            yield f"{panel.get('title')}: gridPos is not whole"
        elif place["x"] + place["w"] > COLUMNS:
            yield f"{panel.get('title')}: wider than {COLUMNS} columns"
        else:
            placed.append(panel)
    for one, other in itertools.combinations(placed, 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"{one.get('title')} and {other.get('title')} overlap"


def _variables(board: Dashboard) -> Iterable[str]:
    names = [variable["name"] for variable in board.variables]
    yield from _twice("variable", names)
    for variable in board.variables:
        if not variable.get("label"):
            yield f"variable {variable['name']}: no label"
        if variable["type"] == "query":
            yield from (f"variable {variable['name']}: {text}" for text in _source(variable, board))
        if variable.get("includeAll") and not variable.get("allValue"):
            yield f"variable {variable['name']}: All without allValue"
    outside = {key: value for key, value in board.json.items() if key != "description"}
    used = {name for text in texts_in(outside) for name in variables_in(text)}
    yield from (f"unknown variable {name}" for name in sorted(used - {*names, *BUILT_IN, *OWN_COLUMNS}))
    yield from (f"variable {name} is not used" for name in names if name not in used)


def _source(holder: dict, board: Dashboard) -> Iterable[str]:
    """The datasource of a panel, a target or a variable: by a datasource variable of its type."""
    source = holder.get("datasource") or {}
    found = re.fullmatch(r"\$\{(\w+)\}", str(source.get("uid", "")))
    kinds = {each["name"]: each["query"] for each in board.variables if each["type"] == "datasource"}
    if found is None:
        yield "its datasource is not a variable"
    elif found[1] not in kinds:
        yield f"unknown datasource variable {found[1]}"
    elif kinds[found[1]] != source.get("type"):
        yield f"datasource variable {found[1]} is of type {kinds[found[1]]}, not {source.get('type')}"


# Panels.


def _panel(panel: Panel, board: Dashboard, known: Known) -> Iterable[str]:
    json = panel.json
    if not json.get("title"):
        yield "no title"
    if len(json.get("description", "")) < DESCRIPTION_MIN or not json["description"].endswith("."):
        yield f"no description, which is a sentence of at least {DESCRIPTION_MIN} characters"
    if json["type"] not in TYPES:
        yield f"type {json['type']} is none of {', '.join(TYPES)}"
    yield from _units(json.get("fieldConfig", {}), known)
    yield from _source(json, board)
    if not json.get("targets"):
        yield "no target"
    yield from _twice("refId", (target.get("refId") for target in json.get("targets", [])))
    for target in json.get("targets", []):
        yield from (f"target {target.get('refId')}: {text}" for text in _target(target, json, board))
    for each in json.get("transformations", []):
        if each["id"] not in known.transformations:
            yield f"unknown transformation {each['id']}"
    for link in json.get("links", []):
        yield from filter(None, [_link(link.get("url", ""), known.docs)])


def _units(config: dict, known: Known) -> Iterable[str]:
    unit = config.get("defaults", {}).get("unit")
    if not unit:
        yield "no unit"
    overrides = [each for override in config.get("overrides", []) for each in override["properties"]]
    for each in [unit, *(each["value"] for each in overrides if each["id"] == "unit")]:
        if each and not known.units(each):
            yield f"unknown unit {each}"


def _target(target: dict, panel: dict, board: Dashboard) -> Iterable[str]:
    yield from _source(target, board)
    kind = target.get("datasource", {}).get("type")
    if kind != panel.get("datasource", {}).get("type"):
        yield "another datasource than its panel's"
    if kind == REDIS:
        yield from _redis_target(target)
    elif kind == PROMETHEUS:
        yield from _prometheus_target(target)
    else:
        yield f"a datasource of type {kind}"


def _redis_target(target: dict) -> Iterable[str]:
    command, key = target.get("command"), target.get("keyName", "")
    if target.get("type") != "command" or target.get("query"):
        yield "not of type command, or with a query, which would win over the command"
    if command not in redis_frames.COMMANDS:
        yield f"unknown command {command}"
    if not key.startswith(KEYS):
        yield f"key {key!r} begins with none of {', '.join(KEYS)}"
    if command in ("hget", "hmget") and not target.get("field"):
        yield f"{command} without field"
    if command in redis_frames.STREAM_COMMANDS and (target.get("start"), target.get("end")) != ("-", "+"):
        yield "start and end are not - and +: ids are seconds, the plugin's own range is in milliseconds"
    if target.get("streaming"):
        yield "streams; a dashboard refreshes"
    allowed = {name for name in redis_frames.TEMPLATED if target.get(name)}
    for name, text in target.items():
        if isinstance(text, str) and variables_in(text) and name not in allowed:
            yield f"the plugin does not replace variables in {name}"


def _prometheus_target(target: dict) -> Iterable[str]:
    form = target.get("format")
    if not target.get("expr"):
        yield "no expression"
    if form not in prometheus_frames.FORMATS:
        yield f"unknown format {form}"
    if form == "time_series" and not target.get("legendFormat"):
        yield "no legend"
    if bool(target.get("instant")) == bool(target.get("range")):
        yield "neither or both of instant and range"
    if form == "table" and not target.get("instant"):
        yield "a table of a range"


def _quality(panel: Panel) -> Iterable[str]:
    """In the dashboard of energy: every figure says how good it is."""
    for target in panel.targets:
        if target.get("format") == "table" and "quality" in target["expr"]:
            continue
        if QUALITY not in target.get("legendFormat", ""):
            yield f"target {target['refId']}: its quality is not shown"


def complaints(board: Dashboard, known: Known, text: str | None = None) -> list[str]:
    """text: the file, to be compared with how it should be written."""
    found = [*_head(board), *_layout(board), *_variables(board)]
    for panel in board.panels:
        of_panel = [*_panel(panel, board, known), *(_quality(panel) if board.name == "energy" else ())]
        found += [f"{panel.json.get('title')}: {each}" for each in of_panel]
    for link in board.json.get("links", []):
        if link["type"] == "link":
            found += filter(None, [_link(link["url"], known.docs)])
    if text is not None and text != formatted(board.json):
        found.append("not written as dashboards.model.formatted() does")
    return [f"{board.name}: {each}" for each in found]
