# SPDX-License-Identifier: Apache-2.0
"""The pod that the kubelet runs, with its volume: Redis as k8s/redis.yaml has it, and our ws-redis beside it."""

from __future__ import annotations

import json

from rulefiles import PROJECT

from stack.kubernetes import Cluster
from stack.oci import USER
from stack.ports import free_port
from stack.process import poll_until
from stack.program import SANITIZERS

NAMESPACE = "default"
NODE = "node"
POD = "redis-0"
CLAIM = "data-redis-0"  # the name that the StatefulSet's claim has
REDIS = "localhost/tweetmesh/redis:tested"
PROGRAM = "ws-redis"
OURS = f"localhost/tweetmesh/{PROGRAM}:tested"
ROOMY = "512Mi"
READY_S = 60
RESIZED_S = 30
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def volume(path: str, size: int) -> list[dict]:
    """A volume at a folder of the node, and the claim that has it."""
    names = {"operator": "In", "key": "kubernetes.io/hostname", "values": [NODE]}
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    disk = {
        "capacity": {"storage": str(size)},
        "local": {"path": path},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [names]}]}},
        "claimRef": {"name": CLAIM, "namespace": NAMESPACE},
    }
    claim = {"volumeName": "disk", "resources": {"requests": {"storage": str(size)}}}
    return [
        _object("PersistentVolume", "disk", common | disk),
        _object("PersistentVolumeClaim", CLAIM, common | claim),
    ]


def _object(kind: str, name: str, spec: dict) -> dict:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _container(name: str, image: str, **more: object) -> dict:
    limits = {"limits": {"memory": ROOMY}, "requests": {"memory": "4Mi"}}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "resources": limits,
        "securityContext": CONFINED,
    } | more


class Pod:
    """In a cluster whose node has both images, on the network of the machine."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.redis_port = free_port()
        self.ops_port = free_port()

    def start(self, disk: str, size: int) -> None:
        """With a volume at that folder; returns when both programs say that they are ready."""
        self.cluster.kubectl("create", "configmap", "streams", f"--from-file={PROJECT}/streams")
        for item in (*volume(disk, size), self._described()):
            self.cluster.apply(item)
        self.cluster.kubectl("wait", "--for=condition=Ready", f"pod/{POD}", f"--timeout={READY_S}s")

    def _described(self) -> dict:
        settings = {
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "STREAMS_DIR": "/etc/tweetmesh/streams",
            "WS_HOST": "127.0.0.1",
            "WS_PORT": str(free_port()),
            "OPS_HOST": "127.0.0.1",
            "OPS_PORT": str(self.ops_port),
        } | SANITIZERS
        listen = ["--bind", "127.0.0.1", "--port", str(self.redis_port), "--dir", "/data", "--appendonly", "yes"]
        redis = _container(
            "redis",
            REDIS,
            args=listen,
            volumeMounts=[{"name": "data", "mountPath": "/data"}],
            readinessProbe={"tcpSocket": {"host": "127.0.0.1", "port": self.redis_port}, "periodSeconds": 1},
        )
        ready = {"host": "127.0.0.1", "port": self.ops_port, "path": "/readyz"}
        ours = _container(
            PROGRAM,
            OURS,
            env=[{"name": name, "value": value} for name, value in settings.items()],
            volumeMounts=[{"name": "streams", "mountPath": "/etc/tweetmesh/streams", "readOnly": True}],
            readinessProbe={"httpGet": ready, "periodSeconds": 1},
        )
        spec = {
            "hostNetwork": True,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "tolerations": [{"operator": "Exists"}],  # a node without a pod network never becomes ready
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [redis, ours],
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}},
                {"name": "streams", "configMap": {"name": "streams"}},
            ],
        }
        return _object("Pod", POD, spec)

    def limit(self, size: str) -> None:
        """Another limit of memory for our program, which runs on; returns when the kubelet has put it into force.

        The kubelet refuses less than what is used, page cache included.
        """
        resized = {"name": PROGRAM, "resources": {"limits": {"memory": size}}}
        patch = json.dumps({"spec": {"containers": [resized]}})
        self.cluster.kubectl("patch", "pod", POD, "--subresource=resize", f"--patch={patch}")
        status: dict = {}
        for _ in poll_until(RESIZED_S, 0.2):
            status = self._status()
            limits = {one["name"]: one["resources"]["limits"]["memory"] for one in status["containerStatuses"]}
            if limits[PROGRAM] == size:
                return
        raise AssertionError(f"no limit of {size} after {RESIZED_S} s: {status['conditions']}")

    def restarts(self) -> int:
        """Of its containers, together."""
        return sum(one["restartCount"] for one in self._status()["containerStatuses"])

    def _status(self) -> dict:
        return self.cluster.get("pod", POD)["status"]
