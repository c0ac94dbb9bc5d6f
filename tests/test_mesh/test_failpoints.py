# SPDX-License-Identifier: Apache-2.0
"""Failpoints: the table and the places agree, and only preset chaos compiles them in."""

from __future__ import annotations

import json
import re
from collections import Counter

from stack.mesh import PROJECT
from tools.mesh.build import project_files

TABLE = PROJECT / "common/src/failpoint.c"
PLACE = re.compile(r'\bMESH_FAILPOINT\("([^"]*)"\)')


def names_in_table() -> list[str]:
    table = re.search(r"names\[\] = \{(.*?)\};", TABLE.read_text(), re.DOTALL)
    assert table, f"no table of names in {TABLE}"
    return re.findall(r'"([^"]+)"', table[1])


def test_every_name_is_one_place_and_every_place_has_its_name() -> None:
    sources = [path for path in project_files(".c", ".h") if path.parts[0] != "common" and "tests" not in path.parts]
    places = Counter(name for path in sources for name in PLACE.findall((PROJECT / path).read_text()))
    assert places == Counter(names_in_table())


def test_only_preset_chaos_compiles_them_in() -> None:
    presets = json.loads((PROJECT / "CMakePresets.json").read_text())["configurePresets"]
    with_them = [preset["name"] for preset in presets if "MESH_FAILPOINTS" in preset.get("cacheVariables", {})]
    assert with_them == ["chaos"]
    assert re.search(r"^option\(MESH_FAILPOINTS .* OFF\)$", (PROJECT / "cmake/Mesh.cmake").read_text(), re.MULTILINE)
