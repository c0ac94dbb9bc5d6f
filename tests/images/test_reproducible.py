# SPDX-License-Identifier: Apache-2.0
"""Goal: whoever builds the same tree gets the same layers, to the bit.

Method: the programs are compiled once more from nothing, on the same platform, and each image is made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.mesh.images import PROGRAMS, Engine, build_program, build_stage, image_name

AGAIN = "localhost/tweetmesh-again"


def layers(engine: Engine, image: str, folder: Path) -> list[str]:
    """The digests of the compressed layers, as a registry would get them, and of the configuration."""
    engine.run("buildah", "push", image, f"oci:{folder}:image")
    blobs = folder / "blobs/sha256"
    index = json.loads((folder / "index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"].removeprefix("sha256:")).read_text())
    return [layer["digest"] for layer in (*manifest["layers"], manifest["config"])]


@pytest.fixture(scope="module")
def built_again(engine: Engine) -> Iterator[None]:
    """All programs, compiled anew."""
    platform = "--build-context=platform=container-image://localhost/tweetmesh/platform"
    with engine.alone():
        build_stage(engine, "build", f"{AGAIN}/build", "--no-cache", platform)
        assert "Linking C executable api/api" in engine.log.read_text(), "nothing was compiled"
        for program in PROGRAMS:
            build_program(engine, program, f"{AGAIN}/build", f"{AGAIN}/{program}")
        yield
        engine.run("podman", "image", "rm", *(f"{AGAIN}/{name}" for name in ("build", *PROGRAMS)))


@pytest.mark.usefixtures("built_again")
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_second_build_gives_the_same_layers(engine: Engine, tmp_path: Path, program: str) -> None:
    first = layers(engine, image_name(program), tmp_path / "first")
    assert layers(engine, f"{AGAIN}/{program}", tmp_path / "second") == first
