# SPDX-License-Identifier: Apache-2.0
"""All experiments, in the order in which they run: who measures a peak comes before those that want to know it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.driver.experiment import Experiment
from bench.driver.rows_accept import Batches, Singles
from bench.driver.rows_archive import ArchiveReal, ArchiveSink
from bench.driver.rows_count import Counting
from bench.driver.rows_idle import Idle
from bench.driver.rows_latency import Latency
from bench.driver.rows_scale import Scale
from bench.driver.rows_secure import Secure
from bench.driver.rows_whole import Million, Sustained

EXPERIMENTS: tuple[Experiment, ...] = (
    Singles(),
    Secure(),
    Latency(),
    Scale(),
    Idle(),
    Counting(),
    Batches(),
    Sustained(),
    ArchiveSink(),
    ArchiveReal(),
    Million(),
)


def needed(ids: Sequence[str]) -> list[Experiment]:
    return [experiment for experiment in EXPERIMENTS if set(experiment.ids) & set(ids)]
