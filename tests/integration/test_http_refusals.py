# SPDX-License-Identifier: Apache-2.0
"""Goal: bad input is refused with the right status and a problem that says why, and nothing is stored.

Method: one mesh; each refusal is followed by a look at Kafka's end offsets, which must not move.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest
from support.events import encode, ndjson, tweet, tweets
from support.http import JSON, NDJSON, PROBLEM, Client, expect_problem, talk
from support.tested import Tested

KIB = 1024


@pytest.fixture(scope="module")
def entrance(make_module_mesh) -> Tested:
    """What it takes to accept events: api and grpc-server."""
    return make_module_mesh("grpc-server", "api")


@pytest.fixture
def client(entrance: Tested) -> Iterator[Client]:
    """A connection to the mesh; afterwards nothing new may be in Kafka."""
    before = entrance.stored()
    yield entrance.client()
    assert entrance.stored() == before, "a refused request left something in Kafka"


NOT_JSON = [
    b"",
    b" ",
    b"{",
    b"{'text': 'x'}",
    b'{"text": "x", "country": "US",}',
    b'{"text": NaN, "country": "US"}',
    b'{"text": "a" /* no */, "country": "US"}',
    b'{"text": "x", "country": "US"} {"text": "y", "country": "US"}',
    b'[{"text": "x", "country": "US"}',
    b"\x1f\x8b\x08\x00not gzip",
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:16]))
def test_what_is_not_json_is_400(client: Client, body: bytes) -> None:
    expect_problem(client.post("/input", body), 400)


@pytest.mark.parametrize("text", [b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"])
def test_what_is_not_utf8_is_400(client: Client, text: bytes) -> None:
    expect_problem(client.post("/input", b'{"country": "US", "text": "' + text + b'"}'), 400)


def test_utf16_is_400(client: Client) -> None:
    expect_problem(client.post("/input", json.dumps(tweet()).encode("utf-16")), 400)


def test_a_batch_with_one_bad_line_is_refused_whole(client: Client) -> None:
    expect_problem(client.post("/input", ndjson(tweets(3)) + b"{oops\n" + ndjson(tweets(3)), NDJSON), 400)


def test_broken_gzip_is_400(client: Client) -> None:
    packed = gzip.compress(encode(tweet()))
    for body in (packed[:-9], b"not gzip at all", packed[:10] + b"\x00\x00" + packed[12:]):
        expect_problem(client.post("/input", body, Content_Encoding="gzip"), 400)


@pytest.mark.parametrize("key", ["", "k" * 256, "tab\tinside", "ümlaut", "del\x7f"])
def test_a_bad_idempotency_key_is_400(client: Client, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1"), "Content-Type": JSON}
    expect_problem(client.request("POST", "/input", encode(tweet()), headers), 400)


@pytest.mark.parametrize("path", ["/inpu", "/input/", "/input/x", "/INPUT", "/metrics", "/../input", "/%69nput2"])
def test_an_unknown_path_is_404(client: Client, path: str) -> None:
    expect_problem(client.post(path, tweet()), 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_405_and_names_the_right_one(client: Client, method: str) -> None:
    answer = client.request(method, "/input")
    expect_problem(answer, 405)
    assert "POST" in [name.strip() for name in answer.headers["allow"].split(",")]


def test_posting_the_openapi_document_is_405(client: Client) -> None:
    answer = client.post("/openapi.json", tweet())
    expect_problem(answer, 405)
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "application/json; charset=latin1",
        "garbage",
        None,
    ],
)
def test_another_content_type_is_415(client: Client, content_type: str | None) -> None:
    expect_problem(client.post("/input", tweet(), content_type), 415)


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_another_content_coding_is_415(client: Client, coding: str) -> None:
    expect_problem(client.post("/input", tweet(), Content_Encoding=coding), 415)


def test_a_declared_body_above_1_mib_is_413_before_it_is_sent(entrance: Tested) -> None:
    head = f"POST /input HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: {KIB * KIB + 1}\r\n\r\n"
    answer = talk(entrance.http_port, [head.encode()])
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
    assert PROBLEM.encode() in answer


def test_a_chunked_body_above_1_mib_is_413(entrance: Tested) -> None:
    head = f"POST /input HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer = talk(entrance.http_port, [head.encode(), *[chunk] * 17, b"0\r\n\r\n"])
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413 "), answer[:200]


def test_a_body_of_exactly_1_mib_is_read(client: Client) -> None:
    body = encode([]) + b" " * (KIB * KIB - 2)
    assert client.post("/input", body).status in (202, 422)


def test_a_gzip_bomb_is_413(client: Client) -> None:
    expect_problem(client.post("/input", gzip.compress(b" " * (50 * KIB * KIB)), Content_Encoding="gzip"), 413)


def test_more_than_1000_events_are_413(client: Client) -> None:
    expect_problem(client.post("/input", [{"text": "x", "country": "US"}] * 1001), 413)
    expect_problem(client.post("/input", b'{"text":"x","country":"US"}\n' * 1001, NDJSON), 413)


def test_too_long_a_target_is_414(entrance: Tested) -> None:
    answer = talk(
        entrance.http_port, [b"POST /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]
    )
    assert answer.startswith((b"HTTP/1.1 414 ", b"HTTP/1.1 431 ")), answer[:200]


def test_too_large_a_head_is_431(entrance: Tested) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 4000) for number in range(40))
    answer = talk(entrance.http_port, [b"POST /input HTTP/1.1\r\nHost: x\r\n" + fields + b"Connection: close\r\n\r\n"])
    assert answer.startswith(b"HTTP/1.1 431 "), answer[:200]


@pytest.mark.parametrize("raw", [b"NONSENSE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"POST /input HTTP/1.1\r\n\r\n"])
def test_what_is_not_http_gets_no_answer_but_400(entrance: Tested, raw: bytes) -> None:
    answer = talk(entrance.http_port, [raw, b"\r\n\r\n"])
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), answer[:200]


UNFIT = [
    ({"country": "US"}, ["/text"]),
    ({"text": "x"}, ["/country"]),
    ({}, ["/country", "/text"]),
    ({"text": "", "country": "US"}, ["/text"]),
    ({"text": "x" * 4001, "country": "US"}, ["/text"]),
    ({"text": 7, "country": None}, ["/country", "/text"]),
    ({"text": "x", "country": ["US"]}, ["/country"]),
    ({"text": "x", "country": "y" * 65}, ["/country"]),
    ({"text": "x", "country": "US", "lang": "en"}, ["/lang"]),
    ({"text": "x", "country": "US", "a/b~c": 1}, ["/a~1b~0c"]),
    ({"text": "x", "country": "US", "created_at": "yesterday"}, ["/created_at"]),
    ({"text": "x", "country": "US", "created_at": "2026-02-30T00:00:00Z"}, ["/created_at"]),
    ({"text": "x", "country": "US", "created_at": "2026-02-03"}, ["/created_at"]),
    ({"text": "x", "texto": "y", "country": "US"}, None),
]


@pytest.mark.parametrize(("event", "pointers"), UNFIT, ids=lambda value: json.dumps(value)[:40])
def test_what_does_not_fit_the_schema_is_422_and_says_where(client: Client, event: dict, pointers: list | None) -> None:
    problem = expect_problem(client.post("/input", event), 422)
    found = sorted(error["pointer"] for error in problem["errors"])
    assert found, "422 names no error"
    assert pointers is None or found == pointers


@pytest.mark.parametrize("body", [b"1", b'"text"', b"null", b"true", b"1e400"])
def test_json_that_is_no_object_is_refused(client: Client, body: bytes) -> None:
    answer = client.post("/input", body)
    expect_problem(answer, 400 if body == b"1e400" and answer.status == 400 else 422)


def test_a_duplicate_member_is_not_taken_silently(client: Client) -> None:
    answer = client.post("/input", b'{"text": "a", "text": "b", "country": "US"}')
    assert answer.status in (400, 422)
    expect_problem(answer, answer.status)


def test_problems_never_repeat_the_clients_text(client: Client) -> None:
    secret = "hunter2-4711"
    for event in (
        {"text": "x", "country": 1, "user": secret * 20},
        {"text": "x", "country": "US", "created_at": secret},
    ):
        assert secret.encode() not in client.post("/input", event).body


@pytest.mark.parametrize("depth", [9, 60, 2000])
def test_too_deep_an_event_is_refused(client: Client, depth: int) -> None:
    body = b'{"text": "x", "country": ' + b"[" * depth + b"]" * depth + b"}"
    answer = client.post("/input", body)
    assert answer.status in (400, 422)
    expect_problem(answer, answer.status)


def test_too_large_an_event_is_refused(client: Client) -> None:
    answer = client.post("/input", {"text": "x", "country": "US", "user": "u" * (17 * KIB)})
    assert answer.status in (413, 422)
    expect_problem(answer, answer.status)


def test_a_batch_of_only_bad_events_stores_nothing(client: Client) -> None:
    answer = client.post("/input", [{"text": 1}, {}])
    assert answer.status in (207, 422), answer.body
    if answer.status == 207:
        assert (answer.json["accepted"], answer.json["rejected"]) == (0, 2)


def test_refused_requests_leave_the_connection_usable(entrance: Tested) -> None:
    client = entrance.client()
    for _ in range(3):
        expect_problem(client.post("/input", b"{"), 400)
        expect_problem(client.post("/input", {}), 422)
        assert client.post("/input", tweet()).status == 202


def test_a_mixed_batch_is_207_and_stores_only_the_good_ones(entrance: Tested) -> None:
    before = entrance.stored()
    batch = [tweet(0), {"text": "no country"}, tweet(2), 7, tweet(4)]
    answer = entrance.client().post("/input", batch)
    assert answer.status == 207, answer.body
    body = answer.json
    assert (body["accepted"], body["rejected"], len(body["results"])) == (3, 2, 5)
    by_index = {result.get("index", at): result for at, result in enumerate(body["results"])}
    for index in (0, 2, 4):
        assert by_index[index]["id"] and by_index[index]["offset"] >= 0
    for index, pointer in ((1, "/country"), (3, "")):
        refused = by_index[index]
        assert refused["index"] == index
        problem = refused["problem"]
        assert problem["status"] == 422
        assert pointer in [error["pointer"] for error in problem["errors"]]
    assert entrance.stored() == before + 3
