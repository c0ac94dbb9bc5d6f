# SPDX-License-Identifier: Apache-2.0
"""The judge: a process of its own that sends, remembers every answer, and compares with what was stored."""

import sys
from pathlib import Path

# What tests and judge share (clients of the entrances, the table of countries) is tests/support.
_TESTS = str(Path(__file__).resolve().parents[2] / "tests")
if _TESTS not in sys.path:
    sys.path.append(_TESTS)
