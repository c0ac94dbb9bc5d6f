# SPDX-License-Identifier: Apache-2.0
"""The checks of our own, the cache, and the reading of test results."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import StackError, cache
from tools.mesh.rules import LINES_MAX, SPDX, complaints_about
from tools.mesh.parts import skipped_in

C_HEAD = f"/* {SPDX} */\n"


@pytest.mark.parametrize("line", ['char *a = "http://x";', "/* see http://x */", "/* a\n // b\n */", "char c = '/';"])
def test_slashes_in_text_are_no_comment(line: str) -> None:
    assert complaints_about(Path("a.c"), C_HEAD + line + "\n") == []


@pytest.mark.parametrize("line", ["// why", "int a; // why", 'char *a = "x"; // why'])
def test_line_comment_is_found(line: str) -> None:
    assert complaints_about(Path("a.c"), C_HEAD + line + "\n") == ["a.c:2: a // comment"]


def test_leftovers_length_and_licence_are_found() -> None:
    word = "TO" + "DO"
    assert complaints_about(Path("a.py"), f"# {SPDX}\n# {word}: later\n") == [f"a.py:2: {word} without an issue"]
    assert complaints_about(Path("a.py"), f"# {SPDX}\n# {word}(#12): later\n") == []
    assert "at most" in complaints_about(Path("a.py"), f"# {SPDX}\n" * (LINES_MAX + 1))[0]
    assert "licence" in complaints_about(Path("a.py"), "import os\n")[0]


def test_skipped_and_unrun_tests_are_counted(tmp_path: Path) -> None:
    results = tmp_path / "r.xml"
    results.write_text(
        '<testsuites><testsuite><testcase classname="a" name="good"/>'
        '<testcase classname="a" name="left"><skipped message="no broker"/></testcase>'
        '<testcase classname="a" name="out" status="notrun"/></testsuite></testsuites>'
    )
    assert skipped_in(results) == (3, ["a::left: no broker", "a::out: not run"])
    assert skipped_in(tmp_path / "none.xml") == (0, [])


def test_cache_keeps_only_what_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "RETRY_SECONDS", 0)
    calls = []

    def make(folder: Path, log: Path) -> None:
        assert list(folder.iterdir()) == []
        calls.append(folder)
        (folder / "thing").write_text("half")
        cache.run_step("a step", ["sh", "-c", f"echo said; exit {0 if len(calls) == 3 else 1}"], log=log)

    with pytest.raises(StackError, match="exit code 1") as failure:
        cache.cached("thing", make, what="a thing", attempts=2)
    assert str(tmp_path) in str(failure.value) and "said" in str(failure.value)
    assert not (tmp_path / "tweetmesh/thing").exists()
    assert cache.cached("thing", make, what="a thing") == tmp_path / "tweetmesh/thing"
    cache.cached("thing", make, what="a thing")
    assert len(calls) == 3
