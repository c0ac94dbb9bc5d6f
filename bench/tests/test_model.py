# SPDX-License-Identifier: Apache-2.0
"""Costs out of rows, needs out of costs, and the page that shows both."""

from __future__ import annotations

import json
import re

import pytest

from bench.driver import blocks, performance, table
from bench.driver.costs import costs
from bench.driver.goals import GOALS
from bench.driver.model import KINDS, Assumptions, Missing, Model
from bench.driver.row import Row, plain_row, ratio_row
from stack.mesh import PROJECT

PAGE = PROJECT / "docs/performance.md"
BYTES = {"body": 200.0, "kafka log": 250.0, "redis in": 10.0, "redis out": 5.0, "redis aof": 20.0}
SINGLE = {"api": 15.0, "grpc-server": 5.0, "ws-redis": 1.0, "kafka": 4.0, "redis": 1.0, "mongo": 0.1, "client": 3.0}
BATCH = {"api": 2.0, "grpc-server": 1.0, "ws-redis": 0.5, "kafka": 1.0, "redis": 0.5, "client": 0.1}
DRAIN = {"kafka-consumer": 4.0, "kafka": 1.0, "redis": 0.5, "mongo-sink": 0.3}
FERRET = {"kafka-consumer": 6.0, "kafka": 1.5, "redis": 0.5, "mongo": 60.0}


def rows() -> list[Row]:
    singles = {"CPU µs/event": SINGLE, "bytes/event": BYTES, "events/s": 20_000}
    batches = {"CPU µs/event": BATCH, "bytes/event": BYTES, "events/s": 200_000}
    sunk = {"every process' CPU µs/document": DRAIN, "bytes/document": {"redis in": 3.0, "redis out": 2.0}}
    stored = {"every process' CPU µs/document": FERRET, "bytes/document": {"document": 300.0}, "documents/s": 20_000}
    return [
        ratio_row("P1", [15, 16], [6, 6], "µs", **singles),
        plain_row("P4", [3.0], **batches),
        ratio_row("P6b-cpu", [4], [1], "µs", **sunk),
        ratio_row("P6", [9], [10], "/s", **stored),
    ]


def model(kind: str = "batch", **assumed: float) -> Model:
    return Model(costs(rows()), kind, Assumptions(**assumed))


def test_costs_are_those_behind_the_rows() -> None:
    found = costs(rows())
    assert found["single"] == {"cpu_us": SINGLE, "bytes": BYTES, "per_s": 20_000}
    assert found["archive"]["cpu_us"] == DRAIN and found["mongodb"]["bytes"] == {"document": 300.0}


def test_a_void_row_has_no_costs() -> None:
    some = rows()
    some[1].void = "the audit differs"
    assert set(costs(some)) == {"single", "archive", "mongodb"}
    with pytest.raises(Missing, match=r"api \(batch\) was not measured"):
        Model(costs(some), "batch")


def test_a_hops_instances_are_its_cores_over_what_one_may_use() -> None:
    hops = {hop.name: hop for hop in model().hops}
    pod = hops["api + grpc-server"]
    assert pod.us == 3.0 and pod.most(0.6) == pytest.approx(400_000)
    assert [pod.instances(rate, 0.6) for rate in (1, 400_000, 400_001, 1_000_000)] == [1, 1, 2, 3]


def test_brokers_pay_for_every_replica() -> None:
    by_replicas = {n: {hop.name: hop.us for hop in model(replicas=n).hops} for n in (1, 3)}
    assert by_replicas[1]["Kafka broker, all replicas"] == 2.0
    assert by_replicas[3]["Kafka broker, all replicas"] == 6.0


def test_what_a_million_needs() -> None:
    needs = model().needs(1_000_000)
    assert needs.pods == 3
    assert needs.ws_redis == 1  # 0.5 core
    assert needs.consumers == 7  # 4 cores, each 60 % busy
    assert needs.redis_cores == pytest.approx(1.0)
    assert needs.mongodb == 13  # 60 cores of 8 × 60 %
    assert needs.kafka_disk == pytest.approx(750e6)
    assert (needs.brokers, needs.brokers_by) == (3, "disk")
    assert needs.partitions == 14
    assert needs.network == pytest.approx(1e6 * (200 + 4 * 250 + 15 + 5 + 300))


