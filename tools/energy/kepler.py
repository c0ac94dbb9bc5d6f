# SPDX-License-Identifier: Apache-2.0
"""What a Kepler (0.10 or later) says about the energy of processes: read over HTTP, by process id."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass

from stack.process import StackError, poll_until
from tools.energy.exposition import Sample, samples
from tools.energy.factors import FAKE, MEASURED

ZONE = "package"  # zones overlap: only one of them is ever added up
NODE, PROCESS = "kepler_node_cpu_joules_total", "kepler_process_cpu_joules_total"
FAKE_METER = "/energy_"  # Kepler's own fake meter names its zones like that; a real one is a sysfs folder
ANSWER_S_MAX = 10
MOVE_S_MAX = 30


@dataclass(frozen=True)
class Reading:
    """One answer of Kepler."""

    node_joules: float
    joules: dict[int, float]  # by process id, since Kepler first saw it
    fake: bool  # it says itself that its meter is none


class Kepler:
    """A Kepler on this machine. Threads: any, one call at a time."""

    def __init__(self, url: str, *, fake: bool = False) -> None:
        """url: "http://127.0.0.1:28282", with or without /metrics. fake: we know that its meter is none."""
        base = url.rstrip("/")
        self.url = base if base.endswith("/metrics") else f"{base}/metrics"
        self._fake = fake

    def read(self) -> Reading:
        """Raises StackError where there is no Kepler, or one that measures no energy."""
        found = self._samples()
        nodes = _of_zone(found, NODE)
        if not nodes:
            other = any(sample.name.startswith("kepler_") for sample in found)
            what = f"has no {NODE} of zone {ZONE}: it has no meter" if other else "does not answer as Kepler does"
            raise StackError(f"{self.url} {what}; without KEPLER_URL the energy is estimated from CPU time")
        joules: dict[int, float] = {}
        for sample in _of_zone(found, PROCESS):
            pid = int(sample.labels.get("pid") or 0)
            joules[pid] = joules.get(pid, 0.0) + sample.value
        fake = any(FAKE_METER in sample.labels.get("path", "") for sample in nodes)
        return Reading(sum(sample.value for sample in nodes), joules, fake)

    def quality(self, reading: Reading) -> str:
        return FAKE if self._fake or reading.fake else MEASURED

    def read_after(self, before: Reading) -> Reading:
        """The first reading whose meter has moved since, so that what was done before this call is in it."""
        for _ in poll_until(MOVE_S_MAX, 0.2):
            now = self.read()
            if now.node_joules != before.node_joules:
                return now
        raise StackError(f"the meter of {self.url} stands still: {NODE} is {before.node_joules:g} for {MOVE_S_MAX} s")

    def _samples(self) -> list[Sample]:
        try:
            with urllib.request.urlopen(self.url, timeout=ANSWER_S_MAX) as answer:
                return samples(answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            raise StackError(f"Kepler at {self.url} answers {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            raise StackError(f"no Kepler at {self.url}: {getattr(error, 'reason', error)}") from error
        except ValueError as error:
            raise StackError(f"{self.url} does not answer as Kepler does: {error}") from error


def _of_zone(found: list[Sample], name: str) -> list[Sample]:
    return [sample for sample in found if sample.name == name and sample.labels.get("zone") == ZONE]
