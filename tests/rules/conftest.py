# SPDX-License-Identifier: Apache-2.0
"""The table of the fault run, at the end."""

from __future__ import annotations

import pytest
import table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in table.lines():
        terminalreporter.write_line(line)
