# SPDX-License-Identifier: Apache-2.0
"""Goal: the pods that the chart describes run: the same manifests, our images, a load through them, a clean end.

Method: Helm renders the chart, podman plays its Deployments against a real Kafka, Redis and MongoDB server. There is no
kubelet: probes do not run, and the three containers of the api pod are plain ones. The network is the host's, so ports
are replaced by free ones.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from images.containers import Contained
from stack.kafka import create_topics
from stack.kube_tools import helm4
from stack.mesh import Mesh, stream_topics
from stack.ports import free_port
from support.events import tweets
from support.http import Client, Crowd
from support.streams import PARTITIONS, PROJECT
from support.tested import DATABASE
from support.waiting import wait_for
from tools.mesh.images import BASE, PAUSE, Engine

PODS = ("mesh-tweetmesh-api", "mesh-tweetmesh-kafka-consumer")
EVENTS = 1000
# The shell of the base image as the pod's first process, which must end when it is told to.
PAUSE_FILE = f"""FROM {BASE}
RUN printf '#!/bin/sh\\ntrap exit TERM\\nsleep infinity & wait\\n' >/pause && chmod +x /pause
ENTRYPOINT ["/pause"]
"""


@dataclass(frozen=True)
class Ports:
    http: int
    api: int  # the ops ports
    grpc_server: int
    ws_redis: int
    consumer: int
    grpc: int
    ws: int


def values(mesh: Contained) -> dict:
    """Of the chart, for what the test has: servers on loopback, streams of its own."""
    servers = mesh.servers
    files = {path.name: path.read_text() for path in mesh.stream.folder.glob("*.json")}
    return {
        "image": {"repository": "localhost/tweetmesh", "pullPolicy": "Never"},
        "streams": {"packaged": False, "files": files},
        "kafka": {"enabled": False, "bootstrap": servers.kafka.url},
        "redis": {"url": servers.redis.url},
        "mongodb": {"uri": servers.mongo.url, "database": DATABASE},
        "api": {"replicas": 1, "nativeSidecars": False},
        "consumer": {"replicas": 1, "group": mesh.group},
    }


def listening(ports: Ports) -> dict[str, dict[str, str]]:
    """What is replaced in the containers' environment, because the network is the host's: addresses and ports."""
    host = {"OPS_HOST": "127.0.0.1"}
    grpc = f"unix:/run/tweetmesh/grpc.sock,127.0.0.1:{ports.grpc}"
    http = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(ports.http), "WS_URL": f"ws://127.0.0.1:{ports.ws}/"}
    return {
        "api": host | http | {"OPS_PORT": str(ports.api)},
        "grpc-server": host | {"GRPC_LISTEN": grpc, "OPS_PORT": str(ports.grpc_server)},
        "ws-redis": host | {"WS_HOST": "127.0.0.1", "WS_PORT": str(ports.ws), "OPS_PORT": str(ports.ws_redis)},
        "kafka-consumer": host | {"OPS_PORT": str(ports.consumer)},
    }


def on_ports(objects: list[dict], ports: Ports) -> list[dict]:
    """The same objects, listening elsewhere. And podman shares no memory between containers: sockets get a volume."""
    replaced = listening(ports)
    for deployment in (item for item in objects if item["kind"] == "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        for volume in pod["volumes"]:
            volume.get("emptyDir", {}).clear()
        for container in pod["containers"]:
            own = replaced.pop(container["name"])
            kept = [entry for entry in container["env"] if entry["name"] not in own]
            container["env"] = kept + [{"name": name, "value": value} for name, value in own.items()]
    assert not replaced, f"no container {', '.join(replaced)}"
    return objects


def rendered(chosen: dict, folder: Path) -> list[dict]:
    """The Deployments and the stream files, as the chart has them."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(chosen))
    command = [str(helm4()), "template", "mesh", str(PROJECT / "helm/tweetmesh"), "--values", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    objects = [item for item in yaml.safe_load_all(done.stdout) if item]
    wanted = [item for item in objects if item["kind"] == "Deployment"]
    wanted += [
        item for item in objects if item["kind"] == "ConfigMap" and item["metadata"]["name"].endswith("-streams")
    ]
    assert len(wanted) == 3, [(item["kind"], item["metadata"]["name"]) for item in objects]
    return wanted


@pytest.fixture
def played(engine: Engine, servers: Mesh, tmp_path: Path) -> Iterator[tuple[Contained, Ports]]:
    """The rendered pods, playing."""
    (tmp_path / "Dockerfile").write_text(PAUSE_FILE)
    engine.run("buildah", "build", "--pull=never", "--layers", "-t", PAUSE, str(tmp_path))
    mesh = Contained(tmp_path / "pods", servers, engine)
    ports = Ports(*(free_port() for _ in range(7)))
    manifest = tmp_path / "pods.yaml"
    try:
        create_topics(servers.kafka.url, stream_topics(mesh.stream.folder, PARTITIONS))
        manifest.write_text(yaml.safe_dump_all(on_ports(rendered(values(mesh), tmp_path), ports)))
        engine.run("podman", "kube", "play", "--network=host", str(manifest))
        yield mesh, ports
    finally:
        told = [engine.run("podman", "pod", "logs", "--tail=20", f"{pod}-pod", check=False) for pod in PODS]
        print(*(done.stdout + done.stderr for done in told))  # seen where a test has failed
        engine.run("podman", "kube", "down", str(manifest), check=False)
        mesh.close()


def containers(engine: Engine) -> dict[str, dict]:
    """Of all pods, by name, without what podman adds."""
    listed = json.loads(engine.run("podman", "ps", "--all", "--pod", "--format=json").stdout)
    names = [item["Names"][0] for item in listed if not item["IsInfra"]]
    return {item["Name"]: item for item in json.loads(engine.run("podman", "inspect", *names).stdout)}


def ready(port: int) -> bool:
    client = Client(port, 5)
    try:
        return client.get("/readyz").status == 200
    except OSError:
        return False
    finally:
        client.close()


def test_the_rendered_pods_take_a_load_agree_and_drain(engine: Engine, played: tuple[Contained, Ports]) -> None:
    mesh, ports = played
    for port in (ports.ws_redis, ports.grpc_server, ports.consumer, ports.api):
        wait_for(f"port {port} says ready", lambda port=port: ready(port), 60)
    running = containers(engine)
    assert len(running) == 4
    for name, container in running.items():
        assert container["Config"]["User"].split(":")[0] == "65532", name
        assert container["HostConfig"]["ReadonlyRootfs"], name
        assert not container["EffectiveCaps"], name
        assert container["HostConfig"]["Memory"] > 0, name
    Crowd([ports.http], mesh.stream.path, tweets(EVENTS), "pods").start().finish()
    mesh.judge.expect_equal(mesh.stream, EVENTS)
    audited = mesh.audit("--json", "--wait", "60")
    assert audited.returncode == 0, audited.stdout + audited.stderr
    for pod in PODS:
        engine.run("podman", "pod", "stop", "--time=60", f"{pod}-pod")
    assert {name: container["State"]["ExitCode"] for name, container in containers(engine).items()} == dict.fromkeys(
        running, 0
    )
