# SPDX-License-Identifier: Apache-2.0
"""The chart in a real Kubernetes control plane.

Goal: what a person does with it (install, upgrade, roll back, drain a node, uninstall) works with Helm 3 and 4, in a
namespace that enforces the restricted Pod Security standard. Method: a real API server, controller manager and
scheduler with all CRDs; kwok plays the nodes.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from deploy.rendering import CHART, EVERYTHING, Helm

from stack.kubernetes import NODES, Cluster
from stack.mesh import PROJECT
from stack.process import poll_until

NAME = "mesh-tweetmesh"
PROD = [CHART / "values-prod.yaml"]
WAIT = 120


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, crd_folder: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        running.kubectl("apply", "--server-side", "-f", crd_folder)
        running.kubectl("wait", "--for=condition=Established", "crd", "--all", f"--timeout={WAIT}s")
        yield running


@pytest.fixture
def namespace(cluster: Cluster, helm: Helm, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace as k8s/namespace.yaml makes it, under a name of its own."""
    item = yaml.safe_load((PROJECT / "k8s/namespace.yaml").read_text())
    name = "project-" + request.node.callspec.id.replace("_", "-")[:20] + f"-{id(request) % 100000}"
    item["metadata"]["name"] = name
    cluster.apply(item)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


class Release:
    """`helm` with a release called mesh in a namespace."""

    def __init__(self, helm: Helm, cluster: Cluster, namespace: str) -> None:
        self.helm, self.cluster, self.namespace = helm, cluster, namespace

    def run(self, command: str, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = self.helm.run(command, *arguments, "-n", self.namespace, f"--kubeconfig={self.cluster.kubeconfig}")
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def install(self, files: list[Path], *more: str) -> str:
        values = [part for file in files for part in ("-f", file)]
        return self.run("install", "mesh", CHART, *values, *more, "--wait", f"--timeout={WAIT}s").stdout

    def upgrade(self, files: list[Path], *more: str) -> str:
        values = [part for file in files for part in ("-f", file)]
        return self.run("upgrade", "mesh", CHART, *values, *more, "--wait", f"--timeout={WAIT}s").stdout

    def get(self, *arguments: str) -> dict:
        return self.cluster.get("-n", self.namespace, *arguments)

    def wait_for(self, item: str, condition: str) -> None:
        """Until a JSON path has a value: "{.status.readyReplicas}=3"."""
        self.cluster.kubectl("-n", self.namespace, "wait", item, f"--for=jsonpath={condition}", f"--timeout={WAIT}s")

    def image_of_api(self) -> str:
        return self.get("deployment", f"{NAME}-api")["spec"]["template"]["spec"]["containers"][0]["image"]

    def pods(self, component: str) -> list[dict]:
        label = f"app.kubernetes.io/component={component}"
        items = self.get("pods", "-l", label)["items"]
        return [item for item in items if "deletionTimestamp" not in item["metadata"]]


@pytest.fixture
def release(helm: Helm, cluster: Cluster, namespace: str) -> Release:
    return Release(helm, cluster, namespace)


def test_install_upgrade_rollback_and_uninstall(release: Release, counts: Counter[str]) -> None:
    said = release.install(PROD)
    assert "curl -i -H 'Content-Type: application/json'" in said and "helm test" in said
    release.wait_for(f"deployment/{NAME}-api", "{.status.readyReplicas}=3")  # the autoscaler's minimum
    before = release.image_of_api()
    counts["pods admitted"] += len(release.get("pods")["items"])

    release.upgrade(PROD, "--set", "image.tag=0.1.1", "--set", "api.nativeSidecars=false")
    assert release.image_of_api().endswith(":0.1.1")
    release.run("rollback", "mesh", "1", "--wait", f"--timeout={WAIT}s")
    assert release.image_of_api() == before
    history = json.loads(release.run("history", "mesh", "-o", "json").stdout)
    assert [entry["revision"] for entry in history] == [1, 2, 3] and history[-1]["status"] == "deployed"

    release.run("uninstall", "mesh", "--wait", f"--timeout={WAIT}s")
    left = release.get("all,ingress,networkpolicy,scaledobject,hpa,pdb,kafkauser")["items"]
    assert [item["metadata"]["name"] for item in left if item["kind"] not in ("Pod", "ReplicaSet")] == []
    kept = {item["kind"] for item in release.get("kafka,kafkanodepool,kafkatopic")["items"]}
    assert kept == {"Kafka", "KafkaNodePool", "KafkaTopic"}, "values-prod.yaml keeps records"
    release.install(PROD)  # takes them over again


def test_everything_that_can_be_switched_on_is_accepted(release: Release, counts: Counter[str]) -> None:
    release.install([EVERYTHING])
    for kind in (
        "hpa",
        "scaledobject",
        "triggerauthentication",
        "podmonitor",
        "prometheusrule",
        "httproute",
        "gateway",
    ):
        found = release.get(kind)["items"]
        assert found, kind
        counts["objects accepted"] += len(found)
    manifest = release.run("get", "manifest", "mesh").stdout
    counts["objects accepted"] += sum(1 for item in yaml.safe_load_all(manifest) if item)


def test_from_dev_to_prod_and_back_needs_no_replacement(release: Release) -> None:
    release.install([CHART / "values-dev.yaml"])
    identity = release.get("service", f"{NAME}-api")["metadata"]["uid"]
    release.upgrade(PROD)
    release.upgrade([CHART / "values-dev.yaml"])
    assert release.get("service", f"{NAME}-api")["metadata"]["uid"] == identity


def test_a_pod_that_is_not_restricted_is_refused_in_that_namespace(release: Release) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": release.namespace},
        "spec": {"containers": [{"name": "root", "image": "debian:13"}]},
    }
    refused = release.cluster.kubectl("apply", "-f", "-", text=json.dumps(pod), check=False)
    assert refused.returncode != 0 and 'violates PodSecurity "restricted:latest"' in refused.stderr


