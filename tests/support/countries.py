# SPDX-License-Identifier: Apache-2.0
"""Country names from iso-codes' own JSON, read independently of the table in common/."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

ISO_3166 = Path("/usr/share/iso-codes/json/iso_3166-1.json")
UNKNOWN = "Unknown"


# Where ISO's name, shortened, is not what people say; and one that people use and ISO does not have.
SPOKEN = {
    "BN": "Brunei",
    "BQ": "Caribbean Netherlands",
    "CC": "Cocos Islands",
    "CD": "Democratic Republic of the Congo",
    "RU": "Russia",
    "SH": "Saint Helena",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "U.S. Virgin Islands",
    "XK": "Kosovo",
}


def _short(entry: dict) -> str:
    """ISO's common name, or its name without what follows a comma or a bracket."""
    return entry.get("common_name") or entry["name"].split(",")[0].split(" (")[0]


@cache
def by_alpha_2() -> dict[str, str]:
    """English short name by two-letter code."""
    entries = json.loads(ISO_3166.read_text())["3166-1"]
    return {entry["alpha_2"]: _short(entry) for entry in entries} | SPOKEN


@cache
def names() -> frozenset[str]:
    return frozenset(by_alpha_2().values())


def group_of(country: str) -> str:
    """The group that an archived country is counted in."""
    return country if country in names() else UNKNOWN