@pytest.mark.parametrize(
    ("assumed", "scarcest", "brokers"),
    [({"broker_cores": 1}, "CPU", 10), ({"disk": 100e6}, "disk", 13), ({"network": 1e8}, "network", 13)],
)
def test_brokers_are_as_many_as_the_scarcest_wants(assumed: dict, scarcest: str, brokers: int) -> None:
    needs = model(**assumed).needs(1_000_000)
    assert (needs.brokers_by, needs.brokers) == (scarcest, brokers)


def test_little_needs_one_of_each_but_the_replicas() -> None:
    needs = model("single").needs(10)
    assert (needs.pods, needs.ws_redis, needs.consumers, needs.mongodb) == (1, 1, 1, 1)
    assert (needs.brokers, needs.brokers_by, needs.partitions) == (3, "replicas", 6)


def test_who_carries_least_is_full_first_and_one_core_of_redis_is_the_wall() -> None:
    order = [hop.name for hop in model().first()]
    assert order[0] == "MongoDB (FerretDB)" and order[1] == "kafka-consumer"
    assert [hop.name for hop in model("single").first()][0] == "api + grpc-server"
    assert model().wall() == pytest.approx(1_000_000)


def test_what_costs_nothing_measurable_is_never_full() -> None:
    free = costs(rows())
    free["batch"]["cpu_us"] = BATCH | {"ws-redis": 0.0}
    assert Model(free, "batch").needs(10**9).ws_redis == 1


# The page.


def told(some: list[Row] | None = None) -> dict:
    found = rows() if some is None else some
    about = {"CPU": "a fast one", "cores": "2", "memory": "4 GiB"}
    more = {"kind": "performance", "when": "today", "pace": "5 rounds", "about": about, "costs": costs(found)}
    return json.loads(table.as_json(found, **more))


def test_the_page_has_a_place_for_each_part_and_no_others() -> None:
    once = blocks.rewritten(PAGE.read_text(), performance.parts(told()))
    assert blocks.rewritten(once, performance.parts(told())) == once
    assert "a fast one" in once and "| api | 15.0 | 2.00 | - | - |" in once


def test_the_typed_text_holds_no_measured_figures() -> None:
    typed = re.sub(r"<!-- made by.*?<!-- end -->", "", PAGE.read_text(), flags=re.DOTALL)
    assert not re.search(r"\d[\d,.]* (events/s|µs)", typed)


def test_without_a_cost_the_page_says_which_and_keeps_the_figures() -> None:
    some = rows()
    some[3].void = "the audit differs"
    made = performance.parts(told(some))
    assert set(made) == set(performance.parts(told()))
    assert made["needs"] == "Not known: mongo (mongodb) was not measured."
    assert "| P6 |" in made["figures"] and "| void |" in made["figures"]


def test_the_page_knows_every_figure_of_the_bench() -> None:
    every = [plain_row(goal.name, [goal.goal]) for goal in GOALS]
    lines = [line for line in performance.parts(told(every))["figures"].splitlines() if line.startswith("| P")]
    assert len(lines) == len(GOALS)
    assert all(line.endswith(("| met |", "| stretch |")) for line in lines)


def test_verdicts_follow_the_rows() -> None:
    found = performance.parts(told([plain_row("P4", [2.0]), plain_row("P7", [1.0])]))["figures"]
    assert "| 2.00 µs | ≤ 4 | ≤ 2.5 | stretch |" in found and "| 1.00 | ≥ 4 | ≥ 8 | missed |" in found


def test_needs_are_told_for_both_rates_and_both_sizes_of_request() -> None:
    made = performance.parts(told())
    heading = made["needs"].splitlines()[0]
    assert all(f"{rate}/s, {kind}" in heading for rate in ("100,000", "1,000,000") for kind in KINDS.values())
    assert "| 3 (disk) |" in made["needs"] and "**MongoDB (FerretDB)** is full first" in made["first"]
