# SPDX-License-Identifier: Apache-2.0
"""What is measured, and how good it has to be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """One figure. An id has several where the issue asks for several."""

    id: str
    name: str  # of the figure, unique; the id where that is enough
    what: str
    unit: str  # "" for a ratio
    better: str  # "lower" or "higher"
    goal: float
    stretch: float | None = None

    def met(self, value: float) -> bool:
        return value <= self.goal if self.better == "lower" else value >= self.goal

    def stretched(self, value: float) -> bool:
        if self.stretch is None:
            return False
        return value <= self.stretch if self.better == "lower" else value >= self.stretch


LOWER, HIGHER = "lower", "higher"

# One line each, however long the formatter would make them.
# fmt: off
GOALS: tuple[Goal, ...] = (
    Goal("P1", "P1", "CPU of api per event, 1 a request ÷ bare libmicrohttpd", "", LOWER, 2.5, 1.8),
    Goal("P2", "P2", "CPU of api + grpc-server + ws-redis per event ÷ bare libmicrohttpd", "", LOWER, 4, 2.8),
    Goal("P2b", "P2b", "events/s accepted, 1 a request ÷ bare producer, 64 in flight", "", HIGHER, 0.35, 0.6),
    Goal("P3", "P3", "events/s accepted, 100 a request ÷ bare producer", "", HIGHER, 0.33, 0.5),
    Goal("P4", "P4", "CPU of api + grpc-server per event, 100 a request", "µs", LOWER, 4, 2.5),
    Goal("P5", "P5", "events/s over gRPC PublishStream, 100 a message ÷ bare producer", "", HIGHER, 0.45, 0.65),
    Goal("P6", "P6", "documents/s archived and settled in FerretDB ÷ bare bulk insert", "", HIGHER, 0.85, 0.95),
    Goal("P6b", "P6b-cpu", "CPU of kafka-consumer per document into mongo-sink ÷ bare bulk insert", "", LOWER, 6, 4),
    Goal("P6b", "P6b-rate", "documents/s archived and settled into mongo-sink", "/s", HIGHER, 150_000, 250_000),
    Goal("P7", "P7", "events/s counted, frames of 100 ÷ half of redis-benchmark -P 16 HINCRBY", "", HIGHER, 4, 8),
    Goal("P8", "P8", "median of 202 - median of bare produce, at 30 % of peak", "ms", LOWER, 0.5, 0.25),
    Goal("P9", "P9-30", "p99 of 202 ÷ p99 of bare produce, at 30 % of peak", "", LOWER, 2, 1.5),
    Goal("P9", "P9-70", "p99 of 202 ÷ p99 of bare produce, at 70 % of peak", "", LOWER, 3, 2),
    Goal("P10", "P10-p50", "202 → visible in Redis, median, at 30 % of peak", "ms", LOWER, 3, 1),
    Goal("P10", "P10-p99", "202 → visible in Redis, p99, at 30 % of peak", "ms", LOWER, 20, 5),
    Goal("P11", "P11-idle", "resident memory, idle, of the biggest program", "MiB", LOWER, 16, 10),
    Goal("P11", "P11-peak", "resident memory of all four, at peak with 1,000 connections", "MiB", LOWER, 150, 80),
    Goal("P12", "P12-start", "start to ready of the slowest program", "ms", LOWER, 150, 50),
    Goal("P12", "P12-cpu", "CPU of the busiest program, idle", "%", LOWER, 0.1, 0.02),
    Goal("P12", "P12-wake", "wake-ups a second of the busiest program, idle", "/s", LOWER, 10, 3),
    Goal("P13", "P13", "events/s sustained, nothing falling behind ÷ accepted peak", "", HIGHER, 0.5, 0.75),
    Goal("P14", "P14", "seconds for a million events, archived and counted ÷ bare insert", "", LOWER, 1.5, 1.15),
    Goal("P15", "P15", "events/s accepted, 1 a request, HTTPS, gRPC mTLS, SASL_SSL ÷ plain", "", HIGHER, 0.7, 0.85),
    Goal("P16", "P16-pods", "change of CPU per event, 1 → 2 → 3 pods", "%", LOWER, 10),
    Goal("P16", "P16-partitions", "change of CPU per event, 1 → 4 → 16 partitions", "%", LOWER, 10),
    Goal("P16", "P16-connections", "change of CPU per event, 10 → 1,000 → 10,000 connections", "%", LOWER, 10),
)
# fmt: on

BY_NAME = {goal.name: goal for goal in GOALS}
IDS = tuple(dict.fromkeys(goal.id for goal in GOALS))
