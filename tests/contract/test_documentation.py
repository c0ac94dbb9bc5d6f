# SPDX-License-Identifier: Apache-2.0
"""Goal: the documentation is true: settings, links, commands, names.

Method: compare docs/configuration.md with what the programs say; follow every link; look for what is named.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.streams import PROJECT

from stack.program import PROGRAMS
from tools import configuration

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
MESH_COMMAND = re.compile(r"\./mesh ([a-z]+)")
COLLECTION = "tweetmesh_snapshots"  # in MongoDB; begins as metrics do


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(PROJECT), "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [PROJECT / name for name in listed.stdout.splitlines() if (PROJECT / name).exists()]


def anchors(page: Path) -> set[str]:
    """The ids that headings get where Markdown is shown."""
    titles = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_configuration_is_what_the_programs_say(build: Path) -> None:
    written = (PROJECT / "docs/configuration.md").read_text()
    assert written == configuration.document(build), "run: ./mesh shell python3 tools/configuration.py"


def test_every_setting_explains_itself(build: Path) -> None:
    defaults: dict[str, tuple] = {}
    for program in configuration.PROGRAMS:
        options = configuration.options_of(build, program)
        names = [option["name"] for option in options]
        assert names == sorted(names), f"{program}: the table is not alphabetical"
        for option in options:
            assert re.fullmatch(r"[A-Z][A-Z0-9_]*", option["name"])
            assert option["help"].endswith("."), f"{program} {option['name']}: help is not a sentence"
            if option["name"] in ("STREAMS_DIR", "KAFKA_BROKERS", "REDIS_URL", "MONGODB_URI", "MONGODB_DATABASE"):
                known = defaults.setdefault(option["name"], (option["default"], option["type"]))
                assert known == (option["default"], option["type"]), f"{option['name']} differs between programs"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        aim = (page.parent / name).resolve() if name else page
        assert aim.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(aim), f"{target}: no such heading"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(PROJECT)))
def test_mesh_commands_exist(page: Path) -> None:
    known = subprocess.run(
        ["python3", "-m", "tools.mesh", "--help"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    for command in set(MESH_COMMAND.findall(page.read_text())):
        assert re.search(rf"^ +{command}\b", known, re.MULTILINE), f"./mesh {command} is not a subcommand"


def test_metrics_that_operations_names_exist(make_mesh) -> None:
    text = (PROJECT / "docs/operations.md").read_text()
    named = set(re.findall(r"tweetmesh_[a-z0-9_]+", text)) - {COLLECTION}
    assert named, "operations.md names no metric"
    mesh = make_mesh()
    served = "".join(mesh[name].get("/metrics")[1] for name in PROGRAMS)
    families = set(re.findall(r"^# TYPE (\S+)", served, re.MULTILINE))
    missing = sorted(name for name in named if name not in families)
    assert not missing, f"operations.md names metrics that no program has: {missing}"


def test_every_program_has_a_page_whose_first_line_says_what_it_is() -> None:
    for program in (*configuration.PROGRAMS, "common", "proto", "stack", "streams", "locust", "tests", "docs"):
        first = next(line for line in (PROJECT / program / "README.md").read_text().splitlines() if line.strip())
        assert first.rstrip().endswith((".", ":")) or first.startswith("# "), f"{program}/README.md: {first}"
