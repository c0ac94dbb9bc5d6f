# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests and measurements: an authority of one's own and what it issues, by openssl."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

LONG_AGO = ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"]
HOSTS = "DNS:localhost,IP:127.0.0.1"


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path

    @property
    def both(self) -> Path:
        """One file with certificate and key, as MongoDB's driver and Kafka want it."""
        path = self.cert.with_suffix(".both.pem")
        path.write_text(self.cert.read_text() + self.key.read_text())
        return path

    def replace_with(self, other: Certificate) -> None:
        """Moves another's content into place, key first, as an administrator would."""
        for mine, theirs in ((self.key, other.key), (self.cert, other.cert)):
            partial = mine.with_suffix(".partial")
            partial.write_bytes(theirs.read_bytes())
            os.replace(partial, mine)


class Authority:
    """Issues certificates into a folder of its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.cert = self.folder / "ca.pem"
        self._key = self.folder / "ca.key"
        self._count = 0
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self._key)
        _openssl(
            "req", "-x509", "-new", "-key", self._key, "-subj", f"/CN={name}", "-days", "30", "-out", self.cert,
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    def issue(self, name: str, *, hosts: str = HOSTS, days: int = 30, expired: bool = False) -> Certificate:
        """A certificate for this name and these hosts, for servers and clients alike."""
        self._count += 1
        stem = self.folder / f"{name}-{self._count}"
        made = Certificate(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        request, extensions = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={hosts}\nextendedKeyUsage=serverAuth,clientAuth\n")
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", made.key)
        _openssl("req", "-new", "-key", made.key, "-subj", f"/CN={name}", "-out", request)
        time = LONG_AGO if expired else ["-days", str(days)]
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self._key, "-out", made.cert,
            "-extfile", extensions, *time,
        )  # fmt: skip
        return made
