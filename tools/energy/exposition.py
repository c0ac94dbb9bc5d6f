# SPDX-License-Identifier: Apache-2.0
"""Reads the text in which exporters show their metrics (Prometheus exposition format)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Sample:
    name: str
    labels: dict[str, str]
    value: float


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def samples(text: str) -> list[Sample]:
    """All samples; a line that is none, and no comment, raises ValueError."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _SAMPLE.match(line)
        if match is None:
            raise ValueError(f"not a line of metrics: {line[:80]!r}")
        labels = {name: _plain(value) for name, value in _LABEL.findall(match[2] or "")}
        found.append(Sample(match[1], labels, float(match[3])))
    return found
