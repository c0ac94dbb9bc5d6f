# SPDX-License-Identifier: Apache-2.0
"""An alert that is raised beside the fault run, where none of our programs is watched."""

from __future__ import annotations

from collections.abc import Callable

from prometheus import Watch
from rulefiles import ALERTS, LONGEST_S, RECORDING, with_shorter_times
from support.waiting import wait_for
from table import TABLE, Row

from stack.process import poll_until

RAISED_S = 60
CLEARED_S = 60
ALWAYS = {"ProgramAbsent"}


def shorter_rules() -> dict[str, str]:
    """The rule files with the times of a fault run, by name."""
    return {file.name: with_shorter_times(file.read_text()) for file in (RECORDING, ALERTS)}


def expect_quiet(prometheus: Watch) -> None:
    """Nothing fires, for as long as the longest window is."""
    for _ in poll_until(LONGEST_S, 0.3):
        assert set(prometheus.firing()) <= ALWAYS


def raised_and_cleared(
    prometheus: Watch, alert: str, fault: str, act: Callable[[], object], heal: Callable[[], object]
) -> dict:
    """act() must raise the alert and no other, heal() end it. Returns the alert."""
    seen: set[str] = set()

    def look() -> dict[str, dict]:
        firing = prometheus.firing()
        seen.update(firing)
        return firing

    assert set(look()) == ALWAYS
    row = Row(fault, {alert}, ALWAYS, seen)
    TABLE.append(row)
    act()
    try:
        raised = wait_for(f"{alert} fires", lambda: look().get(alert), RAISED_S, 0.3)
    finally:
        heal()
    for left in poll_until(CLEARED_S, 0.3):
        if alert not in look():
            row.cleared_s = CLEARED_S - left
            break
    assert row.cleared_s is not None, f"{alert} still fires"
    assert seen == ALWAYS | {alert}
    assert not prometheus.rule_errors()
    return raised
