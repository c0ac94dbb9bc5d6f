# SPDX-License-Identifier: Apache-2.0
"""What was found of Kafka, as JSON and as the parts of docs/kafka-behaviour.md that hold figures."""

from __future__ import annotations

from collections.abc import Mapping

from bench.driver import blocks
from bench.driver.kafka.measure import Found, KafkaPace
from bench.driver.kafka.points import (
    ACKS,
    BATCH_LENS,
    CLOSED,
    FULL,
    GROUPS,
    LINGERS_US,
    PARTITIONS,
    RATE_LINGERS_US,
    RATES,
    ms,
)
from bench.driver.table import number, percent

Document = Mapping[str, object]
HEADING = ["", "events/s", "spread", "p50 ms", "p99 ms", "producer µs", "broker µs", "bytes on disk"]


def document(found: Found, pace: KafkaPace, about: Mapping[str, str], when: str, mesh_linger_us: int) -> dict:
    """mesh_linger_us: what grpc-server waits unless told otherwise."""
    return {
        "kind": "kafka",
        "when": when,
        "about": dict(about),
        "pace": pace.text,
        "seconds": round(found.seconds, 1),
        "stolen": round(found.stolen, 4),
        "whole": found.whole,
        "ok": found.ok,
        "mesh_linger_us": mesh_linger_us,
        "points": found.points(),
        "fetch": found.fetch_points(),
        "fetch_failed": found.fetch_failed,
    }


class Points:
    """The points of a document, to be asked for."""

    def __init__(self, told: Document) -> None:
        self._all = list(told["points"])

    def series(self, group: str, name: str) -> list[dict]:
        """Those that have figures."""
        return [p for p in self._all if (p["group"], p["series"]) == (group, name) and "failed" not in p]

    def at(self, group: str, name: str, x: float) -> dict | None:
        return next((point for point in self.series(group, name) if point["x"] == x), None)

    def of(self, group: str) -> list[dict]:
        return [point for point in self._all if point["group"] == group]


def _row(point: dict, *, named: bool) -> list[str]:
    name = f"{point['series']}, {point['label']}" if named else point["label"]
    if "failed" in point:
        return [name, f"failed: {point['failed']}", *[""] * (len(HEADING) - 2)]
    figures = [point[key] for key in ("p50_ms", "p99_ms", "client_us", "broker_us", "log_bytes")]
    return [name, f"{point['events_per_s']:,.0f}", percent(point["spread"]), *map(number, figures)]


def _table(points: Points, group: str) -> str:
    found = points.of(group)
    named = len({point["series"] for point in found}) > 1 and group != "batch"
    return blocks.table(HEADING, [_row(point, named=named) for point in found])


def _measured(told: Document) -> str:
    about = told["about"]
    machine = f"{about.get('CPU', '?')}, {about.get('cores', '?')} cores, {about.get('memory', '?')}"
    kafka = f"Kafka {about.get('Kafka', '?')}, librdkafka {about.get('librdkafka', '?')}"
    stolen = f"{100 * told['stolen']:.1f} % of the time stolen by the host"
    return f"{told['when']}; {machine}; {kafka}; {told['pace']}, {told['seconds']:.0f} s in all, {stolen}."


def _fetch(told: Document) -> str:
    if told.get("fetch_failed") or not told["fetch"]:
        return f"Not measured: {told.get('fetch_failed') or 'no round was whole'}."
    heading = ["at most of a partition in an answer", "events/s", "spread", "consumer µs", "broker µs"]
    heading.append("bytes read from the disk")
    rows = []
    for each in told["fetch"]:
        figures = [each[name] for name in ("client_us", "broker_us", "disk_bytes")]
        rate = [f"{each['events_per_s']:,.0f}", percent(each["spread"])]
        rows.append([f"{each['bytes'] // 1024:,} KiB", *rate, *map(number, figures)])
    return blocks.table(heading, rows)


def _times(one: float, other: float) -> str:
    return f"{one / other:.2g} times" if other > 0 else "many times"


