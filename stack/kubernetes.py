# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes control plane on loopback: etcd, API server, controller manager, scheduler; kwok plays the nodes.

Everything is admitted, scheduled, rolled out, evicted and deleted as in a cluster; only the containers do not run,
unless a node is a real one (node.py).
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from stack.kube_tools import control_plane, etcd, kwok
from stack.ports import accepts, free_port
from stack.process import Process, StackError, poll_until

TOKEN = "loopback-only"
READY_SECONDS = 180
NODES = ("node-a", "node-b", "node-c")


def _node(name: str, zone: str) -> dict:
    amounts = {"cpu": "32", "memory": "128Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"allocatable": amounts, "capacity": amounts},
    }


class Cluster:
    """One control plane in a folder. Calls from the main thread; what it starts ends with it.

    played: with the nodes that kwok plays; without, it has none.
    """

    def __init__(self, folder: Path, *, played: bool = True) -> None:
        self.folder = folder
        self.played = played
        self.kubeconfig = folder / "kubeconfig"
        self.programs = control_plane()
        self.processes: list[Process] = []
        self.ports = {name: free_port() for name in ("etcd", "peer", "api", "manager", "scheduler", "kwok")}

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop(20)
        self.processes.clear()

    def _spawn(self, name: str, *command: str) -> Process:
        log = self.folder / f"{name}.log"
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        process = Process.spawn(name, list(command), log=log, env=environment, cwd=self.folder, dies_with_us=True)
        self.processes.append(process)
        return process

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_credentials()
        client, peer = (f"http://127.0.0.1:{self.ports[name]}" for name in ("etcd", "peer"))
        store = self._spawn(
            "etcd", str(etcd()), "--data-dir", "etcd-data", "--unsafe-no-fsync",
            "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        )  # fmt: skip
        store.wait_ready(lambda: accepts(self.ports["etcd"]), READY_SECONDS)
        api = self._spawn(
            "kube-apiserver", str(self.programs / "kube-apiserver"), f"--etcd-servers={client}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={self.ports['api']}",
            "--cert-dir=certs", "--token-auth-file=tokens.csv", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=sa.key", "--service-account-signing-key-file=sa.key",
            "--endpoint-reconciler-type=none",
        )  # fmt: skip
        api.wait_ready(self._api_ready, READY_SECONDS)
        common = [f"--{part}kubeconfig={self.kubeconfig}" for part in ("", "authentication-", "authorization-")]
        common += ["--bind-address=127.0.0.1", "--cert-dir=certs", "--leader-elect=false"]
        self._spawn(
            "kube-controller-manager", str(self.programs / "kube-controller-manager"), *common,
            f"--secure-port={self.ports['manager']}", "--service-account-private-key-file=sa.key",
            "--controllers=*,-nodeipam,-node-route-controller,-cloud-node-lifecycle-controller",
            "--concurrent-deployment-syncs=1",
        )  # fmt: skip
        self._spawn(
            "kube-scheduler", str(self.programs / "kube-scheduler"), *common,
            f"--secure-port={self.ports['scheduler']}",
        )  # fmt: skip
        if self.played:
            self._play_nodes()
        for _ in poll_until(READY_SECONDS):
            if self.kubectl("-n", "default", "get", "serviceaccount", "default", check=False).returncode == 0:
                return
        raise StackError(
            f"the controller manager made no service account; log {self.folder}/kube-controller-manager.log"
        )

    def _play_nodes(self) -> None:
        program, stages = kwok()
        self._spawn(
            "kwok", str(program), f"--config={stages}", f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes=true",
            "--node-ip=127.0.0.1", "--node-lease-duration-seconds=40",
            "--cidr=10.244.0.0/16", f"--server-address=127.0.0.1:{self.ports['kwok']}",
        )  # fmt: skip
        for name, zone in zip(NODES, ("a", "b", "c"), strict=True):
            self.apply(_node(name, zone))
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", f"--timeout={READY_SECONDS}s")

    def _write_credentials(self) -> None:
        command = ["openssl", "genrsa", "-out", str(self.folder / "sa.key"), "2048"]
        subprocess.run(command, check=True, capture_output=True)
        (self.folder / "tokens.csv").write_text(f'{TOKEN},admin,1,"system:masters"\n')
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "mesh",
            "clusters": [
                {
                    "name": "mesh",
                    "cluster": {"server": f"https://127.0.0.1:{self.ports['api']}", "insecure-skip-tls-verify": True},
                }
            ],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "mesh", "context": {"cluster": "mesh", "user": "admin"}}],
        }
        self.kubeconfig.write_text(json.dumps(config))

    def _api_ready(self) -> bool:
        url = f"https://127.0.0.1:{self.ports['api']}/readyz"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        try:
            with urllib.request.urlopen(request, timeout=5, context=ssl._create_unverified_context()) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def kubectl(
        self, *arguments: str | Path, text: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """kubectl, with text on its standard input."""
        command = [str(self.programs / "kubectl"), f"--kubeconfig={self.kubeconfig}", *map(str, arguments)]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=300)
        if check and done.returncode != 0:
            raise StackError(f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def apply(self, item: dict) -> None:
        """Creates or changes one object, its status too where it is a node."""
        self.kubectl("apply", "-f", "-", text=json.dumps(item))

    def get(self, *arguments: str) -> dict:
        """What `kubectl get … -o json` answers."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)
