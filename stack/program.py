# SPDX-License-Identifier: Apache-2.0
"""One of our own programs: started from a build folder, watched through its ops port."""

from __future__ import annotations

import http.client
import json
import os
import re
from pathlib import Path

from stack.component import Component, Home
from stack.process import StackError, poll_until

PROGRAMS = ("api", "grpc-server", "ws-redis", "kafka-consumer")

# What a sanitizer finds ends the program, so that the test that caused it fails.
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
    "TSAN_OPTIONS": "halt_on_error=0:exitcode=99",
}

# What a sanitizer, an assertion or the C library says when a program of ours is broken.
_COMPLAINT = re.compile(
    r"ERROR: (Address|Leak|Thread|Undefined)|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed|"
    r"double free|free\(\): invalid|stack smashing"
)

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(\{[^}]*\})?\s+(\S+)")


def complaints(log: Path, start: int = 0) -> list[str]:
    """The lines of a log, from a byte on, in which a sanitizer or the C library complains."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [f"{log}: {line[:300]}" for line in lines if _COMPLAINT.search(line)]


class Program(Component):
    """api, grpc-server, ws-redis or kafka-consumer. Settings are its environment, beyond the usual.

    name is the instance ("kafka-consumer-2"), program the folder and file ("kafka-consumer").
    """

    ready_seconds = 30
    stop_seconds = 30

    def __init__(
        self,
        name: str,
        home: Home,
        known: dict | None = None,
        *,
        program: str,
        build: Path,
        settings: dict[str, str],
        usual_ports: dict[str, int] | None = None,
    ) -> None:
        self.usual_ports = {"ops": 0} | (usual_ports or {})
        super().__init__(name, home, known)
        self.program = program
        self.binary = build / program / program
        self.settings = settings

    @property
    def url(self) -> str:
        """Its ops address, without a slash at the end."""
        return f"http://127.0.0.1:{self.ports['ops']}"

    def prepare(self) -> None:
        if not os.access(self.binary, os.X_OK):
            raise StackError(f"{self.name} is not built: {self.binary} is missing (./mesh build)")

    def command(self) -> list[str]:
        return [str(self.binary)]

    def environment(self) -> dict[str, str]:
        ops = {"OPS_HOST": "127.0.0.1", "OPS_PORT": str(self.ports["ops"])}
        return SANITIZERS | dict(os.environ) | ops | self.settings

    def get(self, path: str, seconds: float = 5) -> tuple[int, str]:
        """GET on the ops port: status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["ops"], timeout=seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz", 2)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_not_ready(self, seconds: float = 30) -> None:
        """Waits until /readyz says no (or nothing), while the program goes on running."""
        for _ in poll_until(seconds):
            if not self.is_ready():
                return
        raise StackError(f"{self.name} was still ready after {seconds:g} s; log {self.log}")

    def status(self) -> dict:
        """What GET /status answers."""
        return json.loads(self.get("/status")[1])

    def metrics(self) -> dict[str, float]:
        """All samples of GET /metrics: {'name{label="x"}': value}."""
        samples = {}
        for line in self.get("/metrics")[1].splitlines():
            if found := _SAMPLE.match(line):
                samples[found[1] + (found[2] or "")] = float(found[3])
        return samples

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name that carry these labels; 0 if there is none."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            value
            for sample, value in self.metrics().items()
            if sample.partition("{")[0] == name and all(pair in sample for pair in wanted)
        )
