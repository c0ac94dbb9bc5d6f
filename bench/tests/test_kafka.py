# SPDX-License-Identifier: Apache-2.0
"""./mesh bench --kafka: what is measured, what is made of it, and that the page of the documentation takes it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.driver import blocks
from bench.driver.kafka import fetch, measure, page, plots
from bench.driver.kafka.points import BATCH_LENS, CLOSED, FULL, GROUPS, LINGERS_US, POINTS, SPECS, Spec
from bench.driver.tools import as_options
from bench.tests.kafka_figures import found, run_of, told
from stack.mesh import PROJECT
from stack.process import StackError

PAGE = PROJECT / "docs/kafka-behaviour.md"
PAPER, DARK = "#ffffff", "#0d1117"  # of pages on which the plots are looked at
FILE_BYTES_MAX = 60_000


def test_all_that_was_asked_about_is_varied() -> None:
    assert {"linger", "batch", "acks", "partitions", "rate"} == set(GROUPS)
    lingers = {(point.series, point.x) for point in POINTS if point.group == "linger"}
    assert lingers == {(series, us / 1000) for series in (CLOSED, FULL) for us in LINGERS_US}
    assert {(spec.acks, spec.idempotent) for spec in SPECS} == {
        ("0", False),
        ("1", False),
        ("all", False),
        ("all", True),
    }
    assert {spec.partitions for spec in SPECS} == {1, 4, 16}
    assert {spec.batch_len for spec in SPECS} == {0, *BATCH_LENS}


def test_a_setting_of_several_points_is_measured_once() -> None:
    assert len(SPECS) == len(set(SPECS)) < len(POINTS)
    assert {point.spec for point in POINTS} == set(SPECS)


def test_a_spec_becomes_the_options_of_the_producer() -> None:
    assert as_options(Spec().options()) == ["--linger-us", "500", "--acks", "all", "--partitions", "4"]
    words = as_options(Spec(0, 64, 10, 16384, "1", False, 1, 5000).options())
    assert words[:8] == ["--linger-us", "0", "--in-flight", "64", "--batch-len", "10", "--batch-bytes", "16384"]
    assert words[8:] == ["--acks", "1", "--no-idempotence", "--partitions", "1", "--rate", "5000"]


def test_it_fits_into_eight_minutes_and_quickly_into_two() -> None:
    assert measure.KAFKA_FULL.estimate <= 8 * 60 and measure.KAFKA_FULL.rounds >= 3
    assert measure.KAFKA_QUICK.estimate <= 2 * 60
    cut = measure.KAFKA_FULL.cut(1, 0.5)
    assert (cut.rounds, cut.seconds, cut.fetched) == (1, 0.5, 100_000)
    assert measure.KAFKA_FULL.cut(None, None) == measure.KAFKA_FULL


def test_a_point_is_the_median_of_its_rounds() -> None:
    point = next(each for each in found(3).points() if each["label"] == "linger 1 ms" and each["series"] == CLOSED)
    assert point["events_per_s"] == pytest.approx(run_of(Spec(1000, 64), 1.1)["events_per_s"])
    assert point["spread"] == pytest.approx(0.2 / 1.1) and point["rounds"] == 3


def test_a_setting_that_failed_has_a_reason_and_no_figures() -> None:
    some = found()
    some.failed[Spec()] = "bench-producer ended with 1"
    assert not some.ok and found().ok
    failed = [point for point in some.points() if "failed" in point]
    assert failed and all(point["failed"] == "bench-producer ended with 1" for point in failed)
    assert not any("events_per_s" in point for point in failed)
    made = page.parts(told(some))
    assert "failed: bench-producer ended with 1" in made["acks"] and "failed" not in made["batch"]


def test_an_interrupted_run_is_not_ok() -> None:
    some = found()
    some.whole = False
    assert not some.ok


def test_a_run_that_never_came_to_a_setting_says_so() -> None:
    some = measure.Found(whole=False)
    some.runs[Spec(0, 64)].append(run_of(Spec(0, 64)))
    made = page.parts(told(some))
    assert "not measured" in made["rate"] and made["answer"] == "Not measured." and "no round" in made["fetch"]


def test_the_page_has_a_place_for_each_part_and_no_others() -> None:
    text = PAGE.read_text()
    once = blocks.rewritten(text, page.parts(told()))
    assert blocks.rewritten(once, page.parts(told())) == once
    assert "**220,500 events/s**" in once
    drawn = set(plots.figures(told()))
    assert drawn == set(re.findall(r"\]\(pictures/([^)]+)\)", text))


def test_the_typed_text_holds_no_measured_figures() -> None:
    typed = re.sub(r"<!-- made by.*?<!-- end -->", "", PAGE.read_text(), flags=re.DOTALL)
    assert not re.search(r"\d[\d,.]* (events/s|µs)", typed)


def test_the_mesh_is_told_what_its_linger_does() -> None:
    made = page.parts(told())
    assert "`KAFKA_LINGER_US` is 500" in made["mesh"] and "1.5 times the rate (1,050 → 1,575" in made["mesh"]
    other = page.parts(told() | {"mesh_linger_us": 300})
    assert "is 300 unless" in other["mesh"] and "a linger of 0.5 ms" in other["mesh"]


def test_the_document_is_json() -> None:
    assert json.loads(json.dumps(told(), allow_nan=False)) == told()


def test_what_starting_takes_is_left_out_of_reading() -> None:
    idle = fetch._Spent(0.2, 0.05, 0.01, 0)
    one = fetch.fetch_of(fetch._Spent(1.2, 0.25, 0.11, 4096), idle, 100_000)
    assert one.events_per_s == pytest.approx(100_000)
    assert (one.client_us, one.broker_us) == (pytest.approx(2), pytest.approx(1))
    assert one.disk_bytes == pytest.approx(0.04096)
    with pytest.raises(StackError, match="too small"):
        fetch.fetch_of(idle, idle, 10)


# Plots.


def test_the_same_figures_give_the_same_bytes_and_small_files(tmp_path: Path) -> None:
    first, second = plots.draw(told(), tmp_path / "a"), plots.draw(told(), tmp_path / "b")
    assert len(first) == 5
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        text = one.read_text()
        assert len(text) < FILE_BYTES_MAX and "<text" in text and "<dc:date>" not in text


def test_other_figures_give_other_plots(tmp_path: Path) -> None:
    one = plots.draw(told(), tmp_path / "a")[0]
    other = plots.draw(told(found(1)), tmp_path / "b")[0]
    assert one.read_bytes() != other.read_bytes()


def test_plots_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    some = found()
    some.failed = dict.fromkeys((spec for spec in SPECS if spec.acks != "all" or spec.rate), "away")
    assert len(plots.draw(told(some), tmp_path)) == 5


def luminance(colour: str) -> float:
    """Relative, as WCAG 2 has it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ground", [PAPER, DARK])
def test_plots_can_be_read_on_paper_and_on_a_dark_page(ground: str) -> None:
    assert contrast(plots.GREY, ground) >= 4
    for colour in plots.COLOURS:
        assert contrast(colour, ground) >= 3, colour
