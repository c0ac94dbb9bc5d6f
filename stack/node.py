# SPDX-License-Identifier: Apache-2.0
"""A real node of a Cluster: a kubelet that runs pods by containerd and runc.

Both live in namespaces of their own, held by bubblewrap: mounts, so that /run and /var are theirs alone and every mount
goes with them; process ids, so that the kernel ends all containers with the first process there, however we end. The
network is the machine's: there are hostNetwork pods only, and everything listens on loopback. Needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import yaml

from stack.cgroups import Cgroup
from stack.kube_tools import kubelet
from stack.kubernetes import Cluster
from stack.ports import accepts, free_port
from stack.process import Process, StackError

SOCKET = "/run/containerd/containerd.sock"
SANDBOX = "localhost/tweetmesh/pause:1"  # the image of what holds a pod; who uses the node loads it
MARK = "/run/tweetmesh-node"  # where it is, /run is not the machine's, which may have a containerd of its own
READY_SECONDS = 60
TOOLS = ("bwrap", "containerd", "ctr", "nsenter", "runc")
# What kubelet sets where it is not so already. These are the whole machine's, so it is shown files that say so.
KERNEL = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}
CONTAINERD = f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{SANDBOX}"
  disable_apparmor = true
  cni = {{conf_dir = "/var/lib/cni", bin_dir = "/var/lib/cni"}}  # of which there is none
  restrict_oom_score_adj = true  # where root lacks CAP_SYS_RESOURCE, none can be less than ours
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"  # copies: overlays cannot lie on every file system
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""


class Node:
    """One node in a folder, from start() to stop(). Calls from the main thread; what it starts ends with it."""

    def __init__(self, name: str, folder: Path, cluster: Cluster) -> None:
        self.name = name
        self.folder = folder
        self.cluster = cluster
        self.port = free_port()
        self._cgroup = Cgroup("node")
        self._holder: Process | None = None
        self._kubelet: Process | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self, images: list[Path], enter: list[str]) -> None:
        """With these images loaded; enter: the words before a command that sees what is mounted for the node."""
        for tool in TOOLS:
            if not shutil.which(tool):
                raise StackError(f"{tool} is missing; packages.txt lists it")
        program = kubelet()
        try:
            self._cgroup.make()
            self._start_containerd(enter)
            for image in images:
                self._run("ctr", "--address", SOCKET, "--namespace=k8s.io", "images", "import", str(image))
            self._start_kubelet(program)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """The first process in the namespaces is killed, and with it all others there; then the cgroups go."""
        for process in (self._holder, self._kubelet):
            if process is not None:
                process.kill()
        self._holder = self._kubelet = None
        self._cgroup.remove()
        shutil.rmtree(self.folder / "var", ignore_errors=True)

    def _spawn(self, name: str, command: list[str]) -> Process:
        log = self.folder / f"{name}.log"
        return Process.spawn(name, command, log=log, env=dict(os.environ), cwd=self.folder, dies_with_us=True)

    def _start_containerd(self, enter: list[str]) -> None:
        for name in ("var/lib", "var/log", "var/tmp", "kernel"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "containerd.toml").write_text(CONTAINERD)
        bwrap = ["bwrap", "--die-with-parent", "--unshare-pid", "--cap-add", "ALL", "--dev-bind", "/", "/"]
        bwrap += ["--proc", "/proc", "--tmpfs", "/run", "--dir", MARK, "--bind", f"{self.folder}/var", "/var"]
        for path, value in KERNEL.items():
            shown = self.folder / "kernel" / path.replace("/", "-")
            shown.write_text(f"{value}\n")
            bwrap += ["--bind", str(shown), f"/proc/sys/{path}"]
        command = [*enter, *bwrap, "containerd", f"--config={self.folder}/containerd.toml", "--log-level=warn"]
        self._holder = self._spawn("containerd", command)
        self._holder.wait_ready(self._containerd_serves, READY_SECONDS)

    def _containerd_serves(self) -> bool:
        try:
            return self._run("ctr", "--address", SOCKET, "--timeout=2s", "version", check=False).returncode == 0
        except StackError:
            return False

    def _inside(self) -> list[str]:
        """The words before a command that is to run in the namespaces."""
        pid = self._holder.pid if self._holder else 0
        try:
            (first,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except (OSError, ValueError):
            raise StackError("containerd does not run") from None
        if not Path(f"/proc/{first}/root{MARK}").is_dir():
            raise StackError("the namespaces are not made yet")
        return ["nsenter", f"--target={first}", "--mount", "--pid", "--wd=/"]

    def _run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        words = [*self._inside(), *command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        if check and done.returncode != 0:
            raise StackError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
        return done

    def _start_kubelet(self, program: Path) -> None:
        config = self.folder / "kubelet.yaml"
        config.write_text(yaml.safe_dump(self._settings()))
        command = [
            *self._inside(), str(program), f"--config={config}", f"--kubeconfig={self.cluster.kubeconfig}",
            f"--hostname-override={self.name}", "--root-dir=/var/lib/kubelet", "--cert-dir=/var/lib/kubelet/pki",
            "--housekeeping-interval=1s",
        ]  # fmt: skip
        self._kubelet = self._spawn("kubelet", command)
        self._kubelet.wait_ready(self._is_registered, READY_SECONDS)

    def _is_registered(self) -> bool:
        return accepts(self.port) and self.cluster.kubectl("get", "node", self.name, check=False).returncode == 0

    def _settings(self) -> dict:
        """Nothing of the machine is changed or watched, and figures are fresh."""
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": "127.0.0.1",
            "port": self.port,
            "healthzPort": 0,
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self._cgroup.path,
            "failCgroupV1": False,
            "enforceNodeAllocatable": ["none"],
            "failSwapOn": False,
            "makeIPTablesUtilChains": False,
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "volumeStatsAggPeriod": "1s",
            "syncFrequency": "1s",
        }
