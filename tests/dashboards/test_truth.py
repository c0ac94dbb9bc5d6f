# SPDX-License-Identifier: Apache-2.0
"""What panels show is what was sent, what Redis holds, what Kafka has; not only something."""

from __future__ import annotations

import itertools

import pytest
import redis
from confluent_kafka import Consumer, TopicPartition

from dashboards.conftest import Seen
from dashboards.grafana_data import Result
from dashboards.model import all_dashboards

PROGRAMS = {"api", "grpc-server", "ws-redis", "kafka-consumer"}
SERVERS = {"kafka", "redis", "mongodb"}
QUALITIES = {"measured", "modelled", "fake"}
TABLES = [panel.key for board in all_dashboards() for panel in board.panels if panel.type == "table"]
ENERGY = [panel.title for board in all_dashboards() if board.name == "energy" for panel in board.panels]


def result(seen: Seen, dashboard: str, title: str) -> Result:
    return seen.runs[f"{dashboard}: {title}"].result


def single(seen: Seen, dashboard: str, title: str) -> float | None:
    (shown,) = result(seen, dashboard, title).shown
    return shown.numeric


def kafka_ends(seen: Seen) -> dict[str, int]:
    """Kafka's own word: the end of each partition of the stream's topic."""
    consumer = Consumer({"bootstrap.servers": seen.loaded.mesh.kafka.url, "group.id": "dashboards"})
    try:
        partitions = consumer.list_topics("messages", 30).topics["messages"].partitions
        return {str(p): consumer.get_watermark_offsets(TopicPartition("messages", p), 30)[1] for p in partitions}
    finally:
        consumer.close()


@pytest.mark.parametrize("title", TABLES)
def test_texts_in_tables_are_shown_as_they_are(seen: Seen, title: str) -> None:
    """Grafana formats a text of digits by the panel's unit, unless the column says otherwise."""
    run = seen.runs[title]
    overrides = run.panel.field_config["overrides"]
    mapped = {
        each["matcher"]["options"] for each in overrides if any(p["id"] == "mappings" for p in each["properties"])
    }
    for column in itertools.chain.from_iterable(run.result.frames):
        if column.type == "string" and column.name not in mapped:
            assert column.texts == column.values, column.name


# Tweets.


def test_total_is_what_was_sent_and_what_redis_holds(seen: Seen) -> None:
    total = single(seen, "tweets", "Events")
    assert total == seen.loaded.sent.events == int(seen.loaded.redis.hget("{tweets}:totals", "total"))


def test_checked_is_all_of_kafka(seen: Seen) -> None:
    assert single(seen, "tweets", "Archived and checked") == sum(kafka_ends(seen).values())
    assert single(seen, "tweets", "Counted, not checked yet") == 0


def test_repeated_are_those_sent_twice(seen: Seen) -> None:
    sent = seen.loaded.sent
    assert single(seen, "tweets", "Repeated") == sent.records - sent.events > 0


def test_bars_are_the_largest_groups_of_redis_sorted(seen: Seen) -> None:
    held = {name: int(count) for name, count in seen.loaded.redis.hgetall("{tweets}:country").items()}
    assert held == dict(seen.loaded.sent.groups)
    bars = result(seen, "tweets", "Top groups")
    names, counts = bars.column("Group").values, bars.column("Events").values
    assert counts == sorted(held.values(), reverse=True)[:15]
    assert {name: count for name, count in zip(names, counts, strict=True)}.items() <= held.items()


def test_all_groups_make_the_total(seen: Seen) -> None:
    table = result(seen, "tweets", "All groups")
    assert sum(table.column("Events").values) == seen.loaded.sent.events
    assert single(seen, "tweets", "Groups") == len(table.column("Group").values) == len(seen.loaded.sent.groups)


def test_shares_carry_the_names_of_groups(seen: Seen) -> None:
    shown = result(seen, "tweets", "Shares of the top groups").shown
    assert {each.title: each.numeric for each in shown}.items() <= seen.loaded.sent.groups.items()
    assert len(shown) == 10


def test_rate_counts_every_event_in_a_second_of_the_load(seen: Seen) -> None:
    series = result(seen, "tweets", "Counted per second")
    times, counted = series.column("Time").values, series.column("counted").values
    window = seen.loaded.window
    assert times == sorted(set(times)) and all(time % 1000 == 0 for time in times)
    assert all(window.start - 1 <= time / 1000 <= window.end for time in times)
    assert sum(counted) == seen.loaded.sent.events
    assert max(counted) <= seen.loaded.sent.events / 2  # spread over the load, not in one heap


def test_total_over_time_grows_to_the_total(seen: Seen) -> None:
    totals = result(seen, "tweets", "Total over time").column("total").values
    assert totals == sorted(totals) and totals[-1] == seen.loaded.sent.events


def test_partitions_stand_where_kafka_ends(seen: Seen) -> None:
    table = result(seen, "tweets", "Where each partition stands")
    partitions, ends = table.column("Partition").values, kafka_ends(seen)
    for name in ("In Kafka", "Archived", "Settled"):
        assert dict(zip(partitions, table.column(name).values, strict=True)) == ends
    assert set(table.column("Behind").texts) == {"exact"}
    window = seen.loaded.window
    assert all(window.start <= told / 1000 <= window.end for told in table.column("Told").values)
    assert [each.text for each in result(seen, "tweets", "Archive and counters").shown] == ["exact"]


