# SPDX-License-Identifier: Apache-2.0
"""A server that speaks MongoDB's protocol on loopback: a real mongod where there is one, else FerretDB."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pymongo
from pymongo.errors import PyMongoError

from stack.component import Component
from stack.go_tools import ferretdb
from stack.ports import accepts


def real_mongod() -> str | None:
    """The mongod of the machine: $MONGOD, or the one in PATH."""
    return os.environ.get("MONGOD") or shutil.which("mongod")


class Mongo(Component):
    """One server, standalone. product says which of the two it is."""

    usual_ports = {"mongo": 27017}
    _ferretdb: Path | None = None

    @property
    def url(self) -> str:
        return self.url_at(f"{self.host}:{self.ports['mongo']}")

    def url_at(self, address: str) -> str:
        """Its URL for somebody who reaches it at another host:port."""
        return f"mongodb://{address}"

    @property
    def product(self) -> str:
        return "mongod" if real_mongod() else "FerretDB"

    def prepare(self) -> None:
        if not real_mongod():
            self._ferretdb = ferretdb()

    def command(self) -> list[str]:
        address, port = self.bind, str(self.ports["mongo"])
        if mongod := real_mongod():
            return [mongod, "--bind_ip", address, "--port", port, "--dbpath", str(self.folder), "--nounixsocket"]
        return [
            str(self._ferretdb),
            "--handler=sqlite",
            f"--sqlite-url=file:{self.folder}/",
            "--state-dir=-",
            f"--listen-addr={address}:{port}",
            "--debug-addr=-",
            "--telemetry=disable",
            "--log-level=ERROR",
        ]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "DO_NOT_TRACK": "1"}

    def is_ready(self) -> bool:
        if not accepts(self.ports["mongo"], self.host):
            return False
        try:
            with pymongo.MongoClient(self.url, serverSelectionTimeoutMS=2000) as client:
                client.admin.command("ping")
            return True
        except PyMongoError:
            return False
