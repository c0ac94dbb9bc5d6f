# SPDX-License-Identifier: Apache-2.0
"""What is measured of Kafka: points, each one setting of a producer, in groups that vary one thing."""

from __future__ import annotations

from dataclasses import dataclass

IN_FLIGHT = 64  # of a closed loop: as many clients, each of which waits for its answer
LINGER_US = 500  # where it is not what varies
BATCHING_LINGER_US = 5000  # long enough that batches are as full as they may be
QUEUED = 1000  # instead of a full queue, where sending that out would take many seconds
LINGERS_US = (0, 500, 1000, 5000, 20_000)
BATCH_LENS = (1, 10, 100, 1000, 10_000)
JAVA_BATCH_BYTES = 16_384  # the default of Kafka's own client; librdkafka's is a million
PARTITIONS = (1, 4, 16)
RATES = (1000, 5000, 20_000, 100_000, 300_000)
RATE_LINGERS_US = (0, 500, 5000)
ACKS = (("0", False), ("1", False), ("all", False), ("all", True))  # with idempotence or not
FETCH_BYTES = (4096, 65_536, 1_048_576)  # of one partition in one answer


@dataclass(frozen=True)
class Spec:
    """One setting of bench-producer. in_flight 0: its queue is always full; rate 0: as fast as it goes."""

    linger_us: int = LINGER_US
    in_flight: int = 0
    batch_len: int = 0
    batch_bytes: int = 0
    acks: str = "all"
    idempotent: bool = True
    partitions: int = 4
    rate: int = 0

    def options(self) -> dict[str, object]:
        """As BareKafka.produce() takes them; what is left to librdkafka is not named."""
        return {
            "linger_us": self.linger_us,
            "in_flight": self.in_flight or None,
            "batch_len": self.batch_len or None,
            "batch_bytes": self.batch_bytes or None,
            "acks": self.acks,
            "no_idempotence": not self.idempotent,
            "partitions": self.partitions,
            "rate": self.rate or None,
        }


@dataclass(frozen=True)
class Point:
    """A place in a table and a plot; several may have the same spec, which is then measured once."""

    group: str
    series: str
    x: float
    label: str
    spec: Spec


CLOSED, FULL = f"{IN_FLIGHT} in flight", "queue always full"


def ms(linger_us: int) -> str:
    return f"{linger_us / 1000:g} ms"


def _linger() -> list[Point]:
    series = ((CLOSED, IN_FLIGHT), (FULL, 0))
    return [
        Point("linger", name, us / 1000, f"linger {ms(us)}", Spec(linger_us=us, in_flight=count))
        for name, count in series
        for us in LINGERS_US
    ]


def _batch() -> list[Point]:
    points = []
    for length in BATCH_LENS:
        queued = QUEUED if length <= 10 else 0
        spec = Spec(linger_us=BATCHING_LINGER_US, batch_len=length, in_flight=queued)
        points.append(
            Point("batch", "events", length, f"at most {length:,} {'event' if length == 1 else 'events'}", spec)
        )
    spec = Spec(linger_us=BATCHING_LINGER_US, batch_bytes=JAVA_BATCH_BYTES)
    return [*points, Point("batch", "bytes", JAVA_BATCH_BYTES, f"at most {JAVA_BATCH_BYTES:,} bytes", spec)]


def _acks() -> list[Point]:
    points = []
    for name, count in ((CLOSED, IN_FLIGHT), (FULL, 0)):
        for place, (acks, idempotent) in enumerate(ACKS):
            label = f"acks={acks}" + (", idempotent" if idempotent else "")
            points.append(Point("acks", name, place, label, Spec(in_flight=count, acks=acks, idempotent=idempotent)))
    return points


def _partitions() -> list[Point]:
    return [
        Point("partitions", name, count, f"{count} {'partition' if count == 1 else 'partitions'}", spec)
        for name, in_flight in ((CLOSED, IN_FLIGHT), (FULL, 0))
        for count in PARTITIONS
        for spec in [Spec(in_flight=in_flight, partitions=count)]
    ]


def _rate() -> list[Point]:
    return [
        Point("rate", f"linger {ms(us)}", rate, f"{rate:,} events/s", Spec(linger_us=us, rate=rate))
        for us in RATE_LINGERS_US
        for rate in RATES
    ]


POINTS: tuple[Point, ...] = (*_linger(), *_batch(), *_acks(), *_partitions(), *_rate())
SPECS: tuple[Spec, ...] = tuple(dict.fromkeys(point.spec for point in POINTS))
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(point.group for point in POINTS))
