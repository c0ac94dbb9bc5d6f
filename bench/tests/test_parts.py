# SPDX-License-Identifier: Apache-2.0
"""The payload, what programs print, what /proc tells."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.driver import bare_kafka, corpus, pipeline, tools
from bench.driver.pipeline import Load
from bench.driver.rows_scale import POINTS, SERIES
from bench.driver.rows_whole import Watch, keeps_up
from bench.driver.watch import Sampler, idling_of, rss_mib
from stack.process import StackError


def test_the_payload_is_of_the_size_that_was_asked_for(tmp_path: Path) -> None:
    files = corpus.Corpus.write(tmp_path)
    singles = files.singles.read_text().splitlines()
    assert len(singles) > 50 and all(200 <= len(line.encode()) <= 300 for line in singles)
    lists = [json.loads(line) for line in files.lists.read_text().splitlines()]
    assert {len(each) for each in lists} == {corpus.BATCH}
    assert lists[0][0] == json.loads(singles[0]) and lists[0] != lists[1]
    assert files.of(1) == files.singles and files.of(corpus.BATCH) == files.lists


def test_a_corpus_without_fitting_tweets_is_refused(tmp_path: Path) -> None:
    short = tmp_path / "short.json"
    short.write_text('[{"text": "sol", "country": "GT"}]')
    with pytest.raises(ValueError, match="no tweet of 200 to 300 bytes"):
        corpus.tweets(short)


def test_options_become_words() -> None:
    words = tools.as_options({"in_flight": 64, "rate": 2500.0, "retry": True, "key": None, "spread": False})
    assert words == ["--in-flight", "64", "--rate", "2500", "--retry"]


def test_the_last_object_of_what_was_printed_counts() -> None:
    assert tools.last_object('{"port": 1}\nnoise { here\n{"a": {"b": 2}}\n') == {"a": {"b": 2}}
    assert tools.last_object("nothing") is None


def test_a_program_that_fails_or_hangs_or_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="sh ended with 3: broken"):
        tools.run_text(["sh", "-c", "echo broken >&2; exit 3"], 20)
    with pytest.raises(StackError, match="still ran after 0.1 s"):
        tools.run_text(["sleep", "60"], 0.1)
    with pytest.raises(StackError, match="is missing"):
        tools.run_text([str(tmp_path / "none")], 20)


def test_redis_benchmarks_rate_is_read_with_and_without_a_heading() -> None:
    line = '"HINCRBY bench:naive __rand_int__ 1","206545.25","0.2"\n'
    assert tools.hincrby_rate('"test","rps","avg_latency_ms"\n' + line) == 206545.25
    assert tools.hincrby_rate(line) == 206545.25
    with pytest.raises(StackError, match="something else"):
        tools.hincrby_rate("ERR unknown command")


def load(events: int, **fields: object) -> Load:
    given = {"seconds": 2.0, "refused": 0, "cpu": {"api": 1.0, "api-2": 0.5, "kafka": 9.0}, "latency": {}}
    return Load(events, **given | {"client_cpu": 0.5} | fields)


def test_cpu_per_event_is_that_of_all_instances_of_a_program() -> None:
    assert load(1_000_000).us_per_event("api") == pytest.approx(1.5)
    assert load(1_000_000).cpu_us() == {"api": 1.0, "api-2": 0.5, "kafka": 9.0, "client": 0.5}
    assert load(1000).per_s == 500
    with pytest.raises(StackError, match="no event"):
        load(0).us_per_event("api")


def test_what_is_answered_after_the_end_is_no_part_of_the_rate() -> None:
    assert load(1000, in_time=900).per_s == 450
    late = {"seconds": 2.0, "acked_by_second": [5, 4, 1]}
    assert pipeline.in_time([late], 100) == 900
    assert pipeline.in_time([late, late], 1) == 18
    assert pipeline.in_time([{"seconds": 0.5, "acked_by_second": [5]}], 1) is None


def test_answers_that_come_too_late_are_falling_behind() -> None:
    assert not keeps_up(1000, 2, load(2000, in_time=1900), watch([0] * 6))


def test_a_file_that_was_written_anew_has_not_grown() -> None:
    assert pipeline.grown({"in": 5, "aof": 900}, {"in": 9, "aof": 20}) == {"in": 4, "aof": 0}


def test_the_log_is_that_of_one_topic_without_its_indexes(tmp_path: Path) -> None:
    for folder, size in (("bare-1-0", 10), ("bare-1-1", 5), ("bare-11-0", 1000), ("bare-1-x-0", 1000)):
        (tmp_path / "data" / folder).mkdir(parents=True)
        (tmp_path / "data" / folder / "0.log").write_bytes(b"x" * size)
        (tmp_path / "data" / folder / "0.index").write_bytes(b"x" * 7)
    assert bare_kafka.log_bytes(SimpleNamespace(data=tmp_path), "bare-1") == 15


class Written:
    """Kafka as BareKafka sees it, with fewer records than were acknowledged."""

    brokers = "nowhere"

    def __init__(self, there: int) -> None:
        self.there = there
        self.topics: list[str] = []

    def create(self, topic: str, partitions: int) -> None:
        self.topics.append(topic)

    def delete(self, topic: str) -> None:
        self.topics.remove(topic)

    def written(self, topic: str, partitions: int) -> int:
        return self.there


def bare(there: int, tmp_path: Path) -> bare_kafka.BareKafka:
    programs = SimpleNamespace(producer=lambda *_, **options: {"stored": 10, "events_per_s": 5.0})
    return bare_kafka.BareKafka(programs, Written(there), SimpleNamespace(pid=os.getpid(), data=tmp_path))


@pytest.mark.parametrize("there", [9, 11])
def test_a_baseline_that_is_not_in_kafka_is_an_error_and_its_topic_goes(there: int, tmp_path: Path) -> None:
    some = bare(there, tmp_path)
    with pytest.raises(StackError, match="10 events acknowledged"):
        some.produce(tmp_path)
    assert some.kafka.topics == []


def test_a_baseline_that_nobody_acknowledged_tells_what_is_missing(tmp_path: Path) -> None:
    some = bare(9, tmp_path)
    assert some.produce(tmp_path, acks="0")["missing"] == 1
    assert bare(10, tmp_path).produce(tmp_path, keep=True)["missing"] == 0


def watch(lags: list[int], rate: int = 1000) -> Watch:
    return Watch([float(n) for n in range(len(lags))], lags, [rate * n for n in range(len(lags))])


def test_a_lag_that_grows_is_falling_behind() -> None:
    steady, growing = watch([50, 80, 40, 60, 70, 50]), watch([0, 500, 1000, 1500, 2000, 2500])
    assert keeps_up(1000, 2, load(2000), steady)
    assert not keeps_up(1000, 2, load(2000), growing)


def test_too_few_accepted_or_any_refused_is_falling_behind() -> None:
    assert not keeps_up(1000, 2, load(1900), watch([0] * 6))
    assert not keeps_up(1000, 2, load(2000, refused=1), watch([0] * 6))


def test_the_sustained_rate_is_that_of_what_was_settled() -> None:
    assert watch([0] * 21, 500).rates(4) == [500.0] * 4


def test_scaling_compares_three_of_each_kind_beginning_with_the_least() -> None:
    by_series = {series: [p for p in POINTS if p.series == series] for series in SERIES}
    assert [point.pods for point in by_series["pods"]] == [1, 2, 3]
    assert [point.label for point in by_series["partitions"]] == ["1", "4", "16"]
    assert [point.connections for point in by_series["connections"]] == [10, 1000, 10_000]
    assert by_series["pods"][1].programs == ["ws-redis", "api", "grpc-server", "api-2", "grpc-server-2"]


def test_proc_tells_memory_cpu_and_wake_ups() -> None:
    before = idling_of(os.getpid())
    for _ in range(5):
        time.sleep(0.001)
    after = idling_of(os.getpid())
    assert after.switches >= before.switches + 5 and after.cpu_ns > before.cpu_ns
    assert 1 < rss_mib(os.getpid()) < 10_000


def test_a_sampler_gives_back_the_error_of_its_thread() -> None:
    def broken() -> None:
        raise StackError("a probe was answered 503")

    with pytest.raises(StackError, match="answered 503"), Sampler(broken, 0.001):
        pass


def test_a_sampler_does_not_hide_the_error_of_its_body() -> None:
    def broken() -> None:
        raise StackError("later")

    with pytest.raises(ValueError, match="first"), Sampler(broken, 0.001):
        raise ValueError("first")
