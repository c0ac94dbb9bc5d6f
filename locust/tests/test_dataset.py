# SPDX-License-Identifier: Apache-2.0
"""Goal: every form of file is read as its author meant it, and a broken one is refused clearly.

Method: any list of objects, written in each form, loads back equal; broken files by hand.
"""

import json

import dataset
import pytest
from hypothesis import given
from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from([",}", ",]", '",}', "\\", '\\"', "//", "[{", "\ufeff", ", ]"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.lists(st.dictionaries(st.text(), values, max_size=5), max_size=8)
ascii_or_not = st.booleans()


def read(text: str) -> list[dict]:
    return [event for _, event in dataset.parse(text)]


def loaded(path, data: bytes) -> list[dict]:
    path.write_bytes(data)
    return [json.loads(body) for body in dataset.load(path)]


def reason(path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(dataset.DataError) as caught:
        dataset.load(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message[len(str(path)) :]


@given(objects, ascii_or_not)
def test_ndjson_loads_back_equal(events, ensure_ascii):
    lines = [json.dumps(event, ensure_ascii=ensure_ascii) for event in events]
    assert read("\n".join(lines)) == events
    assert read("".join(line + "\r\n" for line in lines)) == events


@given(objects, ascii_or_not, st.sampled_from([None, 2]))
def test_array_loads_back_equal(events, ensure_ascii, indent):
    assert read(json.dumps(events, ensure_ascii=ensure_ascii, indent=indent)) == events


@given(objects, ascii_or_not, st.sampled_from([None, 4]), st.sampled_from(["", ",", ",\n\n", " ,"]))
def test_objects_without_brackets_load_back_equal(events, ensure_ascii, indent, end):
    texts = [json.dumps(event, ensure_ascii=ensure_ascii, indent=indent) for event in events]
    assert read("\ufeff\n" + ",\n".join(texts) + (end if texts else "")) == events


@given(objects)
def test_what_is_sent_is_strict_json_of_the_same_event(events):
    for line, event in dataset.parse(json.dumps(events)):
        assert json.loads(dataset._encode(event, line, "data")) == event


def test_trailing_commas_inside_objects_and_arrays_are_forgiven():
    text = '[{"text": "a,}", "tags": [1, 2,\n], },\n{"text": ",]"},\n]'
    assert read(text) == [{"text": "a,}", "tags": [1, 2]}, {"text": ",]"}]


def test_names_of_fields_pass_through(tmp_path):
    data = '{"texto": "Está nublado", "pais": "Guatemala"},\n'.encode("utf-8-sig")
    assert loaded(tmp_path / "course.json", data) == [
        {"texto": "Está nublado", "pais": "Guatemala"}
    ]


def test_line_breaks_in_strings_are_forgiven_and_sent_escaped(tmp_path):
    path = tmp_path / "raw.json"
    assert loaded(path, b'{"text": "a\nb"}') == [{"text": "a\nb"}]
    assert dataset.load(path) == [b'{"text":"a\\nb"}']


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"text": "a"}\n{"text": "b"\n', ":3: not JSON: expecting ',' delimiter"),
        (b'{"text": "a"}\n\nnonsense', ":3: an object should start here, not 'n'"),
        (b'[{"text": "a"},\n{"text": "b"}', ":2: the array is not closed"),
        (b'[{"text": "a"}]\n{"text": "b"}', ":2: something follows the end of the array"),
        (b"[1, 2]", ":1: an object should start here, not '1'"),
        (b'{"text": "a"}\n{"text": "caf\xe9"}', ":2: not UTF-8 (byte 0xe9)"),
        (b'{"text": NaN}', ":1: NaN is not a JSON number"),
        (b'{"a": 1}\n{"text": "\\ud83d"}', ":2: holds half of a surrogate pair"),
        (b'{"a": ' + b"[" * 100_000, ":1: nested too deeply"),
        (b'{"a": 1}\n{"n": ' + b"9" * 5000 + b"}", ":2: "),
        (b"", ": holds no event"),
        (b" [ ] ", ": holds no event"),
    ],
)
def test_broken_files_are_refused_with_their_line(tmp_path, data, expected):
    assert reason(tmp_path / "broken.json", data).startswith(expected)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(dataset.DataError, match="nowhere.json: No such file"):
        dataset.load(tmp_path / "nowhere.json")


def test_limits(tmp_path, monkeypatch):
    path = tmp_path / "large.json"
    monkeypatch.setattr(dataset, "EVENTS_MAX", 2)
    assert len(loaded(path, b'{"a":1}' * 2)) == 2
    assert reason(path, b'{"a":1}\n' * 3) == ":3: more than 2 events"
    long = json.dumps({"text": "x" * dataset.EVENT_BYTES_MAX}).encode()
    assert reason(path, b'{"a":1}\n' + long).startswith(":2: 16,3")
    monkeypatch.setattr(dataset, "FILE_BYTES_MAX", 4)
    assert reason(path, b'{"a":1}').startswith(": larger than")
