# SPDX-License-Identifier: Apache-2.0
"""What is built from Go modules: FerretDB (a server that speaks MongoDB's protocol), grpcurl, toxiproxy and the loader
of compose files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from stack.cache import cached, run_step
from stack.process import StackError

GO_FALLBACK = "go1.26.0"  # fetched through the module proxy where the system's Go is too old
FERRETDB = ("github.com/FerretDB/FerretDB", "v1.24.2", "h1:trrUU0LbmusMbyubhPS1IELncvrIwKrsRT2LW1UUWCw=")
FERRETDB_GO = (1, 24)
GRPCURL = ("github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.9.4")
GRPCURL_GO = (1, 25)
TOXIPROXY = ("github.com/Shopify/toxiproxy/v2/cmd/server", "v2.5.0")
TOXIPROXY_GO = (1, 19)
COMPOSE = ("github.com/compose-spec/compose-go/v2/cmd", "v2.9.1")
COMPOSE_GO = (1, 23)

# Three faults of FerretDB v1.24.2: file, what it says, what it has to say.
FERRETDB_FIXES = (
    # Finding by _id did not use its index.
    ("internal/backends/sqlite/metadata/metadata.go", r"\"->'\$\._id'\"", "\"->'_id'\""),
    # A command of more than 100 updates hung: an iterator was not closed.
    (
        "internal/handler/msg_update.go",
        r"(?m)^\t\tresult, err := common\.UpdateDocument\(.*$",
        "\\g<0>\n\t\tcloser.Close()",
    ),
    # The second accumulator of a $group saw a used-up iterator.
    (
        "internal/handler/common/aggregations/stages/group.go",
        r"(?m)^.*(groupIter := |defer groupIter\.Close).*\n",
        "",
    ),
    (
        "internal/handler/common/aggregations/stages/group.go",
        r"(?m)^(\t*)out, err := accumulation.*$",
        "\\1groupIter := iterator.Values(iterator.ForSlice(groupedDocument.documents))\n\\g<0>\n\\1groupIter.Close()",
    ),
)


def go_environment(needed: tuple[int, int]) -> dict[str, str]:
    """The user's Go settings (GOPROXY and the like), with a toolchain that is new enough.

    GOTOOLCHAIN is always given, because the user's own setting may be "local".
    """
    if not shutil.which("go"):
        raise StackError("go is missing: install golang-go")
    local = {**os.environ, "GOTOOLCHAIN": "local"}
    version = subprocess.run(["go", "env", "GOVERSION"], env=local, capture_output=True, text=True, check=True)
    found = re.match(r"go(\d+)\.(\d+)", version.stdout)
    new_enough = found is not None and (int(found[1]), int(found[2])) >= needed
    return {**os.environ, "GOTOOLCHAIN": "local" if new_enough else GO_FALLBACK, "CGO_ENABLED": "0", "GOFLAGS": ""}


def download(module: str, version: str, checksum: str, log: Path, needed: tuple[int, int]) -> Path:
    """Fetches a module into Go's own cache and returns its folder there."""
    command = ["go", "mod", "download", "-json", f"{module}@{version}"]
    environment = go_environment(needed)
    with log.open("ab") as out:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=out, cwd="/", check=False)
    answer = json.loads(done.stdout or b"{}")
    if done.returncode != 0 or "Dir" not in answer:
        raise StackError(f"fetching {module} failed: {answer.get('Error', 'see the log')}; log {log}")
    if answer["Sum"] != checksum:
        raise StackError(f"{module} {version} has checksum {answer['Sum']}, expected {checksum}")
    return Path(answer["Dir"])


def _fix(source: Path) -> None:
    for name, pattern, replacement in FERRETDB_FIXES:
        path = source / name
        text, count = re.subn(pattern, replacement, path.read_text())
        if count == 0:
            raise StackError(f"FerretDB: {name} is not what was to be fixed ({pattern})")
        path.write_text(text)


def ferretdb() -> Path:
    """FerretDB with the SQLite back end. `go install` will not do: it lacks version.txt and the fixes."""
    module, version, checksum = FERRETDB

    def make(folder: Path, log: Path) -> None:
        source = folder / "source"
        shutil.copytree(download(module, version, checksum, log, FERRETDB_GO), source, copy_function=shutil.copyfile)
        for path in (source, *source.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        (source / "build/version/version.txt").write_text(version + "\n")
        _fix(source)
        build = ["go", "build", "-trimpath", "-buildvcs=false", "-tags", "ferretdb_no_postgresql"]
        build += ["-ldflags", "-s -w", "-o", str(folder / "ferretdb"), "./cmd/ferretdb"]
        run_step("building FerretDB", build, log=log, cwd=source, env=go_environment(FERRETDB_GO))
        shutil.rmtree(source)

    return cached(f"ferretdb-{version}-1", make, what="building FerretDB") / "ferretdb"


def installed(module: str, version: str, needed: tuple[int, int], name: str) -> Path:
    """A program that `go install` makes; name: of the folder it is kept in, and in what is said."""

    def make(folder: Path, log: Path) -> None:
        environment = {**go_environment(needed), "GOBIN": str(folder)}
        run_step(f"building {name}", ["go", "install", f"{module}@{version}"], log=log, cwd=folder, env=environment)

    return cached(f"{name}-{version}", make, what=f"building {name}") / module.rsplit("/", 1)[-1]


def grpcurl() -> Path:
    """grpcurl, for talking to grpc-server as an outsider."""
    return installed(*GRPCURL, GRPCURL_GO, "grpcurl")


def toxiproxy() -> Path:
    """Toxiproxy's server."""
    return installed(*TOXIPROXY, TOXIPROXY_GO, "toxiproxy")


def compose_loader() -> Path:
    """The Compose specification's own loader: prints a compose file as it is understood, or why it is none."""
    return installed(*COMPOSE, COMPOSE_GO, "compose-go")
