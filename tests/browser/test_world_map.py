# SPDX-License-Identifier: Apache-2.0
"""Goal: the outlines are those of the pinned package, whole, small, and under the names that are counted.

Method: made anew from npm and compared byte by byte; looked through as text.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.streams import PROJECT

WORLD = PROJECT / "ws-redis/page/world.js"
BYTES_MAX = 60_000


def test_it_is_what_the_tool_makes_of_the_package(tmp_path: Path) -> None:
    made = tmp_path / "world.js"
    command = [sys.executable, str(PROJECT / "tools/world_map.py"), str(made)]
    subprocess.run(command, check=True, timeout=240)
    assert made.read_text() == WORLD.read_text(), "run tools/world_map.py"


def test_another_package_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "world-atlas-2.0.2.tgz"
    package.write_bytes(b"not the package")
    command = [sys.executable, str(PROJECT / "tools/world_map.py"), "--package", str(package), str(tmp_path / "x.js")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "is not world-atlas" in done.stderr
    assert not (tmp_path / "x.js").exists()


def test_its_names_are_those_that_are_counted() -> None:
    text = WORLD.read_text()
    assert len(text.encode()) <= BYTES_MAX
    head = text[: text.index("export")]
    for word in ("Natural Earth", "public domain", "world-atlas 2.0.2", "sha512-"):
        assert word in head
    names = re.findall(r'^"((?:[^"\\]|\\.)+)":', text, re.MULTILINE)
    script = PROJECT / "common/src/country_table.py"
    known = subprocess.run([sys.executable, str(script), "--names"], check=True, capture_output=True, timeout=120)
    counted = {line.split("\t")[1] for line in known.stdout.decode().splitlines()}
    assert len(set(names)) > 220
    assert set(names) <= counted, set(names) - counted
    paths = re.findall(r'"(M\d[^"]*)"', text)
    assert all(re.fullmatch(r"(M\d+ \d+l(-?\d+ ?-?\d+ ?)+z)+", path) for path in paths)
