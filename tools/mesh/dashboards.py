# SPDX-License-Identifier: Apache-2.0
"""dashboards: executes every panel against a mesh of its own, and draws what it saw: docs/pictures/dashboard-*.png."""

from __future__ import annotations

import os
import subprocess
from argparse import Namespace

from stack.mesh import PROJECT
from stack.process import StackError, dying_with_us
from tools.mesh.build import build_quietly
from tools.mesh.venv import venv

SAVED = PROJECT / ".mesh/dashboards.json"
TESTS = ("test_panels.py", "test_truth.py")


def dashboards(arguments: Namespace) -> int:
    """The tests' exit code; pictures are drawn only of a run in which all is well."""
    if arguments.seconds < 10:
        raise StackError("--seconds is 10 at least: rates need some")
    python = str(venv() / "bin/python")
    env = os.environ | {
        "TWEETMESH_BUILD": str(build_quietly(arguments.preset)),
        "TWEETMESH_DASHBOARDS": str(SAVED),
        "TWEETMESH_DASHBOARDS_SECONDS": str(arguments.seconds),
        "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}",
    }
    options = [
        "-c",
        "tests/pytest.ini",
        "--rootdir",
        "tests",
        "-p",
        "no:cacheprovider",
        f"--timeout={arguments.seconds + 300}",
    ]
    tests = [f"tests/dashboards/{name}" for name in TESTS]
    code = subprocess.run(
        dying_with_us([python, "-m", "pytest", "-q", *options, *tests]), cwd=PROJECT, env=env, check=False
    ).returncode
    if code != 0:
        return code
    return subprocess.run(
        [python, "-m", "dashboards.draw", str(SAVED), str(arguments.pictures)], cwd=PROJECT, env=env, check=False
    ).returncode