def test_programs_are_all_there_and_ready(seen: Seen) -> None:
    table = result(seen, "tweets", "Programs")
    assert {name.split("/")[0] for name in table.column("Program and instance").values} == PROGRAMS
    assert set(table.column("Ready").texts) == {"ready"}
    assert all(state.isalpha() for state in table.column("State").texts)  # a word, not the JSON it is cut from


def test_reader_can_do_no_more_than_read(seen: Seen) -> None:
    reader = seen.loaded.reader
    for command in (["HSET", "{tweets}:totals", "total", "1"], ["HGETALL", "{tweets}:state"], ["KEYS", "*"]):
        with pytest.raises(redis.exceptions.NoPermissionError):
            reader.execute_command(*command)


# Mesh.


def test_mesh_is_exact_and_has_no_lag(seen: Seen) -> None:
    assert [each.text for each in result(seen, "mesh", "Exact").shown] == ["exact"]
    assert single(seen, "mesh", "Lag") == 0
    assert single(seen, "mesh", "Dead letters") == 0
    assert single(seen, "mesh", "Availability, last hour") == 1


def _area(seen: Seen, title: str) -> dict[str, float]:
    """What a panel of rates comes to over the time it shows."""
    columns = [each for frame in result(seen, "mesh", title).frames for each in frame if each.type == "number"]
    step = seen.loaded.window.step
    return {each.name: step * sum(value or 0 for value in each.values) for each in columns}


def test_rates_come_to_what_was_sent(seen: Seen) -> None:
    sent = seen.loaded.sent
    answers, events = _area(seen, "HTTP answers by status"), _area(seen, "Events by outcome")
    assert set(answers) == {"202", "422"}
    assert answers["422"] == pytest.approx(sent.refused, rel=0.4)
    assert events == {"OK": pytest.approx(sent.records, rel=0.25)}


def test_every_hop_is_shown(seen: Seen) -> None:
    for title in ("Rate by hop", "Errors by hop", "p99 by hop"):
        names = {each.name for frame in result(seen, "mesh", title).frames for each in frame if each.type == "number"}
        assert names == {"http", "grpc", "kafka", "count", "archive", "settle"}, title


def test_heat_map_has_buckets_in_order_that_hold_the_events(seen: Seen) -> None:
    (frame,) = result(seen, "mesh", "Stage latency").frames
    bounds = [float(each.name) for each in frame if each.type == "number"]
    assert bounds == sorted(bounds) and bounds[-1] == float("inf")
    values = list(itertools.chain.from_iterable(each.values for each in frame if each.type == "number"))
    assert min(values) >= 0
    assert sum(values) * seen.loaded.window.step == pytest.approx(seen.loaded.sent.records, rel=0.25)


def test_partitions_of_prometheus_are_those_of_kafka(seen: Seen) -> None:
    names = {each.name for frame in result(seen, "mesh", "Lag by partition").frames for each in frame}
    assert names - {"Time"} == {f"tweets {partition}" for partition in kafka_ends(seen)}


# Energy.


@pytest.mark.parametrize("title", ENERGY)
def test_quality_is_shown_in_every_panel_of_energy(seen: Seen, title: str) -> None:
    run = seen.runs[f"energy: {title}"]
    columns = [each for frame in run.result.frames for each in frame if each.type != "time"]
    if quality := [each for each in columns if each.name == "Quality"]:
        assert set(quality[0].texts) <= QUALITIES
    else:
        names = [each.title for each in run.result.shown] or [each.name for each in columns]
        assert all(any(quality in name for quality in QUALITIES) for name in names), names


def test_programs_and_servers_make_the_energy_of_all(seen: Seen) -> None:
    shown = result(seen, "energy", "Energy of a million events, by program").shown
    parts = {each.title.split(" ")[0]: each.numeric for each in shown}
    assert parts.keys() == PROGRAMS | SERVERS and min(parts.values()) > 0
    assert sum(parts.values()) == pytest.approx(single(seen, "energy", "Energy of a million events"), rel=0.1)


def test_carbon_is_energy_times_the_grid(seen: Seen) -> None:
    joules, grams = (single(seen, "energy", f"{what} of a million events") for what in ("Energy", "Carbon"))
    factors = result(seen, "energy", "Factors")
    factor = dict(zip(factors.column("Factor").values, factors.column("Value").values, strict=True))
    assert grams == pytest.approx(joules / 3.6e6 * factor["grid_gco2e_per_kwh"], rel=0.1)
    assert single(seen, "energy", "SCI of 1,000 events") == pytest.approx(grams / 1000, rel=0.1)
    assert all(factors.column("Source").values)


def test_elsewhere_is_sorted_and_has_our_region(seen: Seen) -> None:
    table = result(seen, "energy", "The same load elsewhere")
    carbon = table.column("Carbon (CO2e)").values
    assert carbon == sorted(carbon) and len(set(table.column("Region").values)) == len(carbon) > 30
    ours = carbon[table.column("Region").values.index("us-central1")]
    assert ours == pytest.approx(single(seen, "energy", "Carbon of a million events"), rel=0.1)
