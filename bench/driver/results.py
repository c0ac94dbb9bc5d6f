# SPDX-License-Identifier: Apache-2.0
"""RESULTS.md: the table, the machine, the versions, and the figures behind each row."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.driver import table
from bench.driver.goals import GOALS
from bench.driver.pace import Pace
from bench.driver.row import Row
from bench.driver.runner import Outcome, clock
from chaos.table import project_version, versions

LIBRARIES = ("libgrpc-dev", "libhiredis-dev", "libmicrohttpd-dev", "libmongoc-dev", "libprotobuf-c-dev")
LIBRARIES += ("librdkafka-dev", "libwebsockets-dev", "libyyjson-dev", "gcc", "redis-server", "default-jre-headless")


LEGEND = (
    "A figure is the median over the rounds, of the ratios of rounds that belong together where there is a baseline;",
    "*spread* is greatest minus least, as a share of the median. *Void*: it failed, or Kafka, Redis and the archive",
    "did not hold exactly the events of the row. Generator, broker and programs share the cores.",
)


def machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "CPU": found[1] if found else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / (1 << 30):.1f} GiB",
        "kernel": platform.release(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def libraries() -> dict[str, str]:
    """What Debian says is installed; "unknown" where it does not say."""
    asked = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *LIBRARIES]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    except OSError:
        told = ""
    known = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    return {name.removesuffix("-dev"): known.get(name) or "unknown" for name in LIBRARIES}


def _table_of(rows: Sequence[Row]) -> list[str]:
    lines = ["| id | figure | ours | baseline | value | goal | stretch | spread | verdict |"]
    lines.append("| --- | --- | --: | --: | --: | --: | --: | --: | --- |")
    for row in rows:
        verdict = f"void: {row.void or 'nothing was measured'}" if row.verdict == "VOID" else row.verdict
        lines.append(f"| {row.goal.id} | {row.goal.what} | " + " | ".join(table.cells(row)) + f" | {verdict} |")
    return lines


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _behind(rows: Sequence[Row]) -> list[str]:
    lines = []
    for row in rows:
        lines.append(f"- **{row.goal.name}**")
        lines += [f"  - {name}: {_text(value)}" for name, value in row.behind.items()]
        if len(row.values) > 1:
            lines.append(f"  - rounds: {', '.join(table.number(value) for value in row.values)}")
    return lines


def text(outcome: Outcome, pace: Pace, about: dict[str, str]) -> str:
    """about: what is known of the machine, as machine() and libraries() say."""
    rows = outcome.ordered()
    missing = [goal.name for goal in GOALS if goal.name not in {row.goal.name for row in rows}]
    moment = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    lines = [
        "What `./mesh bench` measured last.",
        "",
        f"{moment}, version {project_version()}, {pace.text}, {clock(outcome.total_s)} min.",
        "",
        *_table_of(rows),
        "",
        *LEGEND,
        *([f"Not measured: {', '.join(missing)}.", ""] if missing else [""]),
        "## Machine",
        "",
        *[f"- {name}: {value}" for name, value in about.items()],
        "",
        "## Behind the figures",
        "",
        *_behind(rows),
        "",
        "## Time taken, and the share of it that the host gave to others",
        "",
        *[f"- {ids}: {took:.0f} s, {100 * outcome.stolen[ids]:.1f} % stolen" for ids, took in outcome.seconds.items()],
        "",
    ]
    return "\n".join(lines)


def about() -> dict[str, str]:
    """The machine, as it is now, and the versions of what is not ours."""
    servers = versions()
    known = {"Kafka": servers["kafka"], "Redis": servers["redis"], "in MongoDB's place": servers["mongodb"]}
    return machine() | known | libraries()


def details(outcome: Outcome) -> str:
    """All there is, for who wants to compute with it."""
    rows = [
        row.as_dict()
        | {"name": row.goal.name, "stretch": row.goal.stretch, "verdict": row.verdict}
        | {"values": row.values, "ours": row.ours, "baseline": row.baseline, "unit": row.unit, "behind": row.behind}
        for row in outcome.ordered()
    ]
    document = {
        "rows": rows,
        "seconds": outcome.seconds,
        "stolen": outcome.stolen,
        "total_s": outcome.total_s,
        "whole": outcome.whole,
    }
    return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"
