# SPDX-License-Identifier: Apache-2.0
"""Runs every point in turns, round after round, against one warm broker; then reads back what was written.

The rounds go over all points, so that what slows the machine for a while slows a round of each and not all of one.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from confluent_kafka import KafkaException

from bench.driver.bare_kafka import PARTITIONS, BareKafka
from bench.driver.corpus import Corpus
from bench.driver.figures import median, spread
from bench.driver.kafka.fetch import Fetch, fetches
from bench.driver.kafka.points import FETCH_BYTES, LINGER_US, POINTS, SPECS, Point, Spec
from bench.driver.site import BROKER
from bench.driver.stores import Kafka
from bench.driver.tools import Tools
from bench.driver.watch import Machine
from stack.mesh import Mesh, Options
from stack.process import StackError

START_S = 8  # a broker with the JVM's defaults
AROUND_S = 0.9  # making a topic, starting a producer, sending out its queue, counting, deleting
FETCH_S = 1.2  # one read, about
FIGURES = ("events_per_s", "p50_ms", "p99_ms", "client_us", "broker_us", "log_bytes")


@dataclass(frozen=True)
class KafkaPace:
    rounds: int = 3
    seconds: float = 2.0
    warm_s: float = 0.4  # before each
    broker_warm_s: float = 6.0
    fetched: int = 400_000  # events read back, a round
    quick: bool = False

    def cut(self, rounds: int | None, seconds: float | None) -> KafkaPace:
        factor = (seconds or self.seconds) / self.seconds
        return replace(
            self,
            rounds=rounds or self.rounds,
            seconds=self.seconds * factor,
            warm_s=min(self.warm_s, self.warm_s * factor),
            broker_warm_s=min(self.broker_warm_s, self.broker_warm_s * factor),
            fetched=max(10_000, round(self.fetched * factor)),
        )

    @property
    def text(self) -> str:
        rounds = f"{self.rounds} round" + ("s" if self.rounds > 1 else "")
        return f"{rounds} of {self.seconds:g} s for each of {len(SPECS)} settings" + (", quick" if self.quick else "")

    @property
    def estimate(self) -> float:
        one = len(SPECS) * (self.seconds + self.warm_s + AROUND_S) + FETCH_S * (3 + len(FETCH_BYTES))
        return START_S + self.broker_warm_s + self.rounds * one


KAFKA_FULL = KafkaPace()
KAFKA_QUICK = KafkaPace(rounds=1, seconds=0.6, warm_s=0.2, broker_warm_s=3, fetched=200_000, quick=True)


@dataclass
class Found:
    """All runs so far, by what was measured; whole only if no round was cut off."""

    runs: dict[Spec, list[dict[str, float]]] = field(default_factory=lambda: defaultdict(list))
    failed: dict[Spec, str] = field(default_factory=dict)
    fetched: dict[int, list[Fetch]] = field(default_factory=lambda: defaultdict(list))
    fetch_failed: str = ""
    seconds: float = 0.0
    stolen: float = 0.0
    whole: bool = False

    @property
    def ok(self) -> bool:
        return self.whole and not self.failed and not self.fetch_failed

    def points(self) -> list[dict]:
        return [self._point(point) for point in POINTS]

    def _point(self, point: Point) -> dict:
        told = {"group": point.group, "series": point.series, "x": point.x, "label": point.label}
        runs = self.runs.get(point.spec, [])
        if point.spec in self.failed or not runs:
            return told | {"failed": self.failed.get(point.spec, "not measured")}
        medians = {name: round(median([run[name] for run in runs]), 4) for name in FIGURES}
        return told | medians | {"spread": spread([run["events_per_s"] for run in runs]), "rounds": len(runs)}

    def fetch_points(self) -> list[dict]:
        return [
            {"bytes": size}
            | {name: round(median([getattr(one, name) for one in found]), 4) for name in Fetch.FIGURES}
            | {"spread": spread([one.events_per_s for one in found])}
            for size, found in self.fetched.items()
        ]


class BrokerSite:
    """One broker and nothing else. Threads: the main one."""

    def __init__(self, folder: Path, build: Path) -> None:
        self.tools = Tools(build)
        self.folder = folder
        self._mesh = Mesh(folder, Options(build=build, jvm_defaults=True, partitions=PARTITIONS))
        self.broker = self._mesh.kafka
        self.broker.properties |= BROKER
        self.corpus: Corpus
        self.bare: BareKafka
        self._kafka: Kafka | None = None

    def __enter__(self) -> BrokerSite:
        self._mesh.erase()
        try:
            self.broker.folder.mkdir(parents=True, exist_ok=True)
            self.broker.start()
            self.corpus = Corpus.write(self.folder / "tools")
            self._kafka = Kafka(self.broker.url)
            self.bare = BareKafka(self.tools, self._kafka, self.broker)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._kafka is not None:
            self._kafka.close()
        self._mesh.stop()


def run(folder: Path, build: Path, pace: KafkaPace, say: Callable[[str], None], found: Found) -> None:
    """Fills in found as it goes. Raises StackError where the broker does not even start."""
    began, machine = time.monotonic(), Machine.now()
    try:
        with BrokerSite(folder, build) as site:
            say(f"  warming the broker for {pace.broker_warm_s:g} s")
            site.bare.produce(site.corpus.singles, seconds=pace.broker_warm_s, linger_us=LINGER_US)
            for number in range(1, pace.rounds + 1):
                _round(site, pace, found)
                say(f"  round {number} of {pace.rounds}: {_told(found)}, {time.monotonic() - began:.0f} s gone")
        found.whole = True
    finally:
        found.seconds = time.monotonic() - began
        found.stolen = Machine.now().stolen_since(machine)
        shutil.rmtree(folder, ignore_errors=True)


def _round(site: BrokerSite, pace: KafkaPace, found: Found) -> None:
    for spec in SPECS:
        if spec in found.failed:
            continue
        try:
            figures = site.bare.produce(site.corpus.singles, seconds=pace.seconds, warmup=pace.warm_s, **spec.options())
            found.runs[spec].append(run_of(figures))
        except (StackError, KafkaException) as error:
            found.failed[spec] = _first_line(error)
    try:
        for size, one in fetches(site.bare, site.corpus.singles, pace.fetched):
            found.fetched[size].append(one)
    except (StackError, KafkaException) as error:
        found.fetch_failed = _first_line(error)


def run_of(figures: dict) -> dict[str, float]:
    """Of what BareKafka.produce() says. Raises StackError where nothing came back in time: there is no figure."""
    if figures["events_per_s"] <= 0 or figures["latency_ms"]["p50"] <= 0:
        raise StackError("no event was acknowledged in the measured time")
    times = figures["latency_ms"]
    return {
        "events_per_s": figures["events_per_s"],
        "p50_ms": times["p50"],
        "p99_ms": times["p99"],
        "client_us": figures["cpu_us_per_event"],
        "broker_us": figures["broker_us"],
        "log_bytes": figures["log_bytes"],
    }


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _told(found: Found) -> str:
    runs = found.runs.get(Spec())
    peak = f"{runs[-1]['events_per_s']:,.0f} events/s with a full queue" if runs else "no figures"
    return peak + (f", {len(found.failed)} settings failed" if found.failed else "")
