# SPDX-License-Identifier: Apache-2.0
"""Goal: the page that `./mesh demo` names is there, is live, and shows what the demo's audit found.

Method: the real command, as a person starts it, with few tweets; its output is read for the address.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.streams import PROJECT
from support.tested import build_folder
from support.waiting import wait_for

REQUESTS = 300


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """The demo's output and figures."""
    out, figures = tmp_path / "demo.txt", tmp_path / "demo.json"
    command = [sys.executable, "-P", "-m", "tools.mesh", "demo", "--name", "browser-test"]
    command += ["--requests", str(REQUESTS), "--users", "3", "--json", str(figures)]
    env = {**os.environ, "TWEETMESH_BUILD": str(build_folder()), "PYTHONPATH": str(PROJECT)}
    with out.open("w") as file:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        wait_for("the demo's end", lambda: process.poll() is not None or "live page" in out.read_text(), 280, 0.5)
        assert process.poll() is None, out.read_text()
        yield out, figures
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.mark.timeout(420)
def test_the_page_that_the_demo_names_shows_what_it_counted(demo: tuple[Path, Path], open_page) -> None:
    out, figures = demo
    address = re.search(r"live page\s+(http://\S+)", out.read_text())
    assert address, out.read_text()
    audit = json.loads(figures.read_text())["audit"]["streams"]["tweets"]
    page = open_page(address[1])
    page.wait_status("Live")
    wait_for("the total", lambda: page.number("tweets", "total") == audit["redis"])
    assert audit["redis"] == REQUESTS
    assert sum(page.groups("tweets").values()) == REQUESTS
    wait_for("exact", lambda: page.badge("tweets") == "exact", 60)
