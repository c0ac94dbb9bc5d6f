# SPDX-License-Identifier: Apache-2.0
"""The CRDs of the chart's neighbours, pinned: from Go modules, and Strimzi's made by its own generator."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from stack.cache import cached, digest, run_step
from stack.go_tools import download

GO = (1, 26)
POM = Path(__file__).parent / "strimzi-pom.xml"
# Module, version, checksum, folder in it, files.
MODULES = (
    (
        "sigs.k8s.io/gateway-api",
        "v1.6.1",
        "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY=",
        "config/crd/standard",
        ("gateway.networking.k8s.io_gateways.yaml", "gateway.networking.k8s.io_httproutes.yaml"),
    ),
    (
        "github.com/kedacore/keda/v2",
        "v2.21.0",
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        "config/crd/bases",
        ("keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml"),
    ),
    (
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd",
        (
            "monitoring.coreos.com_podmonitors.yaml",
            "monitoring.coreos.com_prometheusrules.yaml",
            "monitoring.coreos.com_servicemonitors.yaml",
        ),
    ),
    (
        "github.com/cert-manager/cert-manager",
        "v1.21.2",
        "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
        "deploy/crds",
        (
            "cert-manager.io_certificates.yaml",
            "cert-manager.io_clusterissuers.yaml",
            "cert-manager.io_issuers.yaml",
        ),
    ),
)
STRIMZI = {
    "kafka.Kafka": "kafkas",
    "nodepool.KafkaNodePool": "kafkanodepools",
    "topic.KafkaTopic": "kafkatopics",
    "user.KafkaUser": "kafkausers",
}


def _strimzi(folder: Path, log: Path) -> None:
    with tempfile.TemporaryDirectory() as jars:
        fetch = ["mvn", "-B", "-C", "-f", str(POM), "dependency:copy-dependencies"]
        fetch += [f"-DoutputDirectory={jars}", "-Daether.connector.http.retryHandler.count=5"]
        run_step("fetching Strimzi's generator from Maven Central", fetch, log=log)
        make = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", "io.strimzi.crdgenerator.CrdGenerator"]
        make += ["--target-kube", "1.27+", "--describe-api-versions", "v1", "--api-versions", "v1"]
        make += ["--label", "app:strimzi", "--label", "strimzi.io/crd-install:true", "--yaml"]
        make += [
            f"io.strimzi.api.kafka.model.{kind}={folder}/kafka.strimzi.io_{name}.yaml" for kind, name in STRIMZI.items()
        ]
        run_step("making Strimzi's CRDs", make, log=log)


def crds() -> Path:
    """The folder with all of them, one file each."""

    def make(folder: Path, log: Path) -> None:
        for module, version, checksum, place, names in MODULES:
            source = download(module, version, checksum, log, GO) / place
            for name in names:
                shutil.copyfile(source / name, folder / name)
        _strimzi(folder, log)

    name = f"crds-{digest(repr(MODULES), repr(STRIMZI), POM.read_bytes())}"
    return cached(
        name, make, what="fetching the CRDs of Strimzi, KEDA, Gateway API, Prometheus operator and cert-manager"
    )
