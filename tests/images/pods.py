# SPDX-License-Identifier: Apache-2.0
"""The chart's pods in podman: rendered by Helm, on other ports, and begun so that nothing they do is missed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml
from images.containers import Contained
from stack.kube_tools import helm4
from stack.ports import free_port
from support.connections import Connections, End
from support.edges import COMPONENT
from support.otlp import Collector
from support.streams import PROJECT
from support.tested import DATABASE
from tools.mesh.images import BASE, Engine

RELEASE = "mesh-tweetmesh"
API, CONSUMER, AUDIT = f"{RELEASE}-api-pod", f"{RELEASE}-kafka-consumer-pod", f"{RELEASE}-audit-test"
HEADERS = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "collector-headers"}}
KEY = "one of the collector's"
# The shell of the base image as the pod's first process, which must end when it is told to.
PAUSE_FILE = f"""FROM {BASE}
RUN printf '#!/bin/sh\\ntrap exit TERM\\nsleep infinity & wait\\n' >/pause && chmod +x /pause
ENTRYPOINT ["/pause"]
"""
PORT = re.compile(r"(?:^|:)(\d+)/?$")


@dataclass(frozen=True)
class Ports:
    http: int = field(default_factory=free_port)
    api: int = field(default_factory=free_port)  # the ops ports
    grpc_server: int = field(default_factory=free_port)
    ws_redis: int = field(default_factory=free_port)
    consumer: int = field(default_factory=free_port)
    grpc: int = field(default_factory=free_port)
    ws: int = field(default_factory=free_port)


def port_of(address: str) -> int:
    """Of host:port, a URL, or a port alone; 0: it has none."""
    found = PORT.search(address)
    return int(found[1]) if found else 0


def stores(mesh: Contained, collector: Collector) -> dict[int, End]:
    """Who listens where of what is no pod of the chart."""
    servers = mesh.servers
    urls = {"kafka": f"//{servers.kafka.url}", "redis": servers.redis.url, "mongodb": servers.mongo.url}
    found = {urlsplit(url).port: End(name) for name, url in (urls | {"collector": collector.url}).items()}
    return {port: end for port, end in found.items() if port is not None}


def values(mesh: Contained, collector: Collector) -> dict:
    """Of the chart, for what the test has: servers on loopback, streams of its own. All edges are switched on."""
    servers = mesh.servers
    files = {path.name: path.read_text() for path in mesh.stream.folder.glob("*.json")}
    port = {end.program: port for port, end in stores(mesh, collector).items()}
    return {
        "image": {"repository": "localhost/tweetmesh", "pullPolicy": "Never"},
        "streams": {"packaged": False, "files": files},
        "kafka": {"enabled": False, "bootstrap": servers.kafka.url},
        "redis": {"url": servers.redis.url},
        "mongodb": {"uri": servers.mongo.url, "database": DATABASE},
        "api": {"replicas": 1, "nativeSidecars": False},
        "grpcServer": {"service": {"enabled": True}},
        "consumer": {"replicas": 1, "group": mesh.group},
        "tracing": {
            "endpoint": collector.url,
            "sampler": "parentbased_traceidratio",
            "samplerArgument": 0.5,
            "headers": {"name": HEADERS["metadata"]["name"]},
            "settings": {"OTEL_BSP_SCHEDULE_DELAY": 100},
        },
        "networkPolicy": {"enabled": True, "redis": {"port": port["redis"]}, "mongodb": {"port": port["mongodb"]}},
    }


def rendered(chosen: dict, folder: Path) -> list[dict]:
    """All objects of the chart."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(chosen))
    command = [str(helm4()), "template", "mesh", str(PROJECT / "helm/tweetmesh"), "--values", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def pods_of(objects: list[dict]) -> Iterator[tuple[str, dict]]:
    """Each pod's name in podman, and what describes it."""
    for item in objects:
        if item["kind"] == "Deployment":
            yield f"{item['metadata']['name']}-pod", item["spec"]["template"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item


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


def put_on_ports(objects: list[dict], ports: Ports) -> dict[int, int]:
    """Makes the pods listen elsewhere; which port of the chart each new one stands for.

    And podman shares no memory between containers, so sockets get a volume; nor does it know projected volumes.
    """
    replaced = listening(ports)
    stands_for: dict[int, int] = {}
    for _, pod in pods_of(objects):
        for volume in pod["spec"]["volumes"]:
            volume.get("emptyDir", {}).clear()
            for source in volume.pop("projected", {}).get("sources", []):
                assert "secret" not in volume, "podman knows volumes of one Secret only"
                volume["secret"] = {"secretName": source["secret"]["name"], "items": source["secret"]["items"]}
        for container in pod["spec"]["containers"]:
            own = replaced.pop(container["name"], {})
            was = {entry["name"]: entry.get("value", "") for entry in container["env"]}
            kept = [entry for entry in container["env"] if entry["name"] not in own]
            container["env"] = kept + [{"name": name, "value": value} for name, value in own.items()]
            for name in own.keys() & was.keys():
                chart, here = port_of(was[name]), port_of(own[name])
                assert stands_for.setdefault(here, chart) == chart, f"{name} is at another port than its neighbour says"
    assert not replaced, f"no container {', '.join(replaced)}"
    return stands_for


class Pods:
    """The pods that an engine plays of rendered objects, not yet begun; the connections of those that are."""

    def __init__(self, mesh: Contained, collector: Collector, folder: Path) -> None:
        self.mesh = mesh
        self.collector = collector
        self.engine: Engine = mesh.engine
        self.ports = Ports()
        self.objects = rendered(values(mesh, collector), folder)
        self.chart_ports = put_on_ports(self.objects, self.ports)
        self.descriptions = dict(pods_of(self.objects))
        self.connections = Connections(stores(mesh, collector))
        self._manifest = folder / "pods.yaml"

    def policies(self) -> list[dict]:
        return [item for item in self.objects if item["kind"] == "NetworkPolicy"]

    def make(self) -> None:
        """All of them, with the stream files."""
        files = [item for item in self.objects if item["metadata"]["name"].endswith("-streams")]
        played = [item for item in self.objects if item["kind"] in ("Deployment", "Pod")]
        assert (len(files), len(played)) == (1, 3), [(item["kind"], item["metadata"]["name"]) for item in self.objects]
        secret = HEADERS | {"stringData": {"headers": f"x-key={quote(KEY)}"}}
        self._manifest.write_text(yaml.safe_dump_all([secret, *files, *played]))
        self.engine.run("podman", "kube", "play", "--start=false", "--network=host", str(self._manifest))

    def begin(self, *names: str) -> None:
        """Starts these pods, each container watched before its program runs."""
        for name in names:
            component = self.descriptions[name]["metadata"]["labels"][COMPONENT]
            for container in self.descriptions[name]["spec"]["containers"]:
                program = container["name"]
                self.engine.run("podman", "container", "init", f"{name}-{program}")
                pid = self.engine.run("podman", "inspect", "--format={{.State.Pid}}", f"{name}-{program}").stdout
                self.connections.add(int(pid), End(program, component))
            self.engine.run("podman", "pod", "start", name)

    def audited(self) -> tuple[int, str]:
        """Waits for the end of the audit, the pod of `helm test`: exit code, and what it said."""
        code = self.engine.run("podman", "wait", f"{AUDIT}-audit").stdout
        said = self.engine.run("podman", "logs", f"{AUDIT}-audit")
        return int(code), said.stdout + said.stderr

    def containers(self, *names: str) -> dict[str, dict]:
        """As podman sees those of these pods, by name."""
        chosen = [f"{name}-{one['name']}" for name in names for one in self.descriptions[name]["spec"]["containers"]]
        return {item["Name"]: item for item in json.loads(self.engine.run("podman", "inspect", *chosen).stdout)}

    def remove(self) -> None:
        told = [self.engine.run("podman", "pod", "logs", "--tail=20", name, check=False) for name in self.descriptions]
        print(*(done.stdout + done.stderr for done in told))  # seen where a test has failed
        self.engine.run("podman", "kube", "down", str(self._manifest), check=False)
        self.connections.close()
