# SPDX-License-Identifier: Apache-2.0
"""An image of one program, written as an OCI archive without any engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

from stack.mesh import PROJECT
from stack.process import StackError

USER = 65532  # as in the Dockerfile
EPOCH = 1767225600  # likewise
_MEDIA = "application/vnd.oci.image"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_image(program: Path, name: str, folder: Path, *arguments: str) -> Path:
    """The archive of an image with what the Dockerfile puts into one of ours: a program, its libraries, no more.

    It is made in folder; arguments are the program's where nobody gives others.
    """
    root = folder / "root"
    command = [sys.executable, "tools/images/rootfs.py", str(program), str(root)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode != 0:
        raise StackError(f"no image of {program}: {done.stderr.strip()[-2000:]}")
    layer = folder / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        tar.add(root, ".")
    target = folder / "image.tar"
    _write_archive(target, layer.read_bytes(), name, [f"/usr/bin/{program.name}", *arguments])
    return target


def _write_archive(target: Path, layer: bytes, name: str, entrypoint: list[str]) -> None:
    machine = platform.machine()
    kind = {"architecture": _ARCHITECTURES.get(machine, machine), "os": "linux"}
    config = kind | {
        "config": {"Entrypoint": entrypoint, "User": f"{USER}:{USER}", "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    with tarfile.open(target, "w") as tar:
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}.manifest.v1+json",
            "config": _blob(tar, f"{_MEDIA}.config.v1+json", _text(config)),
            "layers": [_blob(tar, f"{_MEDIA}.layer.v1.tar", layer)],
        }
        described = _blob(tar, f"{_MEDIA}.manifest.v1+json", _text(manifest))
        named = described | {"platform": kind, "annotations": {"io.containerd.image.name": name}}
        _add(tar, "index.json", _text({"schemaVersion": 2, "manifests": [named]}))
        _add(tar, "oci-layout", _text({"imageLayoutVersion": "1.0.0"}))


def _text(value: dict) -> bytes:
    return json.dumps(value).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _blob(tar: tarfile.TarFile, media: str, content: bytes) -> dict:
    """Adds a blob; what refers to it."""
    digest = _digest(content)
    _add(tar, f"blobs/{digest.replace(':', '/')}", content)
    return {"mediaType": media, "digest": digest, "size": len(content)}


def _add(tar: tarfile.TarFile, path: str, content: bytes) -> None:
    member = tarfile.TarInfo(path)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
