# SPDX-License-Identifier: Apache-2.0
"""Goal: api and grpc-server agree with JSON Schema on what fits a stream, for any JSON value.

Method: hypothesis makes values near and far from the schema; python's jsonschema judges each; both entrances must
judge the same. A second stream with every keyword of our subset is judged likewise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import encode
from support.grpc_client import GrpcClient, request
from support.http import Client
from support.tested import Tested

# No lone surrogates: they cannot be sent as UTF-8.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8
)
DATE_TIMES = (
    st.datetimes().map(lambda at: at.isoformat() + "Z")
    | st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9][Tt][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{1,9})?([Zz]|[+-][0-2][0-9]:[0-5][0-9])\Z"
    )
    | TEXT
)
COUNTRIES = st.sampled_from(["US", "Guatemala", "méxico", "Narnia", "", "x" * 64, "x" * 65]) | TEXT
TWEETS = st.fixed_dictionaries(
    {"text": st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | SCALARS, "country": COUNTRIES | SCALARS},
    optional={"user": TEXT | SCALARS, "created_at": DATE_TIMES | SCALARS, "lang": TEXT},
)

EVERY_KEYWORD = {
    "type": "object",
    "required": ["kind"],
    "additionalProperties": False,
    "properties": {
        "kind": {"type": "string", "enum": ["a", "b", "ünïcode"]},
        "count": {"type": "integer", "minimum": -3, "maximum": 1000},
        "ratio": {"type": "number", "minimum": 0.25, "maximum": 0.75},
        "ok": {"type": "boolean"},
        "nothing": {"type": "null"},
        "version": {"const": 2},
        "name": {"type": "string", "minLength": 2, "maxLength": 5},
        "tags": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 4}},
        "place": {
            "type": "object",
            "required": ["lat"],
            "properties": {"lat": {"type": "number", "minimum": -90, "maximum": 90}, "open": {}},
        },
    },
}
NEAR = st.fixed_dictionaries(
    {"kind": st.sampled_from(["a", "b", "ünïcode", "A", "c"]) | SCALARS},
    optional={
        "count": st.integers(-10, 1010) | st.floats(-5, 5) | SCALARS,
        "ratio": st.floats(0, 1) | st.integers(0, 1) | SCALARS,
        "ok": st.booleans() | SCALARS,
        "nothing": st.none() | SCALARS,
        "version": st.sampled_from([2, 2.0, 3, "2", True]) | SCALARS,
        "name": st.text(st.characters(exclude_categories=["Cs"]), max_size=7) | SCALARS,
        "tags": st.lists(st.text("aé🌧", max_size=5) | SCALARS, max_size=5) | SCALARS,
        "place": st.fixed_dictionaries({}, optional={"lat": st.floats(-100, 100), "open": VALUES}) | SCALARS,
        "colour": TEXT,
    },
)


def validator(schema: dict) -> jsonschema.Draft202012Validator:
    checker = jsonschema.FormatChecker(["date-time"])
    assert "date-time" in checker.checkers, "python3-rfc3339-validator is missing"
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


@pytest.fixture(scope="module")
def every_keyword(make_module_mesh) -> Tested:
    return make_module_mesh(
        "grpc-server", "api", stream={"schema": EVERY_KEYWORD, "count_by": "kind", "path": "/things"}
    )


def judge_alike(client: Client, path: str, judge: jsonschema.Draft202012Validator, value: object) -> None:
    """One value over HTTP: 202 exactly if jsonschema says it fits; 422 names where jsonschema sees a fault."""
    if isinstance(value, list):
        value = {"list": value}  # an array would be a batch
    answer = client.post(path, value)
    fits = judge.is_valid(value) and not holds_nul(value)
    assert answer.status == (202 if fits else 422), f"jsonschema: fits={fits}; api: {answer.status} {answer.body!r}"
    if not judge.is_valid(value):
        pointers = {pointer(error) for error in judge.iter_errors(value)}
        named = {error["pointer"] for error in answer.json["errors"]}
        assert any(name.startswith(tuple(pointers)) for name in named), f"api {named}, jsonschema {pointers}"


def holds_nul(value: object) -> bool:
    """U+0000 in a string fits no stream, whatever its schema says (streams/README.md)."""
    if isinstance(value, dict):
        return any(holds_nul(each) for item in value.items() for each in item)
    if isinstance(value, list):
        return any(holds_nul(each) for each in value)
    return isinstance(value, str) and "\0" in value


def pointer(error: jsonschema.ValidationError) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in error.absolute_path)


@given(value=TWEETS | VALUES)
@example(value={"text": "\x00", "country": "\x00"})
@example(value={"text": "🌧" * 4000, "country": "é" * 64})
def test_tweets_are_judged_as_jsonschema_does(entrance: Tested, client: Client, value: object) -> None:
    judge_alike(client, entrance.stream.path, validator(entrance.stream.schema), value)


def test_a_leap_second_is_a_date_time(entrance: Tested, client: Client) -> None:
    """As RFC 3339, 5.6 says; python3-rfc3339-validator, which jsonschema asks, does not know them."""
    value = {"text": "x", "country": "US", "created_at": "1990-12-31T23:59:60Z"}
    assert client.post(entrance.stream.path, value).status == 202


@given(value=NEAR | VALUES)
@example(value={"kind": "a", "count": 3.0, "version": 2.0, "ratio": 0.25, "name": "🌧🌧"})
@example(value={"kind": "a", "count": 1000.0000000000001})
@example(value={"kind": "a", "place": {"lat": 90, "open": {"deep": [1, {"x": None}]}}})
def test_every_keyword_is_judged_as_jsonschema_does(every_keyword: Tested, value: object) -> None:
    judge_alike(_client_of(every_keyword), "/things", validator(EVERY_KEYWORD), value)


_clients: dict[int, Client] = {}


def _client_of(mesh: Tested) -> Client:
    """One connection for all examples."""
    return _clients.setdefault(mesh.http_port, mesh.client())


@pytest.fixture(scope="module")
def grpc_client(entrance: Tested) -> Iterator[GrpcClient]:
    with GrpcClient(entrance.mesh.grpc_address) as opened:
        yield opened


@given(values=st.lists(TWEETS | VALUES, min_size=1, max_size=20))
def test_grpc_judges_alike(entrance: Tested, grpc_client: GrpcClient, values: list) -> None:
    judge = validator(entrance.stream.schema)
    events = [{"stream": entrance.stream.name, "payload": encode(value)} for value in values]
    reply = grpc_client.publish(request(1, *events), timeout=20)
    assert [code == 0 for code in reply.codes] == [judge.is_valid(value) for value in values]
    assert set(reply.codes) <= {0, 3}
    assert {problem.index for problem in reply.problems} == {at for at, code in enumerate(reply.codes) if code == 3}


@given(body=st.binary(max_size=300) | VALUES.map(encode).map(lambda data: data[:-1]))
def test_any_bytes_get_a_2xx_or_4xx(entrance: Tested, client: Client, body: bytes) -> None:
    for content_type in ("application/json", "application/x-ndjson"):
        answer = client.post(entrance.stream.path, body, content_type)
        assert 200 <= answer.status < 500, answer.body
        try:
            json.loads(body)
        except ValueError:
            if content_type == "application/json":
                assert answer.status == 400, f"python: not JSON; api: {answer.status} {answer.body!r}"


@given(payload=st.binary(max_size=200))
def test_any_bytes_over_grpc_get_a_code(entrance: Tested, grpc_client: GrpcClient, payload: bytes) -> None:
    reply = grpc_client.publish(request(7, {"stream": entrance.stream.name, "payload": payload}), timeout=20)
    assert list(reply.codes) in ([0], [3])