def test_a_drain_takes_one_pod_at_a_time(release: Release) -> None:
    release.install(PROD, "--set", "hpa.enabled=false", "--set", "keda.enabled=false")
    release.wait_for(f"pdb/{NAME}-api", "{.status.disruptionsAllowed}=1")
    pods = release.pods("api")
    assert len(pods) == 3
    node = pods[0]["spec"]["nodeName"]
    kubectl = release.cluster.kubectl
    kubectl("cordon", *NODES)  # what goes does not come back yet
    try:
        codes = [evict(release, pod["metadata"]["name"]) for pod in pods]
        assert codes == [201, 429, 429], "more than one pod at a time went"
        kubectl("uncordon", *(other for other in NODES if other != node))
        kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={WAIT}s",
                "--pod-selector=app.kubernetes.io/instance=mesh")  # fmt: skip
        rollout = ("rollout", "status", f"deployment/{NAME}-api", f"--timeout={WAIT}s")
        done = kubectl("-n", release.namespace, *rollout, check=False)
        events = kubectl("-n", release.namespace, "get", "pods,events").stdout
        assert done.returncode == 0, done.stderr + events
        assert node not in {pod["spec"]["nodeName"] for pod in release.pods("api")}
    finally:
        kubectl("uncordon", *NODES)


def evict(release: Release, pod: str) -> int:
    """Asks for an eviction; 201 it was granted, 429 the budget forbids it."""
    item = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": release.namespace},
    }
    path = f"/api/v1/namespaces/{release.namespace}/pods/{pod}/eviction"
    done = release.cluster.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(item), check=False)
    if done.returncode == 0:
        return 201
    assert "disruption budget" in done.stderr, done.stderr
    return 429


def test_an_unknown_field_in_a_custom_resource_is_refused(cluster: Cluster, namespace: str) -> None:
    topic = {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": "t", "namespace": namespace},
        "spec": {"partition": 3},
    }
    refused = cluster.kubectl("create", "-f", "-", text=json.dumps(topic), check=False)
    assert refused.returncode != 0 and "unknown field" in refused.stderr


def test_without_strimzi_the_release_fails_in_words(release: Release, tmp_path: Path) -> None:
    held = release.cluster.kubectl("get", "crd", "kafkas.kafka.strimzi.io", "-o", "json").stdout
    release.cluster.kubectl("delete", "crd", "kafkas.kafka.strimzi.io", "--wait=true")
    try:
        for _ in poll_until(WAIT):  # what Helm asks for is known a moment longer than it exists
            known = release.cluster.kubectl("api-resources", "--api-group=kafka.strimzi.io", "--output=name").stdout
            if "kafkas.kafka.strimzi.io" not in known.split():
                break
        done = release.run("install", "mesh", CHART, check=False)
        assert done.returncode != 0 and "Install the Strimzi operator" in done.stderr
    finally:
        item = json.loads(held)
        for name in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "annotations"):
            item["metadata"].pop(name, None)
        item.pop("status", None)
        release.cluster.kubectl("create", "-f", "-", text=json.dumps(item))
        established = ("wait", "--for=condition=Established", "crd/kafkas.kafka.strimzi.io", f"--timeout={WAIT}s")
        for _ in poll_until(WAIT):  # as long as there are no conditions at all, kubectl fails at once
            if release.cluster.kubectl(*established, check=False).returncode == 0:
                break


def test_what_the_mesh_stands_on_is_accepted_in_the_restricted_namespace(
    cluster: Cluster, namespace: str, counts: Counter[str]
) -> None:
    """The Secrets by k8s/secrets.sh, twice: the second time it leaves all as it is."""
    script = PROJECT / "k8s/secrets.sh"
    kubectl = f"{cluster.programs}/kubectl --kubeconfig={cluster.kubeconfig}"
    environment = {"PATH": "/usr/bin:/bin", "KUBECTL": kubectl, "HOME": str(cluster.folder)}
    for _ in range(2):
        subprocess.run([script, namespace], check=True, env=environment, timeout=120)
    names = {item["metadata"]["name"] for item in cluster.get("-n", namespace, "secret")["items"]}
    assert {"tweetmesh-redis", "redis-users", "tweetmesh-mongodb", "mongodb-root", "grafana-admin"} <= names
    for name in ("redis", "mongodb", "locust"):
        cluster.kubectl("-n", namespace, "apply", "-f", PROJECT / f"k8s/{name}.yaml")
    cluster.kubectl("-n", namespace, "create", "configmap", "locust", f"--from-file={PROJECT}/locust/")
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/locust-worker", f"--timeout={WAIT}s")
    for name in ("redis", "mongodb"):
        assert cluster.get("-n", namespace, "statefulset", name)["spec"]["replicas"] == 1
        for _ in poll_until(WAIT):  # its volume never comes (nobody makes any here), but the pod was admitted
            if cluster.kubectl("-n", namespace, "get", "pod", f"{name}-0", check=False).returncode == 0:
                break
        else:
            raise AssertionError(f"no pod of {name} was admitted")
        counts["pods admitted"] += 1
