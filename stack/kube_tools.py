# SPDX-License-Identifier: Apache-2.0
"""What the chart is checked with, built once from Go modules: Helm 3 and 4, kubeconform, kube-score, helm-docs, and
the parts of a Kubernetes control plane with kwok, which plays the nodes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from stack.cache import cached, run_step
from stack.go_tools import download, go_environment, installed

HELM3 = ("helm.sh/helm/v3", "v3.21.4")
HELM4 = ("helm.sh/helm/v4/cmd/helm", "v4.2.4", (1, 26), "helm4")
KUBECONFORM = ("github.com/yannh/kubeconform/cmd/kubeconform", "v0.7.0", (1, 26), "kubeconform")
KUBE_SCORE = ("github.com/zegl/kube-score/cmd/kube-score", "v1.20.0", (1, 26), "kube-score")
HELM_DOCS = ("github.com/norwoodj/helm-docs/cmd/helm-docs", "v1.14.2", (1, 26), "helm-docs")
KWOK = ("sigs.k8s.io/kwok", "v0.8.0", "h1:OTIOTwgROqPMovcTwxICx2eYQ4AwLpSx5EpjbDKF4SQ=")
KUBERNETES = ("k8s.io/kubernetes", "v1.36.3", "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o=")
ETCD = ("go.etcd.io/etcd/server/v3", "v3.6.16")
GO = (1, 26)
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
# Of kwok's own: without them it does not know what a node or a pod does.
STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)


def helm3() -> Path:
    """Helm 3; unlike Helm 4 it must be told which Kubernetes it was made for."""
    module, version = HELM3
    minor = KUBERNETES[1].split(".")[1]
    told = [f"-X {module}/internal/version.version={version}"]
    for package in ("lint/rules", "chartutil"):
        told += [f"-X {module}/pkg/{package}.k8sVersionMajor=1", f"-X {module}/pkg/{package}.k8sVersionMinor={minor}"]

    def make(folder: Path, log: Path) -> None:
        environment = {**go_environment(GO), "GOBIN": str(folder)}
        command = ["go", "install", "-ldflags", " ".join(["-s -w", *told]), f"{module}/cmd/helm@{version}"]
        run_step("building helm3", command, log=log, cwd=folder, env=environment)

    return cached(f"helm3-{version}-1", make, what="building helm3") / "helm"


def helm4() -> Path:
    return installed(*HELM4)


def kubeconform() -> Path:
    """Compares manifests with JSON schemas."""
    return installed(*KUBECONFORM)


def kube_score() -> Path:
    """Says what a careful operator would object to in manifests."""
    return installed(*KUBE_SCORE)


def helm_docs() -> Path:
    """Writes a chart's README.md from its values.yaml."""
    return installed(*HELM_DOCS)


def kwok() -> tuple[Path, Path]:
    """kwok, and the file of its stages."""
    module, version, checksum = KWOK

    def make(folder: Path, log: Path) -> None:
        source = download(module, version, checksum, log, GO)
        stages = [(source / "kustomize/stage" / name).read_text() for name in STAGES]
        (folder / "stages.yaml").write_text("\n---\n".join(stages))
        environment = {**go_environment(GO), "GOBIN": str(folder)}
        command = ["go", "install", f"{module}/cmd/kwok@{version}"]
        run_step("building kwok", command, log=log, cwd=folder, env=environment)

    folder = cached(f"kwok-{version}", make, what="building kwok")
    return folder / "kwok", folder / "stages.yaml"


def _build(folder: Path, log: Path, name: str, packages: list[str], flags: str) -> None:
    """Builds the programs of the module in folder/source into folder."""
    source = folder / "source"
    environment = go_environment(GO)
    run_step(f"fetching {name}", ["go", "mod", "tidy"], log=log, cwd=source, env=environment)
    build = ["go", "build", "-trimpath", "-ldflags", flags, "-o", f"{folder}/", *packages]
    run_step(f"building {name}", build, log=log, cwd=source, env=environment)
    shutil.rmtree(source)


def _module(folder: Path, name: str, tools: list[str], rest: str) -> None:
    """A module of our own that asks for the tools: `go install` refuses modules that replace others."""
    source = folder / "source"
    source.mkdir()
    listed = "".join(f"\t{tool}\n" for tool in tools)
    text = f"module {name}\n\ngo 1.26.0\n\ngodebug default=go1.26\n\ntool (\n{listed})\n\n{rest}"
    (source / "go.mod").write_text(text)
    (source / "tools.go").write_text("package tools\n")


def etcd() -> Path:
    module, version = ETCD

    def make(folder: Path, log: Path) -> None:
        _module(folder, "etcdtool", [module], f"require {module} {version}\n")
        _build(folder, log, "etcd", [module], "-s -w")
        (folder / "server").rename(folder / "etcd")

    return cached(f"etcd-{version}", make, what="building etcd") / "etcd"


def control_plane() -> Path:
    """The folder with kube-apiserver, kube-controller-manager, kube-scheduler and kubectl."""
    return _kubernetes("kubernetes", CONTROL_PLANE, "the Kubernetes control plane (up to 15 minutes)")


def kubelet() -> Path:
    """What runs the pods of a node. Most of it is compiled already where the control plane is."""
    return _kubernetes("kubelet", ("kubelet",), "kubelet (up to 10 minutes)") / "kubelet"


def _kubernetes(name: str, programs: Sequence[str], what: str) -> Path:
    """The folder with these programs of Kubernetes."""
    module, version, checksum = KUBERNETES

    def make(folder: Path, log: Path) -> None:
        theirs = (download(module, version, checksum, log, GO) / "go.mod").read_text()
        staging = f"v0.{version.removeprefix('v1.')}"
        replaced = re.findall(r"(?m)^\s*(\S+) => \./staging/", theirs)
        replaces = "".join(f"\t{path} => {path} {staging}\n" for path in replaced)
        tools = [f"{module}/cmd/{program}" for program in programs]
        _module(folder, "kubeapi", tools, f"require {module} {version}\n\nreplace (\n{replaces})\n")
        flags = f"-s -w -X k8s.io/component-base/version.gitVersion={version}"
        _build(folder, log, name, tools, flags)

    return cached(f"{name}-{version}", make, what=f"building {what}")
