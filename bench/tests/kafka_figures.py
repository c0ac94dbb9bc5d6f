# SPDX-License-Identifier: Apache-2.0
"""Figures of Kafka that nobody has measured, for tests of what is made from figures."""

from __future__ import annotations

from bench.driver.kafka.fetch import Fetch
from bench.driver.kafka.measure import KAFKA_QUICK, Found
from bench.driver.kafka.page import document
from bench.driver.kafka.points import FETCH_BYTES, SPECS, Spec

ABOUT = {"CPU": "a fast one", "cores": "2", "memory": "4.0 GiB", "Kafka": "4.0", "librdkafka": "2.8"}


def run_of(spec: Spec, factor: float = 1.0) -> dict[str, float]:
    """The more waits, the faster and the slower."""
    rate = spec.rate or factor * 1000 * (1 + spec.linger_us / 1000) * (10 if spec.in_flight == 0 else 1)
    return {
        "events_per_s": rate,
        "p50_ms": 0.5 + spec.linger_us / 1000,
        "p99_ms": 2.0 + spec.linger_us / 500,
        "client_us": 1e6 / rate / 2,
        "broker_us": 1e6 / rate / 3,
        "log_bytes": 300.0,
    }


def found(rounds: int = 2) -> Found:
    found = Found(seconds=12.0, stolen=0.01, whole=True)
    for number in range(rounds):
        for spec in SPECS:
            found.runs[spec].append(run_of(spec, 1 + number / 10))
        for size in FETCH_BYTES:
            found.fetched[size].append(Fetch(size * 10.0, 1.0, 0.5, 0.0))
    return found


def told(of: Found | None = None) -> dict:
    return document(of or found(), KAFKA_QUICK, ABOUT, "2026-11-21 10:00 UTC", 500)
