# SPDX-License-Identifier: Apache-2.0
"""Goal: an image holds its program and what that needs, says what it is, and runs with no rights at all.

Method: each image is unpacked and looked at by other means than made it; the programs run confined as in a pod.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from images.containers import USER, Unpacked, ran
from support.streams import PROJECT
from tools.mesh.images import MB_GOAL, PROGRAMS, Engine, image_name, revision, version

Unpack = Callable[[str], Unpacked]
every_program = pytest.mark.parametrize("program", PROGRAMS)
DOC = Path("usr/share/doc")


@every_program
def test_it_is_small(engine: Engine, program: str, record_testsuite_property: Callable[[str, object], None]) -> None:
    size = engine.size(image_name(program))
    told = f"{image_name(program)}: {size.compressed / 1e6:.1f} MB"
    record_testsuite_property("compressed", told)  # for the summary of ./mesh test
    assert size.compressed <= MB_GOAL * 1e6, told


@every_program
def test_it_runs_as_nobody_and_says_what_it_is(unpacked: Unpack, program: str) -> None:
    config = unpacked(program).config["Config"]
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == [f"/usr/bin/{program}"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["version"] == version()
    assert labels["licenses"] == "Apache-2.0"
    assert program in labels["title"]
    assert labels["revision"] == revision(), "an image of another commit's program"
    for name in ("description", "created", "vendor"):
        assert labels[name]


@every_program
def test_the_program_is_all_that_can_be_run(unpacked: Unpack, program: str) -> None:
    image = unpacked(program)
    runnable = {
        name
        for name, member in image.members.items()
        if member.isfile() and member.mode & 0o111 and name not in image.libraries()
    }
    assert runnable == {f"usr/bin/{program}"}
    assert not any(member.mode & 0o6000 for member in image.members.values()), "set-user-id or set-group-id"


@every_program
def test_nothing_of_the_image_is_there_for_others_to_write(unpacked: Unpack, program: str) -> None:
    writable = {
        name
        for name, member in unpacked(program).members.items()
        if not member.issym() and (member.mode & 0o022 or (member.uid, member.gid) != (0, 0))
    }
    # What is mounted on in a pod; /tmp for whoever wants one.
    runtime = {"dev", "proc", "sys", "etc/hosts", "etc/resolv.conf", "etc/hostname", "run/.containerenv", "etc/mtab"}
    assert writable - runtime == {"tmp", "run/tweetmesh"}


@every_program
def test_it_has_the_libraries_that_are_loaded_and_no_others(unpacked: Unpack, engine: Engine, program: str) -> None:
    """The image's own loader, asked in the image, finds each; and no file is there that it does not load."""
    image = unpacked(program)
    loader = next(name for name in image.libraries() if "/ld-linux" in name)
    listed = engine.run(
        *("podman", "run", "--rm", "--pull=never", "--network=none", "--read-only", f"--entrypoint=/{loader}"),
        *(image_name(program), "--list", f"/usr/bin/{program}"),
    ).stdout
    assert "not found" not in listed
    loaded = {Path(path).name for path in re.findall(r"(\S+) \(0x", listed)} - {"linux-vdso.so.1"}
    assert loaded == {Path(name).name for name in image.libraries()}


@every_program
def test_each_library_comes_with_its_licence(unpacked: Unpack, program: str) -> None:
    image = unpacked(program)
    packages = {item["name"] for item in image.bill["components"]}
    assert packages == {path.name for path in (image.folder / DOC).iterdir()} - {"tweetmesh"}
    assert packages == {path.name for path in (image.folder / "var/lib/dpkg/status.d").iterdir()}
    for package in packages:
        text = (image.folder / DOC / package / "copyright").read_text(errors="replace")
        for licence in re.findall(r"/usr/share/common-licenses/([\w.+-]*\w)", text):
            if (Path("/usr/share/common-licenses") / licence).exists():
                assert (image.folder / "usr/share/common-licenses" / licence).is_file()
    assert (image.folder / DOC / "tweetmesh/copyright").read_bytes() == (PROJECT / "LICENSE").read_bytes()


@every_program
def test_the_bill_of_materials_is_valid_and_complete(unpacked: Unpack, program: str) -> None:
    image = unpacked(program)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(image.bill)) is None
    ours = image.bill["metadata"]["component"]
    assert (ours["name"], ours["version"]) == (program, version())
    listed = {
        f["name"].strip("/"): f["hashes"][0]["content"] for c in image.bill["components"] for f in c["components"]
    }
    listed[f"usr/bin/{program}"] = ours["hashes"][0]["content"]
    for name, digest in listed.items():
        assert hashlib.sha256((image.folder / name).read_bytes()).hexdigest() == digest, name
    assert image.libraries() <= set(listed)
    refs = {c["bom-ref"] for c in image.bill["components"]} | {ours["bom-ref"]}
    for entry in image.bill["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= refs
    assert all(re.fullmatch(r"pkg:deb/debian/\S+@\S+\?arch=\w+&distro=debian-13", ref) for ref in refs - {ours["purl"]})


@every_program
def test_the_program_is_hardened(unpacked: Unpack, program: str) -> None:
    binary = unpacked(program).folder / "usr/bin" / program
    read = subprocess.run(["readelf", "-hldW", str(binary)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Type: +DYN", read), "not position independent"
    assert "GNU_RELRO" in read and "BIND_NOW" in read
    assert re.search(r"GNU_STACK.* RW ", read), "an executable stack"


@every_program
def test_no_trace_of_who_built_it_is_left(unpacked: Unpack, program: str) -> None:
    """Neither certificates of the building machine nor its proxies nor its folders."""
    image = unpacked(program)
    assert not any("proxy" in entry.lower() for entry in image.config["Config"]["Env"])
    assert str(PROJECT).encode() not in (image.folder / "usr/bin" / program).read_bytes()
    bundle = (image.folder / "etc/ssl/certs/ca-certificates.crt").read_text()
    count = bundle.count("BEGIN CERTIFICATE")
    mozilla = len(list(Path("/usr/share/ca-certificates/mozilla").glob("*.crt")))
    assert 100 < count <= mozilla


@every_program
def test_help_and_version_are_told_without_any_right(engine: Engine, program: str) -> None:
    told = ran(engine, program, "--help")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"{program}: ")
    assert ran(engine, program, "--version").stdout.split() == [program, version()]


@every_program
def test_its_configuration_is_checked_with_the_streams_mounted(engine: Engine, program: str) -> None:
    mount = f"--volume={PROJECT / 'streams'}:/etc/tweetmesh/streams:ro"
    good = ran(engine, program, "--check-config", options=[mount])
    assert good.returncode == 0, good.stderr
    options = json.loads(ran(engine, program, "--options").stdout)["options"]
    number = next(option["name"] for option in options if option["type"] == "uint")
    bad = ran(engine, program, "--check-config", options=[mount, f"--env={number}=many"])
    assert bad.returncode == 2
    assert number in bad.stdout + bad.stderr
