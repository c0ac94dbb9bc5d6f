# SPDX-License-Identifier: Apache-2.0
"""Goal: what was compiled and checked in one checkout counts in another, and only for the same code.

Method: the key of clang-tidy's cache over two small trees; two compilations by the launcher that ./mesh gives CMake.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from stack.mesh import PROJECT
from tools.mesh import build, checks

SOURCE = (
    '#include "src/x.h"\n#include <assert.h>\nint main(int count, char **_) { assert(count < X && _); return 0; }\n'
)


@pytest.fixture(params=["first", "second"])
def trees(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Two checkouts of the same code, the one or the other first."""
    found = []
    for name in ("first", "second-and-longer"):
        tree = tmp_path / name
        (tree / "src").mkdir(parents=True)
        (tree / "src/x.c").write_text(SOURCE)
        (tree / "src/x.h").write_text("#define X 100\n")
        (tree / ".clang-tidy").write_text("Checks: bugprone-*\n")
        found.append(tree)
    return (found[0], found[1]) if request.param == "first" else (found[1], found[0])


def key(tree: Path, monkeypatch: pytest.MonkeyPatch, *, tool: str = "clang-tidy 19", header: str = "x.h") -> str:
    monkeypatch.setattr(checks, "PROJECT", tree)
    unit = {"command": f"clang -I{tree}/src -o x.o -c {tree}/src/x.c", "file": f"{tree}/src/x.c"}
    return checks._tidy_key(unit, [tree / "src/x.c", tree / "src" / header], tool)


def test_the_key_of_a_check_does_not_depend_on_the_folder(
    trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert key(trees[0], monkeypatch) == key(trees[1], monkeypatch)


@pytest.mark.parametrize("changed", ["src/x.c", "src/x.h", ".clang-tidy", "name", "tool"])
def test_it_depends_on_all_else(changed: str, trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    before, tree = key(trees[0], monkeypatch), trees[1]
    tool, header = "clang-tidy 19", "x.h"
    if changed == "name":
        header = "z.h"
        (tree / "src/x.h").rename(tree / "src/z.h")
    elif changed == "tool":
        tool = "clang-tidy 20"
    else:
        (tree / changed).write_text((tree / changed).read_text() + "\n")
    assert key(tree, monkeypatch, tool=tool, header=header) != before


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_second_checkout_gets_the_objects_of_the_first(
    compiler: str, trees: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache")
    objects = []
    for tree in trees:
        monkeypatch.setattr(build, "PROJECT", tree)
        folder = tree / "build"
        folder.mkdir()
        words = ["-O1", "-g", f"-ffile-prefix-map={tree}=.", f"-I{tree}", "-o", "x.o", "-c", f"{tree}/src/x.c"]
        subprocess.run([*build.launcher().split(";"), compiler, *words], cwd=folder, check=True, timeout=60)
        objects.append((folder / "x.o").read_bytes())
    assert objects[0] == objects[1] and str(tmp_path).encode() not in objects[0]
    asked = ["ccache", f"--dir={tmp_path}/cache/ccache", "--print-stats"]
    stats = dict(
        re.findall(r"^(\w+)\t(\d+)$", subprocess.run(asked, capture_output=True, text=True, check=True).stdout, re.M)
    )
    assert stats["cache_miss"] == "1" and int(stats["direct_cache_hit"]) == 1, stats


def test_only_mesh_compiles_by_a_cache() -> None:
    assert f"-DCMAKE_C_COMPILER_LAUNCHER={build.launcher()}" in build.build_commands("dev")[0]
    for name in ("CMakePresets.json", "Dockerfile", "docker-bake.hcl"):
        assert "LAUNCHER" not in (PROJECT / name).read_text() and "ccache" not in (PROJECT / name).read_text()
    needed = re.search(r"^# to build.*?(?=^# to check)", (PROJECT / "packages.txt").read_text(), re.M | re.S)
    assert "ccache" not in needed[0]