def _throughput(points: Points) -> list[str]:
    best = max(points.series("linger", FULL) + points.series("batch", "events"), key=lambda p: p["events_per_s"])
    mib = best["events_per_s"] * best["log_bytes"] / (1 << 20)
    lines = [
        f"Throughput: up to **{best['events_per_s']:,.0f} events/s** ({mib:,.0f} MiB/s into the log) through one "
        f"broker, acknowledged, idempotent, while the producer shares its cores."
    ]
    one, full = points.at("batch", "events", BATCH_LENS[0]), points.at("batch", "events", BATCH_LENS[-1])
    if one and full:
        lines.append(
            f"Batches: with one event in each the broker pays {number(one['broker_us'])} µs of CPU per event, with as "
            f"many as fit {number(full['broker_us'])} µs; the rate goes from {one['events_per_s']:,.0f} to "
            f"{full['events_per_s']:,.0f} events/s, the disk from {number(one['log_bytes'])} to "
            f"{number(full['log_bytes'])} bytes per event."
        )
    return lines


def _latency(points: Points) -> list[str]:
    lines = []
    calm = [(us, points.at("rate", f"linger {ms(us)}", RATES[0])) for us in RATE_LINGERS_US]
    told = [f"{number(p['p50_ms'])} ms (p99 {number(p['p99_ms'])}) with linger {ms(us)}" for us, p in calm if p]
    if told:
        lines.append(f"Latency: at {RATES[0]:,} events/s half of all acknowledgements came within {'; '.join(told)}.")
    none, all_ = points.at("acks", FULL, 0), points.at("acks", FULL, len(ACKS) - 1)
    if none and all_:
        closed = points.at("acks", CLOSED, 1), points.at("acks", CLOSED, len(ACKS) - 1)
        waits = ""
        if closed[0] and closed[1]:
            waits = f"; with {CLOSED}, p50 is {number(closed[0]['p50_ms'])} ms with acks=1 and "
            waits += f"{number(closed[1]['p50_ms'])} ms so"
        lines.append(
            f"Safety: acks=all with idempotence reaches {percent(all_['events_per_s'] / none['events_per_s'])} of the "
            f"rate of acks=0 with a full queue{waits}."
        )
    return lines


def _spread_out(points: Points) -> list[str]:
    found = [(count, points.at("partitions", FULL, count)) for count in PARTITIONS]
    told = [f"{p['events_per_s']:,.0f} with {count}" for count, p in found if p]
    return [f"Partitions, on one broker: {', '.join(told)} events/s."] if told else []


def _mesh(linger: int, points: Points) -> str:
    """What the linger of grpc-server costs and brings."""
    nearest = min(LINGERS_US[1:], key=lambda us: abs(us - linger))
    none, ours = points.at("linger", CLOSED, 0), points.at("linger", CLOSED, nearest / 1000)
    if not none or not ours:
        return f"`KAFKA_LINGER_US` is {linger:,}; no figures for it."
    told = [
        f"{_times(ours[key], none[key])} {what} ({form(none[key])} → {form(ours[key])}{unit})"
        for key, what, form, unit in (
            ("events_per_s", "the rate", lambda value: f"{value:,.0f}", " events/s"),
            ("client_us", "the CPU of the producer", number, " µs per event"),
            ("broker_us", "that of the broker", number, " µs"),
            ("p50_ms", "the p50", number, " ms"),
        )
    ]
    return (
        f"`KAFKA_LINGER_US` is {linger:,} unless told otherwise. With {CLOSED}, a linger of {ms(nearest)} is, beside "
        f"none, {', '.join(told[:-1])} and {told[-1]}."
    )


def parts(told: Document) -> dict[str, str]:
    """By the names of the blocks in the page."""
    points = Points(told)
    answers = []
    if points.series("linger", FULL):
        answers = [*_throughput(points), *_latency(points), *_spread_out(points)]
    made = {"measured": _measured(told), "answer": "\n".join(f"- {line}" for line in answers) or "Not measured."}
    made |= {group: _table(points, group) for group in GROUPS}
    return made | {"fetch": _fetch(told), "mesh": _mesh(told["mesh_linger_us"], points)}
