# SPDX-License-Identifier: Apache-2.0
"""The bill of materials of an image, CycloneDX 1.6 in JSON: our program, the Debian packages it loads
libraries from, which files those are, and who needs whom.

All of it is what dpkg and the linker's own tables say; the same image gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "tweetmesh.images")


@dataclass(frozen=True)
class Program:
    """What the image is for."""

    name: str
    version: str
    file: Path


def sha256(path: Path) -> list[dict]:
    return [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}]


def os_release() -> dict[str, str]:
    text = Path("/etc/os-release").read_text()
    return dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))


def package_url(fields: dict[str, str]) -> str:
    release = os_release()
    name, version = fields["Package"], quote(fields["Version"], safe=":~.-_")
    distro = f"{release['ID']}-{release['VERSION_ID']}"
    return f"pkg:deb/{release['ID']}/{quote(name)}@{version}?arch={fields['Architecture']}&distro={distro}"


def licences(root: Path, name: str) -> list[dict]:
    """The short names in the copyright file, where that is of the kind that machines can read."""
    text = (root / "usr/share/doc" / name / "copyright").read_text(errors="replace")
    if "packaging-manuals/copyright-format" not in text.partition("\n")[0]:
        return []
    names = {found.strip() for found in re.findall(r"^License: *(\S.*)$", text, re.MULTILINE)}
    return [{"license": {"name": found}} for found in sorted(names)]


def component(package, root: Path) -> dict:
    fields = package.fields
    source = fields.get("Source", package.name).partition(" ")[0]
    files = sorted(package.files)
    return {
        "type": "library",
        "bom-ref": package_url(fields),
        "supplier": {"name": fields["Maintainer"]},
        "name": package.name,
        "version": fields["Version"],
        "description": fields["Description"],
        "licenses": licences(root, package.name),
        "purl": package_url(fields),
        "components": [
            {"type": "file", "name": f"/{file.relative_to(root)}", "hashes": sha256(file)} for file in files
        ],
        "properties": [{"name": "tweetmesh:debian:source", "value": source}],
    }


def needed(file: Path) -> set[str]:
    """The names of the libraries that a program or a library names itself."""
    read = subprocess.run(["readelf", "-d", str(file)], capture_output=True, text=True, check=False)
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", read.stdout))


def dependencies(ours: str, program: Program, packages: list) -> list[dict]:
    home = {file.name: package_url(package.fields) for package in packages for file in package.files}
    found = {ours: [program.file], **{package_url(package.fields): package.files for package in packages}}
    return [
        {"ref": ref, "dependsOn": sorted({home[name] for file in files for name in needed(file)} - {ref})}
        for ref, files in sorted(found.items())
    ]


def bom(program: Program, packages: Iterable, root: Path, epoch: int) -> str:
    """packages: each with name, fields (of dpkg) and files below root."""
    packages = sorted(packages, key=lambda package: package.name)
    ours = f"pkg:generic/tweetmesh/{program.name}@{program.version}"
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": ours,
                "group": "tweetmesh",
                "name": program.name,
                "version": program.version,
                "hashes": sha256(program.file),
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": ours,
            },
        },
        "components": [component(package, root) for package in packages],
        "dependencies": dependencies(ours, program, packages),
    }
    serial = uuid.uuid5(NAMESPACE, json.dumps(document, sort_keys=True))
    return json.dumps({**document, "serialNumber": f"urn:uuid:{serial}"}, indent=1) + "\n"
