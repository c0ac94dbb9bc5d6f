# SPDX-License-Identifier: Apache-2.0
"""Makes the whole content of one image: a program, its shared libraries, and what they need to be there.

    SOURCE_DATE_EPOCH=… python3 tools/images/rootfs.py build/release/api/api /images/api

Runs in the build stage of the Dockerfile, where the libraries are Debian packages; a library that is
of no package is an error. Same packages, same program: the same bytes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import sbom

USER = 65532
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
OS_RELEASE = Path("/usr/lib/os-release")
LICENCES = Path("/usr/share/common-licenses")
FILES = {
    "etc/passwd": f"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nnonroot:x:{USER}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
SOCKETS = "run/tweetmesh"
FOLDERS = {"tmp": 0o1777, "etc/tweetmesh/streams": 0o755, SOCKETS: 0o755}  # the last two to be mounted on
LINKS = {
    "bin": "usr/bin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "etc/os-release": "../usr/lib/os-release",
    # Where OpenSSL looks when nobody tells it.
    "usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt",
    "usr/lib/ssl/certs": "/etc/ssl/certs",
}


@dataclass
class Package:
    """A Debian package of which something is in the image."""

    name: str
    fields: dict[str, str]
    files: list[Path] = field(default_factory=list)  # where they are below the image's folder


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C", **os.environ}).stdout


def libraries_of(program: Path) -> list[Path]:
    """The program's shared libraries and its loader, as absolute paths that are no links."""
    listed = output_of("ldd", str(program))
    if "not found" in listed:
        raise SystemExit(f"{program} lacks libraries:\n{listed}")
    return sorted({merged(Path(path)) for path in re.findall(r"(/\S+) \(0x", listed)})


def merged(path: Path) -> Path:
    """/lib/… is /usr/lib/… on Debian; dpkg knows the second name."""
    return path.parent.resolve() / path.name


def package_of(path: Path) -> str:
    return output_of("dpkg-query", "-S", str(path)).partition(": ")[0].partition(",")[0]


def described(name: str) -> Package:
    """A package by what dpkg says of it; name may carry the architecture."""
    text = output_of("dpkg-query", "-s", name)
    fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", text, re.MULTILINE))
    return Package(fields["Package"], fields)


class Root:
    """The folder that becomes the image."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self.folder = folder
        self.epoch = epoch

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def copy(self, source: Path, path: Path) -> Path:
        """source's bytes as the absolute path of the image; where that is now."""
        target = self.folder / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if target.parent.name == "bin" or ".so" in target.name else 0o644)
        return target

    def finish(self) -> None:
        """Folders, links, and one time for everything."""
        for path, mode in FOLDERS.items():
            (self.folder / path).mkdir(parents=True, exist_ok=True)
            (self.folder / path).chmod(mode)
        os.chown(self.folder / SOCKETS, USER, USER)  # so that an empty volume on it is the program's
        for path, target in LINKS.items():
            link = self.folder / path
            link.parent.mkdir(parents=True, exist_ok=True)
            if target.startswith(("/", "..")) or (self.folder / target).is_dir():  # not every machine has a lib64
                link.symlink_to(target)
        for path in [self.folder, *self.folder.rglob("*")]:
            os.utime(path, (self.epoch, self.epoch), follow_symlinks=False)


def add_libraries(root: Root, program: Path) -> dict[str, Package]:
    """The packages that the program's libraries come from, by name; the libraries are copied."""
    packages: dict[str, Package] = {}

    def add(source: Path, path: Path) -> None:
        package = described(package_of(source.resolve()))
        packages.setdefault(package.name, package).files.append(root.copy(source, path))

    for library in libraries_of(program):
        add(library, library)
    add(OS_RELEASE, OS_RELEASE)
    bundle = packages["ca-certificates"] = described("ca-certificates")
    bundle.files.append(root.copy(CERTIFICATES, CERTIFICATES))
    return packages


def add_licences(root: Root, packages: dict[str, Package]) -> None:
    """The packages' copyright files, and the licences that they refer to."""
    wanted = set()
    for package in packages.values():
        copyright_file = Path("/usr/share/doc") / package.name / "copyright"
        root.copy(copyright_file, copyright_file)
        wanted |= set(re.findall(rf"{LICENCES}/([\w.+-]*\w)", copyright_file.read_text(errors="replace")))
    for name in wanted:
        if (LICENCES / name).is_file():
            root.copy(LICENCES / name, LICENCES / name)


def main() -> int:
    program, target = Path(sys.argv[1]), Path(sys.argv[2])
    root = Root(target, int(os.environ["SOURCE_DATE_EPOCH"]))
    shutil.rmtree(target, ignore_errors=True)
    installed = root.copy(program, Path("/usr/bin") / program.name)
    subprocess.run(["strip", "--strip-all", str(installed)], check=True)
    packages = add_libraries(root, program)
    add_licences(root, packages)
    root.copy(Path("LICENSE"), Path("/usr/share/doc/tweetmesh/copyright"))
    for path, text in FILES.items():
        root.write(path, text)
    for package in packages.values():  # where scanners look in images without dpkg
        root.write(f"var/lib/dpkg/status.d/{package.name}", output_of("dpkg-query", "-s", package.name))
    version = output_of(str(program), "--version").split()[-1]
    bill = sbom.bom(sbom.Program(program.name, version, installed), packages.values(), root.folder, root.epoch)
    root.write("usr/share/doc/tweetmesh/sbom.cdx.json", bill)
    root.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
