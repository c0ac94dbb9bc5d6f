# SPDX-License-Identifier: Apache-2.0
"""Where generated tweets come from: how often, under which spellings, in which languages."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    weight: float
    spellings: tuple[str, ...]  # the usual one first
    languages: tuple[str, ...]


def _place(weight: float, spellings: str, languages: str) -> Place:
    return Place(weight, tuple(spellings.split("|")), tuple(languages.split()))


# Skewed as real traffic is: the first has a quarter, the tail less than one in a hundred each.
PLACES = (
    _place(250, "United States|US|USA|Estados Unidos|united states|UNITED STATES", "en en en es"),
    _place(130, "Guatemala|GT|guatemala|GTM|GUATEMALA", "es"),
    _place(100, "Brazil|BR|Brasil|BRA", "pt"),
    _place(85, "Indonesia|ID|IDN", "id"),
    _place(55, "Turkey|TR|Turquía|TUR|Türkiye", "tr"),
    _place(48, "Japan|JP|Japón|JPN|japon", "ja"),
    _place(40, "United Kingdom|GB|Reino Unido|GBR", "en"),
    _place(36, "Mexico|MX|México|mexico|MEX", "es"),
    _place(32, "Spain|ES|España|Espana|ESP", "es"),
    _place(28, "Argentina|AR|ARG", "es"),
    _place(24, "France|FR|Francia|FRA", "fr"),
    _place(20, "India|IN|IND", "hi en"),
    _place(18, "Thailand|TH|Tailandia|THA", "th"),
    _place(16, "Russia|RU|Rusia|Russian Federation|RUS", "ru"),
    _place(14, "Saudi Arabia|SA|Arabia Saudita|SAU", "ar"),
    _place(12, "South Korea|KR|Corea del Sur|KOR", "ko"),
    _place(10, "El Salvador|SV|SLV", "es"),
    _place(9, "Canada|CA|Canadá|CAN", "en fr"),
    _place(8, "Honduras|HN|HND", "es"),
    _place(8, "Taiwan|TW|Taiwán|TWN", "zh"),
    _place(7, "Costa Rica|CR|CRI", "es"),
    _place(6, "Germany|DE|Alemania|DEU", "en"),
    _place(6, "China|CN|CHN", "zh"),
    _place(5, "Kuwait|KW|KWT", "ar"),
    _place(5, "Portugal|PT|PRT", "pt"),
    _place(4, "Egypt|EG|Egipto|EGY", "ar"),
    _place(4, "South Africa|ZA|Sudáfrica|ZAF", "en"),
    _place(3, "Kazakhstan|KZ|Kazajistán|KAZ", "ru"),
    _place(3, "Haiti|HT|Haití|HTI", "fr"),
    _place(2, "Iceland|IS|Islandia|ISL", "en"),
    _place(2, "Belize|BZ|Belice|BLZ", "en es"),
    # Some clients send what no table knows; it is archived as it is and counted as Unknown.
    _place(4, "the moon|Atlantis|aquí|??|🌎", "en es"),
)
