# SPDX-License-Identifier: Apache-2.0
"""What became of each row: as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from chaos.judge.protocol import Verdict
from stack.go_tools import FERRETDB
from stack.mesh import PROJECT
from stack.mongo import real_mongod

NAME_WIDTH = 34
NOTES_SHOWN = 40  # lines of a row's notes on the terminal; JSON has all
_COLUMNS = ("struck", "acked", "lost", "doubled", "counter error", "first 2xx s", "exact s")


@dataclass
class Row:
    """One fault (or one round of a random run) and what was found."""

    fault: str
    verdict: Verdict
    violations: list[str] = field(default_factory=list)  # the judge's, the supervisor's, the fault's own
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    logs: Path | None = None  # kept, because it failed
    spoiled: bool = False  # the mesh is not as it should be any more; the next row wants another one

    @property
    def ok(self) -> bool:
        return not self.violations and self.verdict.ok

    @property
    def word(self) -> str:
        if self.violations or self.verdict.violations:
            return "FAILED"
        return "void" if self.verdict.void else "ok"

    def as_dict(self) -> dict:
        verdict = self.verdict
        return {
            "fault": self.fault,
            "struck": verdict.struck,
            "acked": verdict.acked,
            "lost": verdict.lost,
            "doubled": verdict.doubled,
            "counter_error": verdict.counter_error,
            "first_ack_s": verdict.first_ack_s,
            "exact_s": verdict.exact_s,
            "ok": self.ok,
            "void": verdict.void,
            "violations": self.violations,
            "notes": self.notes,
            "figures": verdict.figures,
            "seconds": round(self.seconds, 1),
        }


def heading() -> str:
    return f"{'fault':<{NAME_WIDTH}}" + "".join(f"  {column}" for column in _COLUMNS) + "  verdict"


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def line(row: Row) -> str:
    verdict = row.verdict
    cells = [f"{verdict.struck:,}", f"{verdict.acked:,}", str(verdict.lost), str(verdict.doubled)]
    cells += [str(verdict.counter_error), _time(verdict.first_ack_s), _time(verdict.exact_s)]
    aligned = "".join(f"  {cell:>{len(column)}}" for cell, column in zip(cells, _COLUMNS, strict=True))
    return f"{row.fault:<{NAME_WIDTH}}{aligned}  {row.word}"


def remarks(row: Row) -> list[str]:
    """What is said below a row: violations, then notes, then where its logs are."""
    notes = [text for note in row.notes for text in note.splitlines()]
    if len(notes) > NOTES_SHOWN:
        notes = [*notes[:NOTES_SHOWN], f"… and {len(notes) - NOTES_SHOWN} lines more (--json has them)"]
    lines = [f"    ! {violation}" for violation in row.violations] + [f"    - {note}" for note in notes]
    return lines + ([f"    - logs: {row.logs}"] if row.logs else [])


def is_ok(rows: list[Row]) -> bool:
    return bool(rows) and all(row.ok for row in rows)


def whole(rows: list[Row]) -> list[str]:
    """The table, and under it what all rows come to."""
    verdicts = [row.verdict for row in rows]
    first = [verdict.first_ack_s for verdict in verdicts if verdict.first_ack_s is not None]
    exact = [verdict.exact_s for verdict in verdicts if verdict.exact_s is not None]
    bad = [row.fault for row in rows if not row.ok]
    struck, acked = (sum(getattr(verdict, name) for verdict in verdicts) for name in ("struck", "acked"))
    return [
        heading(),
        *map(line, rows),
        "",
        f"  {len(rows)} rows, {struck:,} strikes, {acked:,} events acknowledged",
        f"  first 2xx after healing: {_percentiles(first)}",
        f"  exact after healing:     {_percentiles(exact)}",
        f"  not ok: {', '.join(bad)}" if bad else "  all rows are ok" if rows else "  nothing ran",
    ]


def _percentiles(values: list[float]) -> str:
    if not values:
        return "-"
    values = sorted(values)
    middle, high = (values[min(len(values) - 1, int(share * len(values)))] for share in (0.5, 0.99))
    return f"p50 {middle:.2f} s, p99 {high:.2f} s, most {values[-1]:.2f} s"


def machine() -> dict:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpus": os.cpu_count(), "memory_mib": memory >> 20, "kernel": platform.release()}


def versions() -> dict:
    """Of what is not ours."""
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=False).stdout
    pom = (PROJECT / "stack/kafka-pom.xml").read_text()
    return {
        "kafka": kafka[1] if (kafka := re.search(r"<kafka.version>(.*)<", pom)) else "unknown",
        "redis": found[1] if (found := re.search(r"v=(\S+)", redis)) else "unknown",
        "mongodb": real_mongod() or f"FerretDB {FERRETDB[1]}",
    }


def project_version() -> str:
    """git's name of what is checked out; "unknown" outside a clone."""
    command = ["git", "-c", f"safe.directory={PROJECT}", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def as_json(rows: list[Row], about: dict, *, whole: bool) -> str:
    """whole: nothing is missing; an interrupted run is never ok."""
    document = {
        "rows": [row.as_dict() for row in rows],
        "ok": whole and is_ok(rows),
        "machine": machine(),
        "version": project_version(),
        "versions": versions(),
        **about,
    }
    return json.dumps(document, indent=2) + "\n"
