# SPDX-License-Identifier: Apache-2.0
"""The factors between CPU time, joules and gCO2e, each with where it comes from. docs/energy.md has the formula."""

from __future__ import annotations

import csv
import difflib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

REGIONS = Path(__file__).with_name("regions.csv")
DEFAULT_REGION = "us-central1"
JOULES_PER_KWH = 3.6e6

MEASURED, MODELLED, FAKE = "measured", "modelled", "fake"
QUALITIES = (FAKE, MODELLED, MEASURED)  # the worst first: what is made of several is as good as the worst


class UnknownRegion(Exception):
    pass


@dataclass(frozen=True)
class Factor:
    """A number that is not measured here."""

    value: float
    unit: str
    source: str
    date: str

    def given(self, value: float | None, option: str) -> Factor:
        """This one, or what the user says instead."""
        return self if value is None else replace(self, value=value, source=f"given by {option}", date="")


@dataclass(frozen=True)
class Grid(Factor):
    """Carbon intensity of the electricity of one region."""

    region: str
    location: str
    cfe_percent: float


CCF = "Cloud Carbon Footprint, packages/gcp GcpFootprintEstimationConstants.ts"
# Of a vCPU at full load: the median of the processors that Google Cloud uses.
WATTS_PER_VCPU = Factor(4.11, "W", f"{CCF}, MAX_WATTS_MEDIAN", "read 2026-11")
PUE = Factor(1.1, "", f"{CCF}, PUE_AVG", "read 2026-11")
# The hardware's own making (M of the SCI): nobody can know it for somebody else's machines.
EMBODIED = Factor(0.0, "gCO2e per 1,000 events", "not given: the making of the hardware is not counted", "")


def regions() -> dict[str, Grid]:
    """The table of regions, in its order."""
    lines = [line for line in REGIONS.read_text().splitlines() if not line.startswith("#")]
    return {
        row["region"]: Grid(
            value=float(row["gco2e_per_kwh"]),
            unit="gCO2e/kWh",
            source=row["source"],
            date=row["date"],
            region=row["region"],
            location=row["location"],
            cfe_percent=float(row["cfe_percent"]),
        )
        for row in csv.DictReader(lines)
    }


def grid_of(region: str) -> Grid:
    table = regions()
    if found := table.get(region):
        return found
    near = difflib.get_close_matches(region, table, n=3, cutoff=0.4)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UnknownRegion(f"no region is called {region}{meant} ./mesh energy --regions shows them")


@dataclass(frozen=True)
class Factors:
    watts_per_vcpu: Factor = WATTS_PER_VCPU
    pue: Factor = PUE
    grid: Grid = regions()[DEFAULT_REGION]
    embodied: Factor = EMBODIED

    def modelled_joules(self, cpu_s: float) -> float:
        return cpu_s * self.watts_per_vcpu.value * self.pue.value

    def metered_joules(self, joules: float) -> float:
        """From what a meter at the processor says to what the data centre draws for it."""
        return joules * self.pue.value

    def gco2e(self, joules: float) -> float:
        return joules / JOULES_PER_KWH * self.grid.value

    def as_dict(self) -> dict:
        return asdict(self)


def worst(qualities: set[str]) -> str:
    return min(qualities, key=QUALITIES.index)
