# SPDX-License-Identifier: Apache-2.0
"""Goal: the judge allows a program with sanitizers the memory that these take, from its first moment on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from support.tested import build_folder
from support.waiting import wait_for

from chaos.judge import resources
from chaos.judge.findings import Findings
from chaos.judge.halts import LOOK_S, Halts
from chaos.judge.protocol import Target
from chaos.judge.resources import Resources
from stack.process import poll_until

LOOKS = 8


@pytest.fixture
def launched() -> Iterator[subprocess.Popen]:
    """A shell that becomes mongo-sink, built with a sanitizer, once it is told to."""
    sink = build_folder() / "kafka-consumer/mongo-sink"
    process = subprocess.Popen(
        ["sh", "-c", f"read go; exec {sink} --port 0"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


@pytest.fixture
def looking(launched: subprocess.Popen, tmp_path: Path) -> Iterator[Resources]:
    """At that process, as if it were api."""
    state = tmp_path / "state.json"
    one = {"process": {"pid": launched.pid}, "ports": {"ops": 1}}
    state.write_text(json.dumps({"programs": ["api"], "components": {"api": one}}))
    target = Target(**{field.name: "" for field in fields(Target)} | {"state_file": str(state)})
    found = Resources(lambda: target, Halts())
    yield found
    found.close()


def resident_mib(looking: Resources) -> float:
    return looking.maxima().get("rss_mib_max_api", 0)


def test_a_process_that_was_just_made_is_not_taken_for_a_program_without_sanitizers(
    launched: subprocess.Popen, looking: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "RSS_MIB_MAX", 0.5)
    wait_for("it was looked at before it became its program", lambda: resident_mib(looking) > 0)
    launched.stdin.write(b"go\n")
    launched.stdin.flush()
    exe = Path(f"/proc/{launched.pid}/exe")
    wait_for("it is its program", lambda: exe.resolve().name == "mongo-sink")
    findings = Findings()
    looking.begin(findings)
    wait_for("it was looked at again", lambda: resident_mib(looking) > 0.5)
    for _ in poll_until(LOOKS * LOOK_S, LOOK_S):
        assert not findings.lines()
