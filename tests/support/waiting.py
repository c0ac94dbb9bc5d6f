# SPDX-License-Identifier: Apache-2.0
"""Waiting by looking, never by sleeping for a guessed time."""

from __future__ import annotations

from collections.abc import Callable

from stack.process import poll_until


def wait_for[T](what: str, probe: Callable[[], T], seconds: float = 30, interval: float = 0.05) -> T:
    """Calls probe until it returns something true, which is returned; fails with the last answer."""
    last: object = None
    for _ in poll_until(seconds, interval):
        last = probe()
        if last:
            return last
    raise AssertionError(f"{what}: not within {seconds:g} s (last seen: {last!r})")
