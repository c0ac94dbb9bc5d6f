# SPDX-License-Identifier: Apache-2.0
"""Python packages that Debian does not have, in an environment in the cache folder."""

from __future__ import annotations

import sys
from pathlib import Path

from stack.cache import cached, digest, run_step
from stack.mesh import PROJECT

REQUIREMENTS = PROJECT / "tests/requirements.txt"


def venv() -> Path:
    """The folder of the environment (bin/python, bin/schemathesis, bin/ruff …), made when it is missing.

    It sees Debian's Python packages, too.
    """

    def make(folder: Path, log: Path) -> None:
        create = [sys.executable, "-m", "venv", "--system-site-packages", str(folder)]
        run_step("creating the Python environment", create, log=log)
        install = [str(folder / "bin/python"), "-m", "pip", "install", "--retries", "10", "-r", str(REQUIREMENTS)]
        run_step("installing Python packages", install, log=log)
        final = str(folder).removesuffix(".partial")
        for script in (folder / "bin").iterdir():  # they name the folder they were made in
            if not script.is_symlink() and script.read_bytes().startswith(b"#!"):
                script.write_text(script.read_text().replace(str(folder), final))

    name = f"venv-{digest(REQUIREMENTS.read_bytes(), sys.version)}"
    return cached(name, make, what="installing Python packages")
