# SPDX-License-Identifier: Apache-2.0
"""Rules of the style guide that no other tool checks: length, licence line, comments, leftovers."""

from __future__ import annotations

import re
from pathlib import Path

from stack.mesh import PROJECT
from tools.mesh.build import project_files

LINES_MAX = 450
SPDX = "SPDX-License-Identifier: Apache-2.0"
SOURCES = (".c", ".h", ".py", ".sh", ".proto", ".cmake", ".lua", "CMakeLists.txt")
LEFTOVER = re.compile(r"\b(" + "TO" + r"DO|FIX" + r"ME|X" + r"XX)\b(?!\s*\(?#\d+)")
# String and character literals and block comments of C, so that what is left can be searched for //.
C_QUIET = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/', re.DOTALL)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def complaints_about(path: Path, text: str) -> list[str]:
    found = []
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        found.append(f"{path}: {len(lines)} lines, at most {LINES_MAX}")
    if lines and not any(SPDX in line for line in lines[:3]):
        found.append(f"{path}: no licence line ({SPDX})")
    found += [f"{path}:{n}: {m[0]} without an issue" for n, line in enumerate(lines, 1) if (m := LEFTOVER.search(line))]
    if path.suffix in (".c", ".h"):
        code = C_QUIET.sub(_blank, text).splitlines()
        found += [f"{path}:{n}: a // comment" for n, line in enumerate(code, 1) if "//" in line]
    return found


def complaints() -> list[str]:
    found = []
    for path in project_files(*SOURCES):
        found += complaints_about(path, (PROJECT / path).read_text(errors="replace"))
    return found
