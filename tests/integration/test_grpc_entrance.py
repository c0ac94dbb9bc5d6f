# SPDX-License-Identifier: Apache-2.0
"""Goal: gRPC is an entrance like HTTP: the same checks, honest codes, each event once.

Method: grpcio with stubs made from proto/ talks to grpc-server directly.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import grpc
import pytest
from support.events import encode, groups, tweet, tweets
from support.grpc_client import SERVING, GrpcClient, request
from support.tested import Tested
from support.waiting import wait_for

from stack.mesh import Mesh

OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE = 0, 3, 4, 8, 14


@pytest.fixture(scope="module")
def alone(make_module_mesh) -> Tested:
    """grpc-server without the others: nothing of ours is needed to publish."""
    return make_module_mesh("grpc-server")


@pytest.fixture
def client(alone: Tested) -> Iterator[GrpcClient]:
    with GrpcClient(alone.mesh.grpc_address) as opened:
        yield opened


def event(mesh: Tested, number: int = 0, **fields: object) -> dict:
    return {"stream": mesh.stream.name, "payload": encode(tweet(number)), **fields}


def records(mesh: Tested) -> dict[tuple[int, int], object]:
    return {(record.partition, record.offset): record for record in mesh.judge.records(mesh.stream.topic)}


def test_publish_stores_and_answers_where(alone: Tested, client: GrpcClient) -> None:
    event_id = str(uuid.uuid4())
    sent = event(alone, 1, id=event_id, received_at=1_767_322_245_678)
    reply = client.publish(request(77, sent), timeout=10)
    assert (reply.sequence, list(reply.codes), list(reply.problems), list(reply.ids)) == (77, [OK], [], [])
    record = records(alone)[reply.partitions[0], reply.offsets[0]]
    assert record.event["id"] == event_id
    assert record.event["received_at"] == "2026-01-02T02:50:45.678Z"
    assert record.event["country"] == "Guatemala", "the server normalises what outside clients send"


def test_the_server_makes_missing_ids(alone: Tested, client: GrpcClient) -> None:
    given = str(uuid.uuid4())
    reply = client.publish(request(1, event(alone), event(alone, id=given)), timeout=10)
    assert list(reply.codes) == [OK, OK]
    assert reply.ids[1] == given
    assert uuid.UUID(reply.ids[0]).version == 7


def test_good_and_bad_events_in_one_request(alone: Tested, client: GrpcClient) -> None:
    before = alone.stored()
    bad = [
        {"stream": "no-such-stream", "payload": encode(tweet())},
        event(alone) | {"payload": b"{"},
        event(alone) | {"payload": b"[]"},
        event(alone) | {"payload": encode({"text": "x"})},
        event(alone) | {"payload": b"\xff"},
        event(alone) | {"payload": b""},
        event(alone, id="NOT-A-UUID"),
        event(alone, id=str(uuid.uuid4()).upper()),
    ]
    reply = client.publish(request(5, event(alone, 1), *bad, event(alone, 2)), timeout=10)
    assert list(reply.codes)[0] == OK and list(reply.codes)[-1] == OK
    for index in range(1, len(bad) + 1):
        assert reply.codes[index] == INVALID_ARGUMENT, f"event {index}: {reply.codes[index]}"
        assert (reply.partitions[index], reply.offsets[index]) == (-1, -1)
    assert {problem.index for problem in reply.problems} == set(range(1, len(bad) + 1))
    assert "/country" in {problem.pointer for problem in reply.problems if problem.index == 4}
    assert alone.stored() == before + 2


def test_limits_of_a_request(alone: Tested, client: GrpcClient) -> None:
    before = alone.stored()
    small = event(alone)
    with pytest.raises(grpc.RpcError) as refused:
        client.publish(request(1, *[small] * 1001), timeout=10)
    assert refused.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED)
    with pytest.raises(grpc.RpcError) as refused:
        client.publish(request(1, small | {"payload": b" " * (5 << 20)}), timeout=10)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    large = event(alone) | {"payload": encode(tweet(0, user="u" * 20_000))}
    assert client.publish(request(1, large), timeout=10).codes[0] == INVALID_ARGUMENT
    assert alone.stored() == before


def test_an_empty_request_is_answered_or_refused(alone: Tested, client: GrpcClient) -> None:
    try:
        reply = client.publish(request(9), timeout=10)
        assert (reply.sequence, list(reply.codes)) == (9, [])
    except grpc.RpcError as refused:
        assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x12\x05ab", b"\x08", b"\x12\xff\xff\xff\xff\x0f"])
def test_what_is_not_protobuf_is_refused(client: GrpcClient, raw: bytes) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        client.publish_bytes(raw, timeout=10)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_unknown_method_is_unimplemented(client: GrpcClient) -> None:
    for method in ("/tweetmesh.v1.Ingest/Nothing", "/nothing.Here/Publish", "/x"):
        with pytest.raises(grpc.RpcError) as refused:
            client.channel.unary_unary(method)(b"", timeout=10)
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_carries_many_requests(make_mesh) -> None:
    mesh = make_mesh()
    all_events = tweets(3000)

    def requests() -> Iterator[object]:
        for start in range(0, 3000, 50):
            batch = all_events[start : start + 50]
            yield request(start + 1, *[{"stream": mesh.stream.name, "payload": encode(one)} for one in batch])

    with GrpcClient(mesh.mesh.grpc_address) as client:
        replies = {reply.sequence: reply for reply in client.publish_stream(requests(), timeout=60)}
    assert set(replies) == set(range(1, 3001, 50))
    assert all(list(reply.codes) == [OK] * 50 for reply in replies.values())
    assert len({event_id for reply in replies.values() for event_id in reply.ids}) == 3000
    mesh.judge.expect_equal(mesh.stream, 3000)
    assert mesh.judge.counts(mesh.stream).groups == groups(3000)


def test_the_same_id_twice_is_one_document(make_mesh) -> None:
    mesh = make_mesh()
    sent = event(mesh, 2, id=str(uuid.uuid4()))
    with GrpcClient(mesh.mesh.grpc_address) as client:
        for sequence in range(3):
            assert list(client.publish(request(sequence, sent, sent), timeout=10).codes) == [OK, OK]
    mesh.judge.expect_equal(mesh.stream, 1)


def test_a_stream_that_is_cancelled_does_no_harm(alone: Tested, client: GrpcClient) -> None:
    def endless() -> Iterator[object]:
        sequence = 0
        while True:
            sequence += 1
            yield request(sequence, event(alone))

    for _ in range(5):
        call = client.publish_stream(endless(), timeout=30)
        assert list(next(call).codes) == [OK]
        call.cancel()
    assert list(client.publish(request(1, event(alone)), timeout=10).codes) == [OK]


def test_a_bad_message_ends_a_stream_with_a_status(client: GrpcClient) -> None:
    call = client.channel.stream_stream("/tweetmesh.v1.Ingest/PublishStream")(iter([b"\xff\xff\xff"]), timeout=10)
    with pytest.raises(grpc.RpcError) as refused:
        list(call)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_the_callers_deadline_is_honoured_and_honest(make_mesh, own_servers: Mesh) -> None:
    mesh = make_mesh()
    with GrpcClient(mesh.mesh.grpc_address) as client:
        assert list(client.publish(request(1, event(mesh)), timeout=10).codes) == [OK]
        own_servers.kafka.pause()
        try:
            with pytest.raises(grpc.RpcError) as late:
                client.publish(request(2, event(mesh, 1)), timeout=1)
            assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        finally:
            own_servers.kafka.resume()
    mesh.judge.expect_equal(mesh.stream)


def health(mesh: Tested, service: bytes = b"") -> bytes:
    """Asks on a channel of its own: starting a server while one is open hangs in grpc's fork handlers."""
    with GrpcClient(mesh.mesh.grpc_address) as client:
        return client.health(service, timeout=5)


def test_health_of_a_service(alone: Tested) -> None:
    wait_for("serving", lambda: health(alone) == SERVING)
    assert health(alone, b"\x0a\x13tweetmesh.v1.Ingest") == SERVING
    with pytest.raises(grpc.RpcError) as unknown:
        health(alone, b"\x0a\x07nothing")
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


def test_health_follows_the_broker(make_mesh, own_servers: Mesh) -> None:
    mesh = make_mesh("grpc-server")
    wait_for("serving", lambda: health(mesh) == SERVING)
    own_servers.kafka.stop()
    try:
        wait_for("not serving", lambda: health(mesh) != SERVING, 60)
    finally:
        own_servers.kafka.start()
    wait_for("serving again", lambda: health(mesh) == SERVING, 60)
