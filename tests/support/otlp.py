# SPDX-License-Identifier: Apache-2.0
"""A collector of spans: OTLP over HTTP, read by OpenTelemetry's own messages, with any answer that a test wants."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from support.waiting import wait_for

PROTOBUF = "application/x-protobuf"
GOOD = (200, ExportTraceServiceResponse().SerializeToString())


def _values(attributes: list[KeyValue]) -> dict[str, str | int]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


@dataclass(frozen=True)
class Span:
    service: str
    resource: dict[str, str | int]
    message: Message

    @property
    def name(self) -> str:
        return self.message.name

    @property
    def trace_id(self) -> str:
        return self.message.trace_id.hex()

    @property
    def id(self) -> str:
        return self.message.span_id.hex()

    @property
    def parent(self) -> str:
        return self.message.parent_span_id.hex()

    @property
    def attributes(self) -> dict[str, str | int]:
        return _values(self.message.attributes)

    @property
    def kind(self) -> str:
        return Message.SpanKind.Name(self.message.kind).removeprefix("SPAN_KIND_").lower()

    @property
    def failed(self) -> bool:
        return self.message.status.code == 2

    @property
    def links(self) -> list[tuple[str, str]]:
        return [(link.trace_id.hex(), link.span_id.hex()) for link in self.message.links]


class Collector:
    """Listens on loopback until close(). `answer` is what it says next: status and body; None: nothing, ever."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] | None = GOOD
        self.requests = 0
        self.largest = 0
        self.headers: dict[str, str] = {}
        self._spans: list[Span] = []
        self._lock = threading.Lock()  # guards all of the above
        self._closed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def spans(self, trace_id: str | None = None) -> list[Span]:
        with self._lock:
            return [span for span in self._spans if trace_id in (None, span.trace_id)]

    def wait_names(self, trace_id: str, names: dict[str, int], seconds: float = 60) -> dict[str, list[Span]]:
        """Waits until a trace has so many spans of each name, and returns them by name."""

        def complete() -> list[Span]:
            found = self.spans(trace_id)
            return found if not Counter(names) - Counter(span.name for span in found) else []

        by_name: dict[str, list[Span]] = {}
        for span in wait_for(f"{names} of {trace_id}", complete, seconds):
            by_name.setdefault(span.name, []).append(span)
        return by_name

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes] | None:
        assert path == "/v1/traces", path
        assert headers["content-type"] == PROTOBUF
        request = ExportTraceServiceRequest.FromString(body)
        spans = []
        for of_resource in request.resource_spans:
            resource = _values(of_resource.resource.attributes)
            spans += [
                Span(str(resource["service.name"]), resource, message)
                for scope in of_resource.scope_spans
                for message in scope.spans
            ]
        with self._lock:
            self.requests += 1
            self.headers = headers
            self.largest = max(self.largest, len(spans))
            if self.answer == GOOD:
                self._spans += spans
            return self.answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take: Callable[..., tuple[int, bytes] | None] = self._take
        closed = self._closed

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                if answer is None:
                    closed.wait()
                    return
                self.send_response(answer[0])
                self.send_header("Content-Type", PROTOBUF)
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *_: object) -> None:
                pass

        return Handler
