#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the table of country codes and names that country.c looks things up in.

    country_table.py OUT.c     the table, as C; run by CMake
    country_table.py --names   every name in it as iso-codes spells it and in other spellings, a tab,
                               the English short name; test_country.c checks C's folding with it

Source: Debian's package iso-codes (ISO 3166-1 and its translations).
"""

import functools
import gettext
import json
import pathlib
import sys
import unicodedata

ISO_FILE = pathlib.Path("/usr/share/iso-codes/json/iso_3166-1.json")
LOCALES = pathlib.Path("/usr/share/locale")
DOMAIN = "iso_3166-1"

# Of what is looked up; country.h promises the same numbers.
CODE_POINTS_MAX = 64
BYTES_MAX = 256
FOLD_BYTES_MAX = 11

# English short names where ISO's name is not what people say and iso-codes has no common name.
SHORT_NAMES = {
    "BN": "Brunei",
    "BQ": "Caribbean Netherlands",
    "CC": "Cocos Islands",
    "CD": "Democratic Republic of the Congo",
    "RU": "Russia",
    "SH": "Saint Helena",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "U.S. Virgin Islands",
}

# Not in ISO 3166-1, but under a code that ISO leaves to its users and everybody uses: CLDR, the EU,
# the World Bank, and the tweets that we have seen.
EXTRA_COUNTRIES = [{"alpha_2": "XK", "alpha_3": "XKX", "name": "Kosovo"}]

# What people write and iso-codes does not have. Each has a reason to be here.
ALIASES = {
    "AE": ["UAE", "EAU", "EE. AA. UU.", "Emirates"],  # abbreviations, English and Spanish
    "BA": ["Bosnia"],  # the first half is what is said
    "BO": ["Bolivia, Estado Plurinacional de"],
    "CD": ["DR Congo", "DRC", "Congo-Kinshasa", "Zaire"],  # to tell it from its neighbour
    "CG": ["Republic of the Congo", "Congo-Brazzaville"],
    "CI": ["Ivory Coast", "Costa de Marfil"],  # English before 1986; Spanish as spoken
    "CV": ["Cape Verde"],  # English before 2013
    "CZ": ["Czech Republic"],  # English before 2016
    "FK": ["Malvinas", "Islas Malvinas"],
    "FM": ["Micronesia"],
    "GB": ["UK", "U.K.", "Great Britain", "Britain", "Gran Bretaña"],  # UK is no ISO code
    "KP": ["DPRK"],
    "KR": ["ROK"],
    "MK": ["Macedonia", "FYROM"],  # until 2019
    "MM": ["Burma", "Birmania"],  # until 1989
    "NL": ["Holland", "Holanda"],  # a part for the whole
    "RU": ["Rusia", "Россия", "Russland", "Russie", "Rússia"],  # iso-codes: only "… Federation"
    "SZ": ["Swaziland", "Suazilandia"],  # until 2018
    "TL": ["East Timor", "Timor Oriental"],  # until 2002
    "TR": ["Turkey", "Turquía"],  # until 2022
    "TT": ["Trinidad", "Trinidad y Tobago"],
    "US": ["USA", "U.S.", "U.S.A.", "America", "United States of America", "EE. UU.", "EUA",
           "Estados Unidos de América", "Estados Unidos de Norteamérica"],
    "VA": ["Vatican", "Holy See", "Vaticano", "Santa Sede"],
    "VC": ["Saint Vincent"],
    "XK": ["Kosova", "Косово", "Republic of Kosovo", "República de Kosovo"],
}

# Letters with a stroke and ligatures, which Unicode does not take apart.
EXTRA_FOLDS = {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe",
               "ŧ": "t", "þ": "th", "ә": "e", "ə": "e"}

# Blocks whose code points are all in the fold table: Latin, Greek, Cyrillic and the other scripts
# below U+2000, punctuation, full-width forms. Beyond them, only what occurs in the names and their
# variants.
FOLD_RANGES = [(0x80, 0x2070), (0x2E00, 0x2E60), (0x3000, 0x3100), (0xFE00, 0xFE10),
               (0xFF00, 0xFFF0)]

# Earlier ranks win; within a rank, a key of two countries belongs to none.
CODE, ENGLISH, SPANISH, SIMPLIFIED, OTHER, OTHER_SIMPLIFIED = range(6)


def is_kept(char):
    """Letters, digits and vowel signs stay; accents, punctuation and spaces go."""
    category = unicodedata.category(char)
    if category == "Cn":  # not assigned: unknown, so left alone
        return True
    if category.startswith("M"):
        return unicodedata.combining(char) == 0 and category != "Me" and ord(char) < 0xFE00
    return category[0] in "LN" and category != "Lm"


@functools.cache
def fold_char(char):
    if 0xAC00 <= ord(char) <= 0xD7A3:  # Hangul syllables are letters as they are
        return char
    folded = []
    for part in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold()):
        part = EXTRA_FOLDS.get(part, part)
        folded.extend(piece for piece in part if is_kept(piece))
    return "".join(folded)


def fold(text):
    return "".join(map(fold_char, text))


def simplified(name):
    """"Iran, Islamic Republic of" is Iran; "Saint Martin (French part)" is Saint Martin."""
    return name.split(",")[0].split(" (")[0].strip()


def turned(name):
    """"Virgin Islands, British" is read as British Virgin Islands."""
    last, comma, first = name.partition(", ")
    return f"{first} {last}" if comma else name


def short_name(country):
    code = country["alpha_2"]
    if code in SHORT_NAMES:
        return SHORT_NAMES[code]
    return country.get("common_name") or simplified(country["name"])


def names_of(country):
    return [country[key] for key in ("name", "official_name", "common_name") if key in country]


def translations():
    """(language, translation) for all languages, in a fixed order."""
    paths = sorted(LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    if LOCALES / "es" / "LC_MESSAGES" / f"{DOMAIN}.mo" not in paths:
        # Slim container images leave translations out; a table without them would look the same
        # and call half of the countries Unknown.
        sys.exit(f"country_table.py: no Spanish iso-codes in {LOCALES}: "
                 "install iso-codes without dpkg's path-exclude of /usr/share/locale")
    for path in paths:
        with path.open("rb") as file:
            yield path.parent.parent.name, gettext.GNUTranslations(file)


def candidates(countries):
    """(rank, name, alpha-2 code) of everything that could name a country."""
    for country in countries:
        code = country["alpha_2"]
        for key in ("alpha_2", "alpha_3", "numeric"):
            if key in country:
                yield CODE, country[key], code
        for name in [short_name(country), *names_of(country), *ALIASES.get(code, [])]:
            yield ENGLISH, name, code
        for name in names_of(country):
            yield SIMPLIFIED, simplified(name), code
            yield SIMPLIFIED, turned(name), code
    for language, catalogue in translations():
        spanish = language.split("_")[0] == "es"
        for country in countries:
            for name in names_of(country):
                text = catalogue.gettext(name)
                if text == name:
                    continue
                yield SPANISH if spanish else OTHER, text, country["alpha_2"]
                for variant in (simplified(text), turned(text)):
                    rank = SIMPLIFIED if spanish else OTHER_SIMPLIFIED
                    yield rank, variant, country["alpha_2"]


def variants(name):
    return sorted({name, name.upper(), name.lower(), unicodedata.normalize("NFD", name)})


def is_lookable(name):
    return len(name) <= CODE_POINTS_MAX and len(name.encode()) <= BYTES_MAX


def decide(countries):
    """key -> (alpha-2 code, names with that key); ambiguous keys are left out."""
    meanings = {}
    for rank, name, code in candidates(countries):
        key = fold(name)
        if key and is_lookable(name):
            meanings.setdefault(key, {}).setdefault(rank, {}).setdefault(code, set()).add(name)
    table = {}
    for key, ranks in meanings.items():
        best = min(ranks)
        codes = ranks[best]
        if len(codes) > 1:
            if best <= ENGLISH:
                sys.exit(f"country_table.py: {key!r} means {sorted(codes)}")
            continue
        code = next(iter(codes))
        names = set().union(*(by_code.get(code, set()) for by_code in ranks.values()))
        table[key] = (code, sorted(names))
    return table


def fold_table(table):
    """Code points above ASCII that do not fold to themselves."""
    points = {point for start, end in FOLD_RANGES for point in range(start, end)}
    points |= {ord(char) for _, names in table.values() for name in names
               for text in variants(name) for char in text}
    folds = []
    for point in sorted(points):
        if point < 0x80:
            continue
        folded = fold_char(chr(point))
        if len(folded.encode()) > FOLD_BYTES_MAX:
            sys.exit(f"country_table.py: U+{point:04X} folds to more than {FOLD_BYTES_MAX} bytes")
        if folded != chr(point):
            folds.append((point, folded))
    return folds


def fnv1a(data):
    """32-bit FNV-1a, as in country.c."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def slots_of(keys):
    """Open addressing with linear probing, at most half full; 0 is empty, else key number + 1."""
    count = 1
    while count < 2 * len(keys):
        count *= 2
    slots = [0] * count
    for number, key in enumerate(keys):
        at = fnv1a(key.encode()) & (count - 1)
        while slots[at]:
            at = (at + 1) & (count - 1)
        slots[at] = number + 1
    return slots


