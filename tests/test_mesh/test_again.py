# SPDX-License-Identifier: Apache-2.0
"""What ./mesh test makes of tests that fail: a few are run once more, and what passes then is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools.mesh import parts

TESTS = """
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(5))
def test_it(number):
    seen = Path(__file__).with_name(f"seen-{number}")
    first = not seen.exists()
    seen.touch()
    assert number >= BAD or (FLAKY and not first)
"""


def outcome(folder: Path, monkeypatch: pytest.MonkeyPatch, *, bad: int, flaky: bool) -> parts.Outcome:
    """Five tests, of which so many fail, always or only at first."""
    monkeypatch.setattr(parts, "RESULTS", folder / "results")
    (folder / "test_five.py").write_text(f"BAD, FLAKY = {bad}, {flaky}\n{TESTS}")
    (folder / "pytest.ini").write_text("[pytest]\n")
    settings = ["-c", str(folder / "pytest.ini"), "--rootdir", str(folder)]
    command = [sys.executable, "-P", "-m", "pytest", *settings, str(folder / "test_five.py"), "--junitxml"]
    again = ["--last-failed", "--last-failed-no-failures", "none"]
    return parts.judged_twice("five", command, again, r" in [\d.]+s")


def test_what_passes_when_run_again_is_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = outcome(tmp_path, monkeypatch, bad=2, flaky=True)
    assert found.ok
    flaky = [line for line in found.summary if line.startswith("FLAKY")]
    assert len(flaky) == 2 and "test_it[0]" in flaky[0] and "test_it[1]" in flaky[1]


def test_what_fails_again_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = outcome(tmp_path, monkeypatch, bad=1, flaky=False)
    assert not found.ok
    assert not any(line.startswith("FLAKY") for line in found.summary)


def test_many_failures_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = outcome(tmp_path, monkeypatch, bad=4, flaky=True)
    assert not found.ok
    assert not (tmp_path / "results/five-again.xml").exists()


def test_all_good_is_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = outcome(tmp_path, monkeypatch, bad=0, flaky=False)
    assert found.ok
    assert not (tmp_path / "results/five-again.xml").exists()
