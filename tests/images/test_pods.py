# SPDX-License-Identifier: Apache-2.0
"""Goal: the pods that the chart describes run: the same manifests, our images, a load through them, a clean end. And
the chart's NetworkPolicies let through what they do, and nothing else.

Method: Helm renders the chart, podman plays its Deployments and the audit's pod against a real Kafka, Redis and MongoDB
server. There is no kubelet: probes do not run, and the three containers of the api pod are plain ones. The network is
the host's, so ports are replaced by free ones. Nothing enforces a policy there: the kernel is asked who is connected
to whom, and that is compared with the policies. DNS (all addresses are numbers) and peers are not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import websocket
from images.containers import Contained
from images.pods import API, AUDIT, CONSUMER, KEY, PAUSE_FILE, RELEASE, Pods
from stack.kafka import create_topics
from stack.mesh import Mesh, stream_topics
from support.connections import Connection, End
from support.edges import ALL, edges, named_edges
from support.events import encode, tweet, tweets
from support.grpc_client import GrpcClient, request
from support.http import Client, Crowd
from support.otlp import Collector
from support.streams import PARTITIONS
from support.waiting import wait_for
from tools.mesh.images import PAUSE, Engine

EVENTS = 1000
OUTSIDE = End("outside")  # this process: clients, viewers, Prometheus
SENDERS = {"api", "grpc-server", "ws-redis", "kafka-consumer"}  # of spans


@pytest.fixture
def pods(engine: Engine, servers: Mesh, tmp_path: Path) -> Iterator[Pods]:
    """The pods of the Deployments, ready, and that of the audit, not begun."""
    (tmp_path / "Dockerfile").write_text(PAUSE_FILE)
    engine.run("buildah", "build", "--pull=never", "--layers", "-t", PAUSE, str(tmp_path))
    with closing(Contained(tmp_path / "pods", servers, engine)) as mesh, closing(Collector()) as collector:
        create_topics(servers.kafka.url, stream_topics(mesh.stream.folder, PARTITIONS))
        made = Pods(mesh, collector, tmp_path)
        try:
            made.make()
            made.begin(API, CONSUMER)
            ports = made.ports
            for port in (ports.ws_redis, ports.grpc_server, ports.consumer, ports.api):
                wait_for(f"port {port} says ready", lambda port=port: ready(port), 60)
            yield made
        finally:
            made.remove()


def ready(port: int) -> bool:
    client = Client(port, 5)
    try:
        return client.get("/readyz").status == 200
    except OSError:
        return False
    finally:
        client.close()


def test_the_rendered_pods_take_a_load_agree_and_drain(engine: Engine, pods: Pods) -> None:
    running = pods.containers(API, CONSUMER)
    assert len(running) == 4
    for name, container in running.items():
        assert container["Config"]["User"].split(":")[0] == "65532", name
        assert container["HostConfig"]["ReadonlyRootfs"], name
        assert not container["EffectiveCaps"], name
        assert container["HostConfig"]["Memory"] > 0, name
    Crowd([pods.ports.http], pods.mesh.stream.path, tweets(EVENTS), "pods").start().finish()
    pods.mesh.judge.expect_equal(pods.mesh.stream, EVENTS)
    pods.begin(AUDIT)
    code, said = pods.audited()
    assert code == 0, said
    for name in (API, CONSUMER):
        engine.run("podman", "pod", "stop", "--time=60", name)
    ended = {name: container["State"]["ExitCode"] for name, container in pods.containers(API, CONSUMER).items()}
    assert ended == dict.fromkeys(running, 0)


def used(pods: Pods) -> set[Connection]:
    """Puts a load through the pods, uses every entrance as its clients do, audits; the connections of all that."""
    pods.connections.add(os.getpid(), OUTSIDE)
    ports, stream = pods.ports, pods.mesh.stream
    with ExitStack() as opened:
        for port in (ports.api, ports.grpc_server, ports.ws_redis, ports.consumer):
            scrape = opened.enter_context(closing(Client(port))).get("/metrics")
            assert scrape.status == 200 and b"process_start_time_seconds" in scrape.body
        live = f"ws://127.0.0.1:{ports.ws}/"
        viewer = opened.enter_context(closing(websocket.create_connection(live, subprotocols=["live.v1"], timeout=30)))
        assert viewer.recv()
        caller = opened.enter_context(GrpcClient(f"127.0.0.1:{ports.grpc}"))
        event = {"stream": stream.name, "payload": encode(tweet())}
        assert list(caller.publish(request(1, event), timeout=30).codes) == [0]
        assert opened.enter_context(closing(Client(ports.http))).get("/openapi.json").status == 200
        crowd = Crowd([ports.http], stream.path, tweets(EVENTS), "edges").start()
        pods.connections.seen()  # all of the above are still open
        crowd.finish()
    pods.mesh.judge.expect_equal(stream, EVENTS + 1)
    wait_for("all send spans", lambda: {span.service for span in pods.collector.spans()} >= SENDERS)
    assert pods.collector.headers["x-key"] == KEY, "the file of the Secret was read"
    mongodb = pods.mesh.servers.mongo
    mongodb.pause()  # the audit takes a moment only: its connections stay until they have been seen
    try:
        pods.begin(AUDIT)
        wait_for("the audit asks MongoDB", lambda: ("audit", "mongodb") in by_name(pods.connections.seen()))
    finally:
        mongodb.resume()
    code, said = pods.audited()
    assert code == 0, said
    return pods.connections.seen()


def by_name(seen: set[Connection]) -> set[tuple[str, str]]:
    return {(one.client.program, one.server.program) for one in seen}


def across(pods: Pods, seen: set[Connection]) -> set[tuple[str, str, int]]:
    """What NetworkPolicies would see of it, as edges of one port each, with the chart's ports."""
    found = set()
    for one in seen:
        port = pods.chart_ports.get(one.port, one.port)
        if one.leaves_a_pod and one.client.component:
            found.add(("egress", one.client.component, port))
        if one.leaves_a_pod and one.server.component:
            found.add(("ingress", one.server.component, port))
    return found


@pytest.mark.usefixtures("own_servers")  # MongoDB is paused
def test_networkpolicies_let_through_the_connections_really_seen_and_no_other(pods: Pods) -> None:
    seen = used(pods)
    rendered = named_edges(pods.policies())
    let_through = {(way, component, port) for way, component, ports in edges(pods.policies()) for port in ports}
    assert not [edge for edge in let_through if edge[1] == ALL], "an edge of every pod is nobody's"
    done = across(pods, seen)
    print(*(str(one) for one in sorted(seen) if one.leaves_a_pod), sep="\n")  # seen where a test has failed
    assert not done - let_through, f"the pods do what no policy lets through: {sorted(done - let_through)}"
    assert not let_through - done, f"policies let through what no pod does: {sorted(let_through - done)}"
    outward = by_name({one for one in seen if one.leaves_a_pod and one.client.component})
    names = {f"{RELEASE}-{program}-to-{server}" for program, server in outward}
    assert names == {name for name, edge in rendered if edge[0] == "egress"}, "an edge is named after who uses it"
    inside = by_name({one for one in seen if one.client.component and not one.leaves_a_pod})
    assert inside == {("api", "ws-redis")}, "what is inside a pod no policy sees"
