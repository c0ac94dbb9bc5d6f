# SPDX-License-Identifier: Apache-2.0
"""Goal: one request is one tree of spans from POST to MongoDB, and no collector can harm the mesh.

Method: a collector that reads spans by OpenTelemetry's own messages, and answers well, badly, slowly or not at all.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator

import pytest
from support.events import encode, tweet, tweets
from support.grpc_client import GrpcClient, request
from support.otlp import GOOD, Collector, Span
from support.tested import ALL, Tested
from support.waiting import wait_for

from stack.ports import free_port

ONE = {"POST /input": 1, "publish": 1, "ingest": 1, "count": 1, "archive": 1, "settle": 1}
SERVICES = {
    "POST /input": ("api", "server"),
    "publish": ("api", "client"),
    "ingest": ("grpc-server", "server"),
    "send": ("grpc-server", "producer"),
    "count": ("ws-redis", "consumer"),
    "archive": ("kafka-consumer", "consumer"),
    "settle": ("kafka-consumer", "client"),
}
SENT = "tweetmesh_spans_exported_total"
DROPPED = "tweetmesh_spans_dropped_total"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def own_collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def traced(url: str, **settings: str) -> dict:
    """Settings of meshes whose spans go to a collector soon."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    return {"settings": {"all": environment | settings}}


@pytest.fixture(scope="module")
def traced_mesh(make_module_mesh, collector: Collector) -> Tested:
    return make_module_mesh(**traced(collector.url, OTEL_EXPORTER_OTLP_HEADERS="x-key=a%20secret"))


