# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the chart's tests: Helm, rendered objects, and what they are compared with."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from deploy.rendering import Helm
from deploy.schemas import Schemas

from stack import kube_tools
from stack.crds import crds

COUNTS: Counter[str] = Counter()


@pytest.fixture(scope="session", params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Helm:
    """Each test runs with both."""
    return Helm(getattr(kube_tools, request.param)())


@pytest.fixture(scope="session")
def helm_one() -> Helm:
    """For tests in which they cannot differ."""
    return Helm(kube_tools.helm4())


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Schemas:
    return Schemas(tmp_path_factory.mktemp("schemas"), crds())


@pytest.fixture(scope="session")
def crd_folder() -> Path:
    return crds()


@pytest.fixture(scope="session")
def counts() -> Counter[str]:
    """What the summary says was looked at: counts["objects valid"] += 1."""
    return COUNTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """./mesh test shows this line in its summary."""
    if COUNTS:
        terminalreporter.write_line("counted: " + ", ".join(f"{COUNTS[name]:,} {name}" for name in sorted(COUNTS)))
