# SPDX-License-Identifier: Apache-2.0
"""The parts of docs/performance.md that hold figures: the rows, what an event costs, what rates need."""

from __future__ import annotations

from collections.abc import Mapping

from bench.driver import blocks
from bench.driver.goals import GOALS
from bench.driver.model import KINDS, RATES, Assumptions, Missing, Model, Needs
from bench.driver.table import number, plain

Document = Mapping[str, object]
PROCESSES = ("api", "grpc-server", "ws-redis", "kafka-consumer", "kafka", "redis", "mongo-sink", "mongo", "client")
CALLED = {"kafka": "Kafka", "redis": "Redis", "mongo": "FerretDB"}
COSTS = {
    "single": "1 a request",
    "batch": "100 a request",
    "archive": "archived into mongo-sink",
    "mongodb": "archived into FerretDB",
}
BYTES = {
    "body": "body of the request",
    "kafka log": "record in Kafka's log, once",
    "redis in": "commands to Redis",
    "redis out": "answers of Redis",
    "redis aof": "append-only file of Redis",
    "document": "document, as BSON",
}


def parts(told: Document) -> dict[str, str]:
    """By the names of the blocks in the page. told: what `./mesh bench --json` wrote."""
    costs = told.get("costs") or {}
    made = {
        "measured": _measured(told),
        "figures": _figures(told["rows"]),
        "costs": _costs(costs),
        "bytes": _bytes(costs),
    }
    try:
        models = {kind: Model(costs, kind) for kind in KINDS}
        return (
            made
            | {"assumptions": _assumptions(Assumptions()), "hops": _hops(models)}
            | {
                "needs": _needs(models),
                "first": _first(models),
            }
        )
    except Missing as error:
        return made | dict.fromkeys(("assumptions", "hops", "needs", "first"), f"Not known: {error}.")


def _measured(told: Document) -> str:
    about = told.get("about") or {}
    machine = f"{about.get('CPU', '?')}, {about.get('cores', '?')} cores, {about.get('memory', '?')}"
    return f"{told.get('when', '?')}, {told.get('pace', '?')}; {machine}. All of it: [RESULTS.md](../bench/RESULTS.md)."


def _figures(rows: list[dict]) -> str:
    by_what = {row["what"]: row for row in rows}
    lines = []
    for goal in GOALS:
        row = by_what.get(goal.what + (f", {goal.unit}" if goal.unit else ""))
        if row is None:
            continue
        unit = f" {goal.unit}" if goal.unit else ""
        sign = "≤" if goal.better == "lower" else "≥"
        void = "reason" in row
        verdict = "void" if void else "met" if row["ok"] else "missed"
        if row["value"] is not None and not void and goal.stretched(row["value"]):
            verdict = "stretch"
        stretch = f"{sign} {plain(goal.stretch)}" if goal.stretch is not None else "-"
        figures = [number(row["value"]) + unit, f"{sign} {plain(goal.goal)}", stretch, verdict]
        lines.append([goal.id, goal.what, *figures])
    return blocks.table(["id", "figure", "value", "goal", "stretch", "verdict"], lines, left=2)


def _by_kind(costs: Mapping, part: str, names: Mapping[str, str]) -> str:
    kinds = [kind for kind in COSTS if kind in costs]
    if not kinds:
        return "Not measured."
    rows = []
    for name, called in names.items():
        cells = [costs[kind][part].get(name) for kind in kinds]
        if any(cell is not None for cell in cells):
            rows.append([called, *map(number, cells)])
    return blocks.table(["", *(COSTS[kind] for kind in kinds)], rows)


def _costs(costs: Mapping) -> str:
    return _by_kind(costs, "cpu_us", {name: CALLED.get(name, name) for name in PROCESSES})


def _bytes(costs: Mapping) -> str:
    return _by_kind(costs, "bytes", BYTES)


def _assumptions(given: Assumptions) -> str:
    lines = [
        f"- Nothing is more than {100 * given.busy:.0f} % busy.",
        f"- A pod (one api, one grpc-server) has {given.pod_cores} cores, a broker {given.broker_cores}, a server of "
        f"MongoDB {given.mongodb_cores}. ws-redis, kafka-consumer and Redis use one core each.",
        f"- Replication factor {given.replicas}. A follower costs its leader what a consumer does, and appends at the "
        "leader's price; this bench has one broker, so that is not measured.",
        f"- A broker's disk writes {given.disk / 1e6:,.0f} MB/s, its network carries "
        f"{given.network * 8 / 1e9:g} Gbit/s each way.",
    ]
    return "\n".join(lines)


def _hops(models: Mapping[str, Model]) -> str:
    first = next(iter(models.values()))
    heading = ["hop", "grows by"]
    for kind in models:
        heading += [f"{KINDS[kind]}: µs/event", "events/s of one"]
    rows = []
    for place, hop in enumerate(first.hops):
        row = [hop.name, hop.more]
        for model in models.values():
            same = model.hops[place]
            row += [number(same.us), number(same.most(model.assumptions.busy))]
        rows.append(row)
    return blocks.table(heading, rows, left=2)


def _needs(models: Mapping[str, Model]) -> str:
    columns = [(f"{rate:,}/s, {KINDS[kind]}", model.needs(rate)) for rate in RATES for kind, model in models.items()]
    lines = {
        "pods (api + grpc-server)": lambda needs: str(needs.pods),
        "ws-redis": lambda needs: str(needs.ws_redis),
        "brokers": _brokers,
        "partitions": lambda needs: str(needs.partitions),
        "kafka-consumer": lambda needs: str(needs.consumers),
        "cores of Redis kept busy": lambda needs: number(needs.redis_cores),
        "servers of MongoDB, at FerretDB's price": lambda needs: str(needs.mongodb),
        "written by all brokers": lambda needs: f"{needs.kafka_disk / 1e6:,.0f} MB/s",
        "the same in a day": lambda needs: f"{needs.kafka_disk * 86_400 / 1e12:,.1f} TB",
        "network, all hops": lambda needs: f"{needs.network * 8 / 1e9:,.2f} Gbit/s",
    }
    rows = [[name, *(tell(needs) for _, needs in columns)] for name, tell in lines.items()]
    return blocks.table(["", *(name for name, _ in columns)], rows)


def _brokers(needs: Needs) -> str:
    return f"{needs.brokers} ({needs.brokers_by})"


def _first(models: Mapping[str, Model]) -> str:
    lines = []
    for kind, model in models.items():
        order = ", ".join(f"{hop.name} {number(hop.most(1))}" for hop in model.first())
        lines.append(
            f"- **{KINDS[kind]}**: **{model.first()[0].name}** is full first. Events/s at which one instance of each "
            f"has no core to spare: {order}. However much hardware there is, one stream ends at "
            f"{number(model.wall())} events/s, where one core of Redis is full."
        )
    return "\n".join(lines)
