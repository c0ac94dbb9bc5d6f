# SPDX-License-Identifier: Apache-2.0
"""Goal: tools that know nothing of us can use grpc-server: by reflection, health checks and plain grpcio.

Method: grpcurl lists, describes, publishes and asks for health; grpcio sends what no good client would.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from contextlib import suppress

import grpc
import pytest
from support.events import encode, tweet
from support.grpc_client import PUBLISH, GrpcClient, request
from support.streams import PROJECT
from support.tested import Tested
from support.waiting import wait_for

Grpcurl = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="module")
def entrance(make_module_mesh) -> Tested:
    """grpc-server alone."""
    return make_module_mesh("grpc-server")


@pytest.fixture
def grpcurl(entrance: Tested, grpcurl_path: str) -> Grpcurl:
    def run(*arguments: str, data: dict | None = None, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        body = ["-d", json.dumps(data)] if data is not None else []
        command = [
            grpcurl_path,
            "-plaintext",
            "-max-time",
            "20",
            *options,
            *body,
            entrance.mesh.grpc_address,
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def expect_ok(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_list(grpcurl: Grpcurl) -> None:
    services = expect_ok(grpcurl("list")).split()
    assert {"tweetmesh.v1.Ingest", "grpc.health.v1.Health"} <= set(services)
    assert any(name.startswith("grpc.reflection.") for name in services)
    methods = expect_ok(grpcurl("list", "tweetmesh.v1.Ingest")).split()
    assert set(methods) == {"tweetmesh.v1.Ingest.Publish", "tweetmesh.v1.Ingest.PublishStream"}


def test_describe(grpcurl: Grpcurl) -> None:
    text = expect_ok(grpcurl("describe", "tweetmesh.v1.Ingest"))
    assert "rpc Publish ( .tweetmesh.v1.PublishRequest ) returns ( .tweetmesh.v1.PublishReply );" in text
    assert "stream .tweetmesh.v1.PublishRequest" in text
    assert "bytes payload = 3;" in expect_ok(grpcurl("describe", "tweetmesh.v1.Event"))
    assert "SERVING" in expect_ok(grpcurl("describe", "grpc.health.v1.HealthCheckResponse.ServingStatus"))


def test_describe_what_is_not_there(grpcurl: Grpcurl) -> None:
    assert grpcurl("describe", "tweetmesh.v1.Nothing").returncode != 0


@pytest.mark.parametrize("method", ["Publish", "PublishStream"])
def test_publish(grpcurl: Grpcurl, entrance: Tested, method: str) -> None:
    before = entrance.stored()
    payload = base64.b64encode(encode(tweet(2))).decode()
    data = {"sequence": 11, "events": [{"stream": entrance.stream.name, "payload": payload}]}
    reply = json.loads(expect_ok(grpcurl(f"tweetmesh.v1.Ingest/{method}", data=data)))
    assert reply["sequence"] == "11"
    assert reply["codes"] == [0]
    assert len(reply["ids"][0]) == 36
    assert entrance.stored() == before + 1


def test_health(grpcurl: Grpcurl) -> None:
    for asked in ({}, {"service": "tweetmesh.v1.Ingest"}):
        wait_for(
            "it serves", lambda asked=asked: '"SERVING"' in grpcurl("grpc.health.v1.Health/Check", data=asked).stdout
        )
    unknown = grpcurl("grpc.health.v1.Health/Check", data={"service": "nothing"})
    assert unknown.returncode != 0 and "NotFound" in unknown.stderr


def test_publish_from_the_proto_files_alone(grpcurl: Grpcurl, entrance: Tested) -> None:
    """Without reflection, as a client built from proto/ does."""
    options = ("-import-path", str(PROJECT / "proto"), "-proto", "tweetmesh/v1/ingest.proto")
    payload = base64.b64encode(encode(tweet(1))).decode()
    data = {"events": [{"stream": entrance.stream.name, "payload": payload}]}
    assert json.loads(expect_ok(grpcurl("tweetmesh.v1.Ingest/Publish", data=data, options=options)))["codes"] == [0]


def test_unusual_but_legal_requests(entrance: Tested) -> None:
    with GrpcClient(entrance.mesh.grpc_address) as client:
        one = {"stream": entrance.stream.name, "payload": encode(tweet())}
        largest = client.publish(request(2**64 - 1, one), timeout=10)
        assert largest.sequence == 2**64 - 1
        unknown_field = request(5, one).SerializeToString() + b"\xfa\x01\x03abc"
        call = client.channel.unary_unary(PUBLISH, response_deserializer=type(largest).FromString)
        assert list(call(unknown_field, timeout=10).codes) == [0]
        traced = client.publish(request(6, one | {"traceparent": "garbage"}), timeout=10)
        assert list(traced.codes) == [0]


def test_compressed_requests_are_taken_or_refused_clearly(entrance: Tested) -> None:
    with GrpcClient(entrance.mesh.grpc_address) as client:
        one = {"stream": entrance.stream.name, "payload": encode(tweet())}
        try:
            reply = client.publish(request(1, *[one] * 100), timeout=10, compression=grpc.Compression.Gzip)
            assert list(reply.codes) == [0] * 100
        except grpc.RpcError as refused:
            assert refused.code() == grpc.StatusCode.UNIMPLEMENTED


def test_too_much_metadata_is_refused(entrance: Tested) -> None:
    with GrpcClient(entrance.mesh.grpc_address) as client:
        one = {"stream": entrance.stream.name, "payload": encode(tweet())}
        with pytest.raises(grpc.RpcError) as refused:
            client.publish(request(1, one), timeout=10, metadata=[("x-large", "y" * 200_000)])
        assert refused.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)

        def is_taken() -> bool:  # on a new connection, where the server has closed that one under us
            with suppress(grpc.RpcError):
                return list(client.publish(request(2, one), timeout=10).codes) == [0]
            return False

        wait_for("others are served", is_taken)


def test_many_calls_at_once_on_one_connection(entrance: Tested) -> None:
    with GrpcClient(entrance.mesh.grpc_address) as client:
        one = {"stream": entrance.stream.name, "payload": encode(tweet())}
        calls = [client.publish.future(request(number, one), timeout=30) for number in range(200)]
        replies = [call.result() for call in calls]
    assert [reply.sequence for reply in replies] == list(range(200))
    assert all(list(reply.codes) == [0] for reply in replies)
