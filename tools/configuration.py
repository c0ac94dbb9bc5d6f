# SPDX-License-Identifier: Apache-2.0
"""Writes docs/configuration.md from the option tables of the programs, which they print by --options.

    ./mesh shell python3 tools/configuration.py [--build build/release] [--check]

--check writes nothing and exits with 1 when the file is not what it should be.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TARGET = PROJECT / "docs" / "configuration.md"
PROGRAMS = ("api", "grpc-server", "ws-redis", "kafka-consumer", "audit", "recount")

HEAD = """# Configuration

<!-- Made by tools/configuration.py from the programs' own tables; change those, not this file. -->

Everything is set by environment variables. `NAME` may be given as `NAME_FILE` instead, the path of a file that holds
the value (one trailing newline is dropped): that is meant for secrets. A program reports *all* settings that are wrong,
at once, and exits with 2. Of a setting that is a file's path, `NAME` and `NAME_FILE` are the same.

| argument | what a program does |
| --- | --- |
| `--help` | says what it is and lists its settings |
| `--version` | prints its name and version |
| `--check-config` | prints the effective values, secrets masked, and contradictions; exits with 0 or 2 |
| `--options` | prints the table below as JSON |

A number's range and a text's length are under *allowed*. Times are in the unit that the name ends in. Names
that several programs know mean the same everywhere.
"""
TYPES = {
    "uint": lambda option: f"{option['min']:,} to {option['max']:,}",
    "bool": lambda option: "`true`, `false`",
    "text": lambda option: f"text, {option['min']:,} to {option['max']:,} bytes",
    "secret": lambda option: f"secret, {option['min']:,} to {option['max']:,} bytes",
    "file": lambda option: f"path of a file, up to {option['max']:,} bytes",
    "level": lambda option: "`error`, `warn`, `info`, `debug`",
}


def options_of(build: Path, program: str) -> list[dict]:
    """What `PROGRAM --options` prints."""
    binary = build / program / program
    done = subprocess.run([str(binary), "--options"], capture_output=True, text=True, check=True)
    return sorted(json.loads(done.stdout)["options"], key=lambda option: option["name"])


def row(option: dict) -> str:
    default = option["default"]
    shown = "must be set" if default is None else f"`{default}`" if default else "empty"
    meaning = option["help"].replace("|", "&#124;")
    return f"| `{option['name']}` | {shown} | {TYPES[option['type']](option)} | {meaning} |"


def section(program: str, options: list[dict]) -> str:
    link = f"## {program}\n\n| variable | default | allowed | meaning |\n| --- | --- | --- | --- |\n"
    return link + "\n".join(row(option) for option in options) + "\n"


def document(build: Path) -> str:
    return "\n".join([HEAD, *(section(program, options_of(build, program)) for program in PROGRAMS)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=PROJECT / "build/release", help="folder with the programs")
    parser.add_argument("--check", action="store_true", help="only say whether docs/configuration.md is right")
    arguments = parser.parse_args()
    text = document(arguments.build)
    if not arguments.check:
        TARGET.write_text(text)
        return 0
    if TARGET.read_text() == text:
        return 0
    print(f"{TARGET.relative_to(PROJECT)} is not what the programs say; run tools/configuration.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
