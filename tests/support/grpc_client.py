# SPDX-License-Identifier: Apache-2.0
"""An outside gRPC client: grpcio, with stubs generated from proto/ when the tests run."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from types import ModuleType

import grpc
from grpc_tools import protoc

from support.streams import PROJECT

PUBLISH = "/tweetmesh.v1.Ingest/Publish"
PUBLISH_STREAM = "/tweetmesh.v1.Ingest/PublishStream"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}


@cache
def messages() -> ModuleType:
    """The generated module of ingest.proto."""
    return _generated("ingest")


@cache
def counts() -> ModuleType:
    """The generated module of counts.proto."""
    return _generated("counts")


@cache
def _folder() -> str:
    folder = tempfile.TemporaryDirectory(prefix="tweetmesh-stubs-")
    _folders.append(folder)  # kept until Python ends
    source = PROJECT / "proto"
    files = [str(path) for path in sorted(source.glob("tweetmesh/v1/*.proto"))]
    code = protoc.main(["protoc", f"-I{source}", f"--python_out={folder.name}", *files])
    assert code == 0, "protoc failed"
    sys.path.insert(0, folder.name)
    return folder.name


_folders: list[tempfile.TemporaryDirectory] = []


def _generated(name: str) -> ModuleType:
    _folder()
    return __import__(f"tweetmesh.v1.{name}_pb2", fromlist=["*"])


class GrpcClient:
    """One channel to grpc-server. Threads: those of grpcio."""

    def __init__(self, address: str, options: Sequence[tuple[str, int]] = ()) -> None:
        self.channel = grpc.insecure_channel(address, [("grpc.max_receive_message_length", 16 << 20), *options])
        pb = messages()
        codec = {
            "request_serializer": pb.PublishRequest.SerializeToString,
            "response_deserializer": pb.PublishReply.FromString,
        }
        self.publish = self.channel.unary_unary(PUBLISH, **codec)
        self.publish_stream = self.channel.stream_stream(PUBLISH_STREAM, **codec)
        self.publish_bytes = self.channel.unary_unary(PUBLISH)  # bytes in, bytes out: for broken requests
        self.health = self.channel.unary_unary(HEALTH_CHECK)

    def __enter__(self) -> GrpcClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()


def request(sequence: int, *events: dict) -> object:
    """A PublishRequest; each event as the fields of tweetmesh.v1.Event."""
    pb = messages()
    return pb.PublishRequest(sequence=sequence, events=[pb.Event(**event) for event in events])
