# SPDX-License-Identifier: Apache-2.0
"""Frames are made as Grafana's datasources make them, and @grafana/data does with them what panels rely on.

Goal: what the frame makers and the Node runner do in corners that a healthy load does not reach.
Method: answers written by hand; real transformations.
"""

from __future__ import annotations

import pytest

from dashboards import grafana_data, prometheus_frames, redis_frames
from dashboards.model import UnknownVariable, interpolate, variables_in
from dashboards.prometheus_frames import Series

SECOND = 1_795_269_336


def columns(frame: dict) -> dict[str, list]:
    return {
        field["name"]: values for field, values in zip(frame["schema"]["fields"], frame["data"]["values"], strict=True)
    }


def types(frame: dict) -> dict[str, str]:
    return {field["name"]: field["type"] for field in frame["schema"]["fields"]}


def test_hash_is_one_row_with_numbers_where_they_are_numbers() -> None:
    frame = redis_frames.hash_frame("hgetall", "A", {"Peru": "7", "share": "0.5", "0": "7 7 7 1", "none": None})
    assert columns(frame) == {"Peru": [7.0], "share": [0.5], "0": ["7 7 7 1"], "none": [""]}
    assert types(frame) == {"Peru": "number", "share": "number", "0": "string", "none": "string"}


def test_value_is_named_after_its_field() -> None:
    assert columns(redis_frames.value_frame("total", "A", "total", "12")) == {"total": [12.0]}
    assert columns(redis_frames.value_frame("total", "A", "total", None)) == {"total": [""]}


def test_stream_takes_every_id_for_milliseconds_and_fills_what_is_missing() -> None:
    entries = [(f"{SECOND}-0", {"accepted": "3"}), (f"{SECOND + 1}-0", {"accepted": "4", "note": "late", "total": "9"})]
    frame = redis_frames.stream_frame("xrange", "A", entries)
    assert columns(frame) == {
        "$streamId": [f"{SECOND}-0", f"{SECOND + 1}-0"],
        "$time": [SECOND, SECOND + 1],
        "accepted": [3.0, 4.0],
        "note": ["", "late"],
        "total": [0.0, 9.0],
    }


def test_unknown_command_and_query_are_refused() -> None:
    for target in ({"command": "keys"}, {"command": "hgetall", "query": "KEYS *"}):
        with pytest.raises(ValueError, match="command|query"):
            redis_frames.execute(None, {"refId": "A", "keyName": "x", **target}, 0, 1)


def test_legend_leaves_out_labels_that_are_not_there() -> None:
    assert (
        prometheus_frames.legend("{{program}} ({{ quality }}){{x}}", {"program": "api", "quality": "fake"})
        == "api (fake)"
    )


def test_table_has_a_column_for_every_label() -> None:
    found = [Series({"a": "1"}, [1000], [2.0]), Series({"b": "2"}, [1000], [3.0])]
    (frame,) = prometheus_frames.table("B", found, alone=False)
    assert columns(frame) == {"Time": [1000, 1000], "a": ["1", ""], "b": ["", "2"], "Value #B": [2.0, 3.0]}
    assert "Value" in columns(prometheus_frames.table("B", found, alone=True)[0])


def test_heat_map_holds_what_lies_between_bounds() -> None:
    found = [
        Series({"le": le}, [1, 2], values)
        for le, values in (("+Inf", [9.0, 9.0]), ("0.5", [2.0, 3.0]), ("10", [6.0, 3.0]))
    ]
    (frame,) = prometheus_frames.heatmap("A", found)
    assert columns(frame) == {"Time": [1, 2], "0.5": [2.0, 3.0], "10": [4.0, 0.0], "+Inf": [3.0, 6.0]}


def test_variables_are_replaced_and_unknown_ones_are_errors() -> None:
    assert interpolate("{$stream}:${count_by:raw} [[stream]] $1", {"stream": "s", "count_by": "c"}) == "{s}:c s $1"
    assert variables_in('label_replace(x, "a", "$1", "b", "$c")') == ["c"]
    with pytest.raises(UnknownVariable):
        interpolate("$nobody", {})


def panel(frames: list[dict], *transformations: dict, **more: object) -> dict:
    config = {"defaults": {"unit": "short"}, "overrides": []}
    return {
        "frames": frames,
        "transformations": list(transformations),
        "fieldConfig": config,
        "reduceOptions": None,
    } | more


def test_unknown_transformation_is_an_error_and_not_passed_over() -> None:
    frame = redis_frames.hash_frame("hgetall", "A", {"Peru": "7"})
    (result,) = grafana_data.run([panel([frame], {"id": "extractFields", "options": {}})])
    assert "no transformation extractFields" in result.error


def test_nothing_is_no_data() -> None:
    (empty, nulls) = grafana_data.run(
        [panel([]), panel(prometheus_frames.time_series("A", "x", [Series({}, [1], [None])]))]
    )
    assert not empty.has_data() and not nulls.has_data()


def test_date_formats_cut_numbers_out_of_a_text() -> None:
    """What the panels on {stream}:archive rely on: x takes a number, each Y before it passes over one."""
    frame = redis_frames.hash_frame("hgetall", "A", {"0": f"105 0 99 {SECOND}123"})
    cut = [{"targetField": f"{i}", "destinationType": "time", "dateFormat": "Y " * i + "x"} for i in range(4)]
    frames = [frame | {"schema": frame["schema"] | {"fields": [{"name": f"{i}", "type": "string"}]}} for i in range(4)]
    results = grafana_data.run(
        [panel([each], {"id": "convertFieldType", "options": {"conversions": cut}}) for each in frames]
    )
    assert [result.frames[0][0].values for result in results] == [[105], [0], [99], [SECOND * 1000 + 123]]
