# SPDX-License-Identifier: Apache-2.0
"""Writes the factors into the Prometheus rules: python3 -m tools.energy.rules [--check] [FILE]."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tools.energy.factors import EMBODIED, PUE, WATTS_PER_VCPU, Factor, regions

RULES = Path(__file__).resolve().parents[2] / "helm/tweetmesh/rules/energy.yaml"
BEGIN, END = "  # factors: begin\n", "  # factors: end\n"


def _rule(record: str, factor: Factor, **labels: str) -> list[str]:
    labels |= {"unit": factor.unit, "source": factor.source, "date": factor.date}
    return [
        f"      - record: {record}",
        f"        expr: vector({factor.value:g})",
        "        labels:",
        *(f"          {name}: {json.dumps(text, ensure_ascii=False)}" for name, text in labels.items() if text),
    ]


def factor_group() -> str:
    lines = ["  - name: tweetmesh-energy-factors", "    rules:"]
    for record, factor in (
        ("tweetmesh:energy_watts_per_vcpu", WATTS_PER_VCPU),
        ("tweetmesh:energy_pue", PUE),
        ("tweetmesh:energy_embodied_gco2e_per_1000_events", EMBODIED),
    ):
        lines += _rule(record, factor)
    for grid in regions().values():
        where = {"region": grid.region, "location": grid.location, "cfe_percent": f"{grid.cfe_percent:g}"}
        lines += _rule("tweetmesh:grid_gco2e_per_kwh", grid, **where)
    return "\n".join(lines) + "\n"


def with_factors(text: str) -> str:
    """The rules with the factors of today between the two marks."""
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return before + BEGIN + factor_group() + END + after


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools.energy.rules", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the factors are not those of today")
    parser.add_argument("file", nargs="?", type=Path, default=RULES, metavar="FILE")
    arguments = parser.parse_args()
    text = arguments.file.read_text()
    wanted = with_factors(text)
    if arguments.check:
        return 0 if text == wanted else 1
    arguments.file.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