def c_text(text):
    return '"' + "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\?' else f"\\{byte:03o}"
        for byte in text.encode()) + '"'


def wrapped(items, per_line):
    for at in range(0, len(items), per_line):
        yield "    " + " ".join(items[at:at + per_line])


def emit(countries, table):
    shorts = {country["alpha_2"]: short_name(country) for country in countries}
    codes = sorted(shorts, key=lambda code: (fold(shorts[code]), code))
    if len(set(shorts.values())) != len(shorts):
        sys.exit("country_table.py: two countries have the same short name")
    index = {code: number for number, code in enumerate(codes)}
    keys = sorted(table)
    folds = fold_table(table)
    slots = slots_of(keys)

    yield "/* SPDX-License-Identifier: Apache-2.0 */"
    yield "/* Made by country_table.py from iso-codes; not to be edited. */"
    yield '#include "country_table.h"'
    yield f"const size_t mesh_country_name_count = {len(codes) + 1};"
    yield "const char *const mesh_country_names[] = {"
    yield from (f"    {c_text(shorts[code])}," for code in codes)
    yield '    "Unknown",'
    yield "};"
    yield f"const size_t mesh_country_fold_count = {len(folds)};"
    yield "const struct mesh_country_fold mesh_country_folds[] = {"
    yield from wrapped([f"{{{point:#x}, {c_text(to)}}}," for point, to in folds], 4)
    yield "};"
    yield "const char mesh_country_key_text[] ="
    yield from wrapped([c_text(key) for key in keys], 4)
    yield "    ;"
    yield "const struct mesh_country_key mesh_country_keys[] = {"
    rows, offset = [], 0
    for key in keys:
        size = len(key.encode())
        if size > BYTES_MAX:
            sys.exit(f"country_table.py: {key!r} is too long")
        rows.append(f"{{{offset}, {size}, {index[table[key][0]]}}},")
        offset += size
    yield from wrapped(rows, 6)
    yield "};"
    yield f"const uint32_t mesh_country_slot_mask = {len(slots) - 1};"
    yield "const uint16_t mesh_country_slots[] = {"
    yield from wrapped([f"{slot}," for slot in slots], 16)
    yield "};"


def spellings(countries, table):
    shorts = {country["alpha_2"]: short_name(country) for country in countries}
    for _, names in table.values():
        for name in names:
            for text in variants(name):
                code, _ = table.get(fold(text), (None, None)) if is_lookable(text) else (None, None)
                yield f"{text}\t{shorts.get(code, 'Unknown')}\n".encode()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    countries = json.loads(ISO_FILE.read_text(encoding="utf-8"))["3166-1"] + EXTRA_COUNTRIES
    table = decide(countries)
    if sys.argv[1] == "--names":
        sys.stdout.buffer.writelines(spellings(countries, table))
        return
    if len(table) >= 0xFFFF:
        sys.exit("country_table.py: too many names for 16-bit slots")
    text = "\n".join(emit(countries, table)) + "\n"
    pathlib.Path(sys.argv[1]).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
