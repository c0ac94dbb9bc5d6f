# SPDX-License-Identifier: Apache-2.0
"""The dashboards keep to the linter's rules; and the linter sees what breaks them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards import grafana_data
from dashboards.lint import Known, complaints
from dashboards.model import FOLDER, NAMES, Dashboard, all_dashboards, formatted, load

Change = Callable[[dict], object]


def _units_of(boards: list[Dashboard]) -> list[str]:
    configs = [panel.field_config for board in boards for panel in board.panels]
    properties = [each for config in configs for override in config["overrides"] for each in override["properties"]]
    return [
        *(config["defaults"]["unit"] for config in configs if "unit" in config["defaults"]),
        *(each["value"] for each in properties if each["id"] == "unit"),
    ]


@pytest.fixture(scope="module")
def known() -> Known:
    units, transformations = grafana_data.known([*_units_of(all_dashboards()), "furlongs"])
    return Known(lambda unit: units.get(unit, False), frozenset(transformations))


@pytest.mark.parametrize("name", NAMES)
def test_dashboard_is_clean(name: str, known: Known) -> None:
    path = FOLDER / f"{name}.json"
    assert complaints(load(path), known, path.read_text()) == []


def test_all_files_are_named_and_none_shares_a_uid() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(NAMES)
    assert len({board.json["uid"] for board in all_dashboards()}) == len(NAMES)


def _first(board: dict, kind: str = "") -> dict:
    return next(panel for panel in board["panels"] if panel["type"] != "row" and kind in ("", panel["type"]))


def _redis(board: dict, command: str) -> dict:
    return next(
        target for panel in board["panels"] for target in panel.get("targets", []) if target.get("command") == command
    )


def _drop(node: dict, name: str) -> None:
    del node[name]


def _override(panel: dict) -> None:
    unit = {"id": "unit", "value": "furlongs"}
    panel["fieldConfig"]["overrides"].append({"matcher": {"id": "byName", "options": "x"}, "properties": [unit]})


BROKEN: list[tuple[str, str, Change, str]] = [
    ("tweets", "no uid", lambda b: b.update(uid=""), "no uid"),
    ("tweets", "no tag", lambda b: b.update(tags=[]), "no tag"),
    ("tweets", "an id", lambda b: b.update(id=7), "has an id"),
    ("tweets", "old schema", lambda b: b.update(schemaVersion=16), "schemaVersion"),
    ("tweets", "no refresh", lambda b: b.update(refresh=""), "no refresh"),
    ("mesh", "too many panels", lambda b: b["panels"].append(_first(b) | {"id": 99, "title": "y"}), "21 panels"),
    ("tweets", "no title", lambda b: _first(b).update(title=""), "no title"),
    ("tweets", "no description", lambda b: _drop(_first(b), "description"), "no description"),
    ("tweets", "short description", lambda b: _first(b).update(description="A number."), "no description"),
    ("tweets", "no unit", lambda b: _drop(_first(b)["fieldConfig"]["defaults"], "unit"), "no unit"),
    ("tweets", "unknown unit", lambda b: _first(b)["fieldConfig"]["defaults"].update(unit="furlongs"), "unknown unit"),
    ("tweets", "unknown unit in an override", lambda b: _override(_first(b)), "unknown unit furlongs"),
    ("tweets", "unknown type", lambda b: _first(b).update(type="graph"), "type graph is none of"),
    ("tweets", "ids twice", lambda b: b["panels"][1].update(id=b["panels"][0]["id"]), "panel id 1 twice"),
    ("tweets", "titles twice", lambda b: b["panels"][1].update(title=b["panels"][0]["title"]), "title 'Events' twice"),
    ("tweets", "overlap", lambda b: b["panels"][1]["gridPos"].update(x=3), "Events and Archived and checked overlap"),
    ("tweets", "too wide", lambda b: b["panels"][5]["gridPos"].update(w=9), "wider than 24"),
    ("tweets", "no place", lambda b: _drop(_first(b), "gridPos"), "gridPos is not whole"),
    ("tweets", "unknown datasource", lambda b: _first(b)["datasource"].update(uid="${r}"), "datasource variable r"),
    ("tweets", "fixed datasource", lambda b: _first(b)["datasource"].update(uid="abc"), "is not a variable"),
    ("tweets", "wrong datasource", lambda b: _first(b)["datasource"].update(type="prometheus"), "not prometheus"),
    ("tweets", "mixed", lambda b: _first(b)["targets"][0]["datasource"].update(type="x"), "another datasource"),
    ("tweets", "unknown variable", lambda b: _first(b)["targets"][0].update(keyName="{$s}:t"), "unknown variable s"),
    ("tweets", "unused variable", lambda b: b["templating"]["list"].append(
        {"name": "more", "label": "More", "type": "textbox", "query": ""}), "variable more is not used"),
    ("tweets", "variable twice", lambda b: b["templating"]["list"].append(b["templating"]["list"][0]), "'redis' twice"),
    ("tweets", "no label", lambda b: b["templating"]["list"][1].update(label=""), "variable stream: no label"),
    ("mesh", "All of what", lambda b: b["templating"]["list"][1].update(allValue=""), "All without allValue"),
    ("tweets", "no target", lambda b: _first(b).update(targets=[]), "no target"),
    ("tweets", "refId twice", lambda b: _first(b)["targets"].append(_first(b)["targets"][0]), "refId 'A' twice"),
    ("tweets", "unknown command", lambda b: _redis(b, "hlen").update(command="keys"), "unknown command keys"),
    ("tweets", "a query", lambda b: _redis(b, "hlen").update(query="KEYS *"), "with a query"),
    ("tweets", "a foreign key", lambda b: _redis(b, "hlen").update(keyName="session:7"), "begins with none of"),
    ("tweets", "hget of nothing", lambda b: _drop(_redis(b, "hget"), "field"), "hget without field"),
    ("tweets", "streaming", lambda b: _redis(b, "hgetall").update(streaming=True), "a dashboard refreshes"),
    ("tweets", "the plugin's range", lambda b: _redis(b, "xrevrange").update(start=""), "ids are seconds"),
    ("tweets", "a variable in start", lambda b: _redis(b, "xrevrange").update(start="$stream"), "variables in start"),
    ("tweets", "unknown transformation", lambda b: _first(b).update(
        transformations=[{"id": "extractFields", "options": {}}]), "unknown transformation extractFields"),
    ("mesh", "no expression", lambda b: _first(b)["targets"][0].update(expr=""), "no expression"),
    ("mesh", "no legend", lambda b: _first(b)["targets"][0].update(legendFormat=""), "no legend"),
    ("mesh", "unknown format", lambda b: _first(b)["targets"][0].update(format="logs"), "unknown format logs"),
    ("mesh", "instant and range", lambda b: _first(b)["targets"][0].update(instant=True), "neither or both"),
    ("energy", "a table of a range", lambda b: _first(b, "table")["targets"][0].update(
        instant=False, range=True), "a table of a range"),
    ("energy", "no quality", lambda b: _first(b)["targets"][0].update(legendFormat="all"), "quality is not shown"),
    ("mesh", "a link elsewhere", lambda b: _first(b)["links"][0].update(url="https://x.org"), "does not begin with"),
    ("mesh", "a link to no page", lambda b: _first(b)["links"][0].update(url="${docs}/no.md"), "to no page"),
    ("mesh", "a link to no heading", lambda b: _first(b)["links"][0].update(
        url="${docs}/operations.md#nowhere"), "to no heading"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "what", "change", "expected"), BROKEN, ids=[what for _, what, *_ in BROKEN])
def test_linter_sees(name: str, what: str, change: Change, expected: str, known: Known) -> None:
    content = copy.deepcopy(load(FOLDER / f"{name}.json").json)
    change(content)
    found = complaints(Dashboard(name, content), known)
    assert any(expected in complaint for complaint in found), found


def test_linter_sees_how_a_file_is_written(tmp_path: Path, known: Known) -> None:
    board = load(FOLDER / "tweets.json")
    compact = formatted(board.json).replace("  ", " ")
    assert any("not written as" in complaint for complaint in complaints(board, known, compact))
