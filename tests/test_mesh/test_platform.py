# SPDX-License-Identifier: Apache-2.0
"""The shell part of ./mesh: package list, choice of the mirror, certificates, roots that can be built upon."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stack.mesh import PROJECT


def shell(script: str, cache: Path, **environment: str) -> str:
    """Runs functions of ./mesh and tools/root.sh; what they print."""
    setup = f"set -euo pipefail; project={PROJECT}; cache={cache}; . <(sed '/^main \"\\$@\"/d' {PROJECT}/mesh)\n"
    setup += f"project={PROJECT}; cache={cache}; . {PROJECT}/tools/root.sh\n"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(cache), **environment}
    done = subprocess.run(["bash", "-c", setup + script], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_packages_are_names_without_comments(tmp_path: Path) -> None:
    names = shell("packages", tmp_path).split("\n")[:-1]
    assert "librdkafka-dev" in names
    assert all(name and " " not in name and "#" not in name for name in names)


def test_all_packages_are_installed_here(tmp_path: Path) -> None:
    assert shell("packages_missing", tmp_path) == ""


@pytest.mark.parametrize(
    ("name", "text", "mirror"),
    [
        (
            "a.sources",
            "Types: deb\n# old\nURIs: http://m.example/debian\nSuites: bookworm\n",
            "http://m.example/debian",
        ),
        (
            "a.list",
            "deb [signed-by=/k.gpg arch=amd64] https://m.example/debian/ sid main\n",
            "https://m.example/debian/",
        ),
        ("a.list", "deb http://m.example/debian bookworm main\n", "http://m.example/debian"),
        ("a.list", "# deb http://old.example/debian sid main\n", ""),
        ("a.list", "deb https://packages.example/apt cloud main\n", ""),
        ("a.sources", "URIs: http://m.example/debian-security\n", ""),
    ],
)
def test_mirror_is_read_from_both_formats(tmp_path: Path, name: str, text: str, mirror: str) -> None:
    (tmp_path / name).write_text(text)
    assert shell(f"mirror_in {tmp_path}/*", tmp_path).strip() == mirror


def test_certificates_are_split_one_a_file(tmp_path: Path) -> None:
    certificate = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"
    bundle = tmp_path / "in" / "own.pem"
    bundle.parent.mkdir()
    bundle.write_text(f"# two of them\n{certificate}\n{certificate}")
    shell(f"certificates_split {bundle} {tmp_path}/out", tmp_path)
    files = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in files] == ["host-own-1.crt", "host-own-2.crt"]
    assert all(path.read_text() == certificate for path in files)


def test_only_a_root_with_fewer_packages_is_built_upon(tmp_path: Path) -> None:
    names = shell("packages", tmp_path).split()
    for root, listed in {"fewer": names[:-1], "other": [*names, "no-such-package"], "fewer.partial": names}.items():
        etc = tmp_path / f"root-{root}" / "etc"
        etc.mkdir(parents=True)
        (etc / "tweetmesh-packages").write_text("\n".join(listed) + "\n")
        (etc / "tweetmesh-recipe").write_text(shell('echo "recipe $root_recipe"', tmp_path))
    assert shell("root_base", tmp_path).strip() == str(tmp_path / "root-fewer")
    (tmp_path / "root-fewer/etc/tweetmesh-recipe").write_text("recipe 0\n")
    assert shell("root_base || echo none", tmp_path).strip() == "none"


def test_help_of_every_subcommand() -> None:
    top = subprocess.run([f"{PROJECT}/mesh", "--help"], capture_output=True, text=True, check=True).stdout
    names = [line.split()[0] for line in top.splitlines() if line.startswith("    ") and line[4] != " "]
    assert {"demo", "test", "up", "down", "status", "logs", "load", "audit", "build", "shell"} <= set(names)
    for name in names:
        done = subprocess.run([f"{PROJECT}/mesh", name, "--help"], capture_output=True, text=True, check=True)
        assert f"./mesh {name}" in done.stdout
