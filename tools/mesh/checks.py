# SPDX-License-Identifier: Apache-2.0
"""The static checks: each returns what it complains about, an empty list when all is well."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stack.cache import cache_folder, digest, say
from stack.mesh import PROJECT
from stack.process import StackError
from tools.mesh.build import build_folder, project_files
from tools.mesh.venv import venv

TIDY_OPTIONS = ["--quiet", "--warnings-as-errors=*"]


def _run(command: list[str]) -> list[str]:
    """The lines a checker prints, if it is not content."""
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    lines = (done.stdout + done.stderr).splitlines()
    return lines or [f"{command[0]}: exit code {done.returncode}"]


def clang_format() -> list[str]:
    files = [str(path) for path in project_files(".c", ".h")]
    return _run(["clang-format", "--dry-run", "-Werror", *files])


def shellcheck() -> list[str]:
    files = ["mesh", ".ci/run", *(str(path) for path in project_files(".sh"))]
    return _run(["shellcheck", "-x", *(name for name in files if (PROJECT / name).exists())])


def ruff() -> list[str]:
    files = [str(path) for path in project_files(".py")]
    return _run([str(venv() / "bin/ruff"), "check", "--no-cache", "--output-format=concise", *files])


def cppcheck() -> list[str]:
    work = cache_folder() / "cppcheck"
    work.mkdir(exist_ok=True)
    files = [str(path) for path in project_files(".c")]
    options = ["--enable=warning,performance,portability", "--std=c17", "--inline-suppr", "--error-exitcode=1"]
    options += [
        f"--suppress={name}" for name in ("missingInclude", "missingIncludeSystem", "normalCheckLevelMaxBranches")
    ]
    options += ["-I", "common/include", "--quiet", f"--cppcheck-build-dir={work}", f"-j{os.cpu_count()}"]
    return _run(["cppcheck", *options, *files])


def _dependencies(build: Path) -> dict[str, list[Path]]:
    """What Ninja noted while compiling: {object file: files it was made from}, without the system's."""
    done = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], capture_output=True, text=True, check=True)
    known: dict[str, list[Path]] = {}
    current: list[Path] = []
    for line in done.stdout.splitlines():
        if header := re.match(r"(\S.*): #deps", line):
            current = known.setdefault(header[1], [])
        elif line.startswith("    ") and not line.strip().startswith("/usr/"):
            current.append((build / line.strip()).resolve())
    return known


def _tidy_key(unit: dict, files: list[Path], tool: str) -> str:
    """The same for the same code in whatever folder: paths count from the project's."""
    parts: list[bytes | str] = [tool, (PROJECT / ".clang-tidy").read_bytes()]
    parts.append(unit["command"].replace(str(PROJECT), "."))
    for path in sorted(files):
        parts += [os.path.relpath(path, PROJECT), path.read_bytes()]
    return digest(*parts)


def clang_tidy(preset: str = "asan") -> list[str]:
    """clang-tidy over the units that changed since it last was content with them. The build must be up to date."""
    build = build_folder(preset)
    units = json.loads((build / "compile_commands.json").read_text())
    units = [unit for unit in units if not Path(unit["file"]).is_relative_to(build)]  # generated code is not ours
    tool = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True, check=True).stdout
    tool += shlex.join(TIDY_OPTIONS)
    depends = _dependencies(build)
    content = cache_folder() / "clang-tidy"
    content.mkdir(exist_ok=True)

    def check(unit: dict) -> list[str]:
        files = depends.get(unit["output"])
        if files is None:
            raise StackError(f"{unit['file']} is not compiled; build preset {preset} first")
        marker = content / _tidy_key(unit, files, tool)
        if marker.exists():
            return []
        done = subprocess.run(
            ["clang-tidy", "-p", str(build), *TIDY_OPTIONS, unit["file"]], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            marker.touch()
            return []
        return done.stdout.splitlines() or done.stderr.splitlines()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            found, shown = [], time.monotonic()
            for number, lines in enumerate(pool.map(check, units), 1):
                found += lines
                if time.monotonic() - shown > 10:
                    shown = time.monotonic()
                    say(f"  clang-tidy … {number} of {len(units)} files")
            return found
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def python_compiles() -> list[str]:
    """Python's own opinion, for what ruff does not read."""
    files = [str(path) for path in project_files(".py")]
    return _run([sys.executable, "-c", "import ast, sys\nfor p in sys.argv[1:]: ast.parse(open(p).read(), p)", *files])
