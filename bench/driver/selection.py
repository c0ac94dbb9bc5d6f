# SPDX-License-Identifier: Apache-2.0
"""Which rows are asked for."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from bench.driver.goals import IDS


class UnknownRow(Exception):
    pass


def selected(names: Iterable[str]) -> tuple[str, ...]:
    """The ids that are called so or match so, in the order of the table; all, where nothing is said."""
    patterns = [part.strip() for name in names for part in name.split(",") if part.strip()]
    if not patterns:
        return IDS
    chosen: set[str] = set()
    for pattern in patterns:
        found = [each for each in IDS if fnmatch.fnmatchcase(each.lower(), pattern.lower())]
        if not found:
            raise UnknownRow(f"no row is called {pattern}; there are {', '.join(IDS)}")
        chosen.update(found)
    return tuple(each for each in IDS if each in chosen)