def new_trace(flags: str = "01") -> tuple[str, str, str]:
    """A trace's id, the caller's span in it, and the traceparent that says so."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return trace_id, span_id, f"00-{trace_id}-{span_id}-{flags}"


def by_plain_name(spans: list[Span]) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault("send" if span.name.startswith("send ") else span.name, []).append(span)
    return found


def tree(mesh: Tested, collector: Collector, trace_id: str, events: int = 1) -> dict[str, list[Span]]:
    """Waits for the whole tree of a request, and checks who is whose child, when, and of which program."""
    wanted = {name: 1 if name in ("POST /input", "publish", "ingest") else events for name in ONE}
    collector.wait_names(trace_id, {**wanted, f"send {mesh.stream.topic}": events})
    found = by_plain_name(collector.spans(trace_id))
    assert {name: len(spans) for name, spans in found.items()} == {**wanted, "send": events}
    of_id = {span.id: span for spans in found.values() for span in spans}
    assert len(of_id) == sum(len(spans) for spans in found.values()), "two spans have the same id"
    above = {"publish": "POST /input", "ingest": "publish", "send": "ingest", "count": "send", "archive": "send"}
    for name, parent in {**above, "settle": "archive"}.items():
        parents = {span.parent for span in found[name]}
        assert parents == {span.id for span in found[parent]}, f"{name} is not below {parent}"
    for name, spans in found.items():
        for span in spans:
            assert (span.service, span.kind) == SERVICES[name]
            assert span.message.start_time_unix_nano <= span.message.end_time_unix_nano
            assert span.parent not in of_id or (
                # half a millisecond: each program reads its two clocks one after the other
                of_id[span.parent].message.start_time_unix_nano <= span.message.start_time_unix_nano + 500_000
            )
    return found


def test_one_post_is_one_tree_to_mongodb(traced_mesh: Tested, collector: Collector) -> None:
    trace_id, caller, traceparent = new_trace()
    answer = traced_mesh.client().post("/input", tweet(), traceparent=traceparent)
    assert answer.status == 202, answer.body
    found = tree(traced_mesh, collector, trace_id)
    assert not any(span.failed for spans in found.values() for span in spans)
    post, send, archive = found["POST /input"][0], found["send"][0], found["archive"][0]
    assert post.parent == caller
    assert post.attributes["http.request.method"] == "POST"
    assert post.attributes["http.response.status_code"] == 202
    assert post.attributes["url.path"] == "/input"
    assert found["publish"][0].attributes["rpc.system"] == "grpc"
    assert found["ingest"][0].attributes["rpc.method"] == "PublishStream"
    for span in (send, archive):
        assert span.attributes["messaging.system"] == "kafka"
        assert span.attributes["messaging.destination.name"] == traced_mesh.stream.topic
        assert span.attributes["messaging.message.id"] == answer.json["id"]
        assert span.attributes["messaging.destination.partition.id"] == str(answer.json["partition"])
        assert span.attributes["messaging.kafka.offset"] == answer.json["offset"]
    assert found["count"][0].attributes["messaging.kafka.offset"] == answer.json["offset"]
    assert found["count"][0].attributes["db.system.name"] == "redis"
    collection = traced_mesh.judge.database[traced_mesh.stream.collection]
    document = wait_for("archived", lambda: collection.find_one({"_id": answer.json["id"]}))
    assert document["traceparent"] == f"00-{trace_id}-{send.id}-01", "the archive names the span that sent it"
    assert collector.headers["x-key"] == "a secret"
    assert collector.headers["user-agent"].startswith("tweetmesh/")


def test_without_a_caller_the_post_is_the_root(traced_mesh: Tested, collector: Collector) -> None:
    answer = traced_mesh.client().post("/input", tweet())
    collection = traced_mesh.judge.database[traced_mesh.stream.collection]
    document = wait_for("archived", lambda: collection.find_one({"_id": answer.json["id"]}))
    found = tree(traced_mesh, collector, document["traceparent"].split("-")[1])
    assert found["POST /input"][0].parent == ""
    records = traced_mesh.judge.records(traced_mesh.stream.topic)
    headers = [record.headers for record in records if record.event["id"] == answer.json["id"]]
    assert headers == [{"traceparent": document["traceparent"]}]


def test_a_batch_is_one_tree_and_batches_link_to_their_events(traced_mesh: Tested, collector: Collector) -> None:
    trace_id, _, traceparent = new_trace()
    answer = traced_mesh.client().post("/input", [*tweets(20), {"text": "no country"}], traceparent=traceparent)
    assert answer.status == 207, answer.body
    found = tree(traced_mesh, collector, trace_id, events=20)
    assert found["POST /input"][0].attributes["tweetmesh.event.count"] == 21
    assert found["publish"][0].attributes["tweetmesh.event.count"] == 20
    stored = {result["id"] for result in answer.json["results"] if "id" in result}
    assert {span.attributes["messaging.message.id"] for span in found["send"]} == stored
    wanted = {(trace_id, span.id) for span in found["send"]}
    batches = wait_for(
        "all sends are linked to",
        lambda: (
            [span for span in collector.spans() if span.name == "archive batch"]
            if wanted <= {link for span in collector.spans() if span.name == "archive batch" for link in span.links}
            else []
        ),
    )
    of_batch = {(span.trace_id, span.id): span for span in batches}
    for span in found["archive"]:
        assert (trace_id, span.parent) in of_batch[span.links[0]].links


def test_what_is_not_sampled_has_no_spans(traced_mesh: Tested, collector: Collector) -> None:
    unsampled, _, quiet = new_trace("00")
    sampled, _, loud = new_trace()
    client = traced_mesh.client()
    for _ in range(20):
        assert client.post("/input", tweet(), traceparent=quiet).status == 202
    assert client.post("/input", tweet(), traceparent=loud).status == 202
    tree(traced_mesh, collector, sampled)  # which came after all of the others
    assert collector.spans(unsampled) == []
    headers = Counter(
        record.headers["traceparent"][-2:]
        for record in traced_mesh.judge.records(traced_mesh.stream.topic)
        if unsampled in record.headers["traceparent"]
    )
    assert headers == {"00": 20}


def test_refused_events_are_errors_or_not_as_http_says(traced_mesh: Tested, collector: Collector) -> None:
    trace_id, _, traceparent = new_trace()
    answer = traced_mesh.client().post("/input", {"text": "no country"}, traceparent=traceparent)
    assert answer.status == 422
    span = collector.wait_names(trace_id, {"POST /input": 1})["POST /input"][0]
    assert not span.failed, "a client's mistake is no error of the server"
    assert span.attributes["http.response.status_code"] == 422
    assert len(collector.spans(trace_id)) == 1, "nothing went on"


def test_a_resource_says_who_it_is(traced_mesh: Tested, collector: Collector) -> None:
    trace_id, _, traceparent = new_trace()
    traced_mesh.client().post("/input", tweet(), traceparent=traceparent)
    tree(traced_mesh, collector, trace_id)
    resources = {span.service: span.resource for span in collector.spans(trace_id)}
    assert set(resources) == set(ALL)
    for resource in resources.values():
        assert resource["service.namespace"] == "tweetmesh"
        assert resource["service.version"] and resource["service.instance.id"]
    assert len({resource["service.instance.id"] for resource in resources.values()}) == len(ALL)


def test_one_message_holds_many_traces(traced_mesh: Tested, collector: Collector) -> None:
    """Outside gRPC clients may mix sampled events, unsampled ones, refused ones, and those without a trace."""
    sampled, caller, loud = new_trace()
    unsampled, _, quiet = new_trace("00")
    bare = {"stream": traced_mesh.stream.name, "payload": encode(tweet())}
    events = [
        bare | {"traceparent": loud},
        bare | {"traceparent": quiet},
        bare | {"traceparent": loud},
        bare | {"traceparent": loud, "payload": b"{}"},
        bare,
    ]
    with GrpcClient(f"127.0.0.1:{traced_mesh['grpc-server'].ports['grpc']}") as client:
        reply = client.publish(request(1, *events), timeout=20)
    assert list(reply.codes) == [0, 0, 0, 3, 0]
    topic = f"send {traced_mesh.stream.topic}"
    found = collector.wait_names(sampled, {"ingest": 2, topic: 2, "archive": 2, "settle": 2})
    assert {span.parent for span in found["ingest"]} == {caller}
    assert sorted(span.failed for span in found["ingest"]) == [False, True], "one run has a refused event"
    assert {span.parent for span in found[topic]} == {span.id for span in found["ingest"]}
    assert {span.parent for span in found["archive"]} == {span.id for span in found[topic]}
    collection = traced_mesh.judge.database[traced_mesh.stream.collection]
    document = wait_for("archived", lambda: collection.find_one({"_id": reply.ids[4]}))
    begun_here = collector.wait_names(document["traceparent"].split("-")[1], {"ingest": 1, topic: 1, "archive": 1})
    assert begun_here["ingest"][0].parent == ""
    assert collector.spans(unsampled) == []


def test_what_cannot_be_stored_is_an_error(make_mesh, own_collector: Collector) -> None:
    mesh = make_mesh("grpc-server", "api", **traced(own_collector.url))
    mesh["grpc-server"].stop()
    trace_id, _, traceparent = new_trace()
    answer = mesh.client().post("/input", tweet(), traceparent=traceparent)
    assert answer.status in (503, 504), answer.body
    found = own_collector.wait_names(trace_id, {"POST /input": 1, "publish": 1})
    assert found["POST /input"][0].failed
    assert found["POST /input"][0].attributes["error.type"] == str(answer.status)
    assert found["publish"][0].failed


def test_a_sampler_decides_for_all(make_mesh, own_collector: Collector) -> None:
    mesh = make_mesh(**traced(own_collector.url, OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.5"))
    client = mesh.client()
    traces = [new_trace() for _ in range(40)]
    for _, _, traceparent in traces:
        assert client.post("/input", tweet(), traceparent=traceparent).status == 202
    flags = {
        record.headers["traceparent"].split("-")[1]: record.headers["traceparent"][-2:]
        for record in mesh.judge.records(mesh.stream.topic)
    }
    assert set(flags.values()) == {"00", "01"}
    for trace_id, _, _ in traces:
        expected = int(trace_id[16:], 16) >> 1 < 1 << 62
        assert (flags[trace_id] == "01") == expected
        if expected:
            tree(mesh, own_collector, trace_id)
    for trace_id, _, _ in traces:
        assert bool(own_collector.spans(trace_id)) == (flags[trace_id] == "01")


def test_the_last_spans_are_sent_at_the_end(make_mesh, own_collector: Collector) -> None:
    mesh = make_mesh(**traced(own_collector.url, OTEL_BSP_SCHEDULE_DELAY="600000"))
    trace_id, _, traceparent = new_trace()
    answer = mesh.client().post("/input", tweet(), traceparent=traceparent)
    collection = mesh.judge.database[mesh.stream.collection]
    wait_for("archived", lambda: collection.find_one({"_id": answer.json["id"]}))
    wait_for(
        "counted", lambda: mesh["ws-redis"].metrics().get(f'tweetmesh_counted_total{{stream="{mesh.stream.name}"}}')
    )
    assert own_collector.requests == 0
    mesh.close()
    tree(mesh, own_collector, trace_id)


def dropped(mesh: Tested, program: str = "api") -> float:
    return sum(value for name, value in mesh[program].metrics().items() if name.startswith(DROPPED))


@pytest.mark.parametrize("how", ["away", "refusing", "hanging", "nonsense", "busy"])
def test_no_collector_harms_the_mesh(make_mesh, own_collector: Collector, how: str) -> None:
    answers = {"refusing": (500, b"no"), "hanging": None, "nonsense": (200, b"<html>" * 1000), "busy": (503, b"")}
    own_collector.answer = answers.get(how, GOOD)
    url = f"http://127.0.0.1:{free_port()}" if how == "away" else own_collector.url
    mesh = make_mesh(**traced(url, OTEL_BSP_MAX_QUEUE_SIZE="64", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="64"))
    client = mesh.client()

    def send(count: int) -> None:
        for _ in range(count):
            assert client.post("/input", tweet(), traceparent=new_trace()[2]).status == 202

    send(200)
    before = mesh["api"].metrics()["process_resident_memory_bytes"]
    send(800)
    wait_for("archived", lambda: mesh.judge.database[mesh.stream.collection].count_documents({}) == 1000, 120)
    if how == "nonsense":
        wait_for("taken for good", lambda: mesh["api"].metrics()[SENT] > 0)
    else:
        for program in ALL:
            wait_for(f"{program} counts what it drops", lambda program=program: dropped(mesh, program) > 0)
        assert mesh["api"].metrics()[SENT] == 0
    growth = mesh["api"].metrics()["process_resident_memory_bytes"] - before
    assert growth < 32 << 20, "spans that cannot be sent must not pile up"
    for program in ALL:
        assert mesh[program].stop() == 0, f"{program} waits for its collector"


@pytest.mark.parametrize("program", ALL)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://localhost"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "nonsense"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "513"),
        ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
        ("OTEL_SDK_DISABLED", "perhaps"),
    ],
)
def test_bad_settings_are_named(run_program, program: str, name: str, value: str) -> None:
    needed = {"REDIS_URL": "redis://127.0.0.1:1/0", "OTEL_TRACES_SAMPLER": "traceidratio"}
    done = run_program(program, "--check-config", **needed | {name: value})
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count(f"{name}: ") == 1, done.stderr
