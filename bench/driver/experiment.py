# SPDX-License-Identifier: Apache-2.0
"""An experiment: one set-up that is loaded in turns with its baselines, and gives one or more rows."""

from __future__ import annotations

import http.client
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import KafkaException
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from bench.driver.goals import GOALS
from bench.driver.pace import Pace
from bench.driver.pipeline import ACCEPTING, Pipeline, Setup
from bench.driver.row import Row, void_row
from bench.driver.site import Site
from stack.process import StackError

# Of what is measured, or of the way to it: this experiment is void, the others go on. All else is our own error.
FAILURES = (StackError, OSError, ValueError, KeyError, subprocess.SubprocessError, http.client.HTTPException)
FAILURES += (KafkaException, RedisError, PyMongoError)


@dataclass
class Verdict:
    """Of the audit; filled in when the `with` of audited() ends."""

    void: str = ""

    def of(self, rows: Sequence[Row]) -> list[Row]:
        for row in rows:
            row.void = row.void or self.void
        return list(rows)


class Experiment(ABC):
    """Each has one instance, in matrix.py. Threads: the main one."""

    ids: tuple[str, ...]
    text: str

    @abstractmethod
    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        """Rows at least for those of the ids that are wanted. StackError: they are all void."""

    @abstractmethod
    def estimate(self, pace: Pace) -> float:
        """About how many seconds it takes."""

    def rows(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        """The wanted rows and no others; where it failed, void ones that say why."""
        asked = [goal for goal in GOALS if goal.id in wanted and goal.id in self.ids]
        try:
            found = {row.goal.name: row for row in self.run(site, wanted)}
        except FAILURES as error:
            first = (str(error).splitlines() or [""])[0]
            reason = f"{type(error).__name__}: {first}"
            return [void_row(goal, reason) for goal in asked]
        return [found.get(goal.name) or void_row(goal, "was not measured") for goal in asked]


@contextmanager
def audited(site: Site, setup: Setup, verdict: Verdict):
    """A pipeline for the time of the `with`; at its end everything is drained and audited."""
    with Pipeline(site, setup) as pipeline:
        yield pipeline
        verdict.void = pipeline.verdict()


def accepted_peak(site: Site, batch: int) -> float:
    """Events/s that are accepted; measured on the spot where no row has done so yet."""
    if batch not in site.peaks.per_s:
        name = "peak" if batch == 1 else f"peak-{batch}"
        site.say(f"  looking for the peak at {batch} a request")
        verdict = Verdict()
        with audited(site, Setup(name, programs=ACCEPTING), verdict) as pipeline:
            pipeline.warm(batch=batch)
            found = pipeline.load(site.pace.seconds / 2, batch=batch).per_s
        if verdict.void:
            raise StackError(f"the peak is void: {verdict.void}")
        site.peaks.per_s[batch] = found
    return site.peaks.per_s[batch]
