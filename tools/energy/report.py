# SPDX-License-Identifier: Apache-2.0
"""What a load cost: per program and in total, per million events, as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from tools.energy.account import Use
from tools.energy.factors import Factor, Factors, worst

MILLION = 1_000_000


@dataclass(frozen=True)
class Row:
    """A program, or the total. Figures per million events."""

    name: str
    cpu_s: float
    joules: float
    gco2e: float
    quality: str
    source: str

    def as_dict(self, events: int) -> dict:
        share = events / MILLION
        return {
            "cpu_s": self.cpu_s * share,
            "joules": self.joules * share,
            "gco2e": self.gco2e * share,
            "cpu_s_per_million_events": self.cpu_s,
            "joules_per_million_events": self.joules,
            "gco2e_per_million_events": self.gco2e,
            "quality": self.quality,
            "source": self.source,
        }


@dataclass(frozen=True)
class Report:
    uses: list[Use]
    events: int  # stored in Kafka; above 0
    seconds: float
    factors: Factors
    left_out: list[str]  # "kafka: external, its energy is not counted"

    @property
    def rows(self) -> list[Row]:
        return [self._row(use.program, [use]) for use in self.uses]

    @property
    def total(self) -> Row:
        return self._row("total", self.uses)

    @property
    def sci(self) -> float:
        """gCO2e per 1,000 events: (E x I + M) / R."""
        return self.total.gco2e / 1000 + self.factors.embodied.value

    def _row(self, name: str, uses: list[Use]) -> Row:
        joules = sum(use.joules for use in uses)
        return Row(
            name=name,
            cpu_s=sum(use.cpu_s for use in uses) * MILLION / self.events,
            joules=joules * MILLION / self.events,
            gco2e=self.factors.gco2e(joules) * MILLION / self.events,
            quality=worst({use.quality for use in uses}),
            source="; ".join(sorted({use.source for use in uses})),
        )

    def as_dict(self) -> dict:
        return {
            "events": self.events,
            "seconds": self.seconds,
            "programs": {row.name: row.as_dict(self.events) for row in self.rows},
            "total": self.total.as_dict(self.events),
            "sci_gco2e_per_1000_events": self.sci,
            "factors": self.factors.as_dict(),
            "left_out": self.left_out,
        }

    def lines(self) -> list[str]:
        head = f"  {'per million events':<18}{'CPU s':>10}{'joules':>11}{'gCO2e':>10}  quality"
        rows = [
            f"  {row.name:<18}{row.cpu_s:>10.2f}{row.joules:>11.1f}{row.gco2e:>10.4f}  {row.quality}"
            for row in (*self.rows, self.total)
        ]
        return [head, *rows, *(f"  left out: {text}" for text in self.left_out), "", *self.factor_lines()]

    def factor_lines(self) -> list[str]:
        """Every number that was not measured here, and where it is from."""
        factors, grid = self.factors, self.factors.grid
        where = f"{grid.region} ({grid.location}; carbon-free {grid.cfe_percent:g} %)"
        return [
            _line("SCI", f"{self.sci:.6f} gCO2e per 1,000 events = (E x I + M) / R", ""),
            _line("W per vCPU", f"{factors.watts_per_vcpu.value:g}", _source(factors.watts_per_vcpu)),
            _line("PUE", f"{factors.pue.value:g}", _source(factors.pue)),
            _line("grid intensity I", f"{grid.value:g} gCO2e/kWh, {where}", _source(grid)),
            _line("embodied M", f"{factors.embodied.value:g} {factors.embodied.unit}", _source(factors.embodied)),
        ]


def _source(factor: Factor) -> str:
    return f"{factor.source}, {factor.date}" if factor.date else factor.source


def _line(name: str, text: str, source: str) -> str:
    return f"  {name:<18}{text}" + (f"  [{source}]" if source else "")
