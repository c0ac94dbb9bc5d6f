# SPDX-License-Identifier: Apache-2.0
"""k8s/: what the mesh stands on fits Kubernetes, the chart and the programs."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from deploy.rendering import CHART, Helm, Loader, Objects, containers
from deploy.schemas import VERSIONS, Schemas
from support.secure import REDIS_RIGHTS

from stack.mesh import PROJECT

FOLDER = PROJECT / "k8s"
MANIFESTS = [path for path in sorted(FOLDER.glob("*.yaml")) if not path.stem.endswith("-values")]
DEV = [CHART / "values-dev.yaml"]


def ground() -> Objects:
    return Objects("\n---\n".join(path.read_text() for path in MANIFESTS))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_are_what_kubernetes_knows(schemas: Schemas, counts: Counter[str], path: Path) -> None:
    for version in (VERSIONS[0], VERSIONS[-1]):
        summary, complaints = schemas.check(path.read_text(), version)
        assert complaints == [] and summary["valid"] > 0 and summary["skipped"] == 0
        counts["objects valid"] += summary["valid"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*-values.yaml")), ids=lambda path: path.stem)
def test_value_files_are_maps(path: Path) -> None:
    assert isinstance(yaml.load(path.read_text(), Loader), dict)


def test_nothing_is_declared_both_here_and_in_the_chart(helm_one: Helm) -> None:
    of_chart = {(item["kind"], item["metadata"]["name"]) for item in helm_one.template(DEV, release="mesh").items}
    assert not of_chart & {(item["kind"], item["metadata"]["name"]) for item in ground().items}


def test_every_pod_keeps_to_the_restricted_standard_and_has_limits() -> None:
    pods = ground().pods()
    assert len(pods) == 4
    for name, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False, name
        for one in containers(pod).values():
            own = one["securityContext"]
            assert own["readOnlyRootFilesystem"] and own["capabilities"] == {"drop": ["ALL"]}, name
            assert one["resources"]["limits"]["memory"] and one["resources"]["requests"]["cpu"], name


def test_services_of_redis_and_mongodb_are_where_the_chart_looks_for_them(helm_one: Helm) -> None:
    services = {item["metadata"]["name"]: item["spec"]["ports"][0]["port"] for item in ground().of("Service")}
    values = yaml.load((CHART / "values.yaml").read_text(), Loader)
    assert values["redis"]["url"] == f"redis://redis:{services['redis']}/0"
    assert values["mongodb"]["uri"] == f"mongodb://mongodb:{services['mongodb']}"
    assert {item["spec"].get("type", "ClusterIP") for item in ground().of("Service")} == {"ClusterIP"}
    policies = {
        item["metadata"]["name"]: item["spec"] for item in helm_one.template(DEV, release="mesh").of("NetworkPolicy")
    }
    labels = {
        item["metadata"]["name"]: item["spec"]["template"]["metadata"]["labels"] for item in ground().of("StatefulSet")
    }
    for edge, target in (("ws-redis-to-redis", "redis"), ("kafka-consumer-to-mongodb", "mongodb")):
        (peer,) = policies[f"mesh-tweetmesh-{edge}"]["egress"][0]["to"]
        assert peer["podSelector"]["matchLabels"].items() <= labels[target].items()


def test_redis_and_mongodb_let_in_the_mesh_and_grafana_only(helm_one: Helm) -> None:
    policies = {item["metadata"]["name"]: item["spec"] for item in ground().of("NetworkPolicy")}
    pods = [item["spec"]["template"]["metadata"]["labels"] for item in helm_one.template(DEV).of("Deployment")]
    for name in ("redis", "mongodb"):
        assert policies[name]["policyTypes"] == ["Ingress", "Egress"] and "egress" not in policies[name]
        mesh = policies[name]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
        assert all(mesh.items() <= labels.items() for labels in pods)


def test_secrets_are_those_that_the_chart_and_the_manifests_refer_to(helm_one: Helm) -> None:
    made = set(re.findall(r"create secret generic (\S+)", (FOLDER / "secrets.sh").read_text()))
    text = json.dumps([*ground().items, *helm_one.template(DEV).items])
    wanted = set(re.findall(r'"secretKeyRef": \{"name": "([^"]+)"', text))
    wanted |= set(re.findall(r'"secret": \{(?:"items": \[[^\]]*\], )?"name": "([^"]+)"', text))
    wanted |= {"grafana-admin", "grafana-redis"}
    assert made == wanted


def test_the_rights_in_redis_are_those_of_the_manual() -> None:
    assert f"rights='{REDIS_RIGHTS}'" in (FOLDER / "secrets.sh").read_text()


def test_grafana_finds_dashboards_and_data_sources(helm_one: Helm) -> None:
    values = yaml.load((FOLDER / "grafana-values.yaml").read_text(), Loader)
    objects = helm_one.template(DEV, "--set", "monitoring.dashboards=true")
    boards = [item for item in objects.of("ConfigMap") if "dashboard" in item["metadata"]["name"]]
    assert len(boards) == len(list((CHART / "dashboards").glob("*.json"))) > 0
    for board in boards:
        assert values["sidecar"]["dashboards"]["label"] in board["metadata"]["labels"]
        assert values["sidecar"]["dashboards"]["folderAnnotation"] in board["metadata"]["annotations"]
    sources = {source["type"] for source in values["datasources"]["datasources.yaml"]["datasources"]}
    used = {
        plugin
        for path in (CHART / "dashboards").glob("*.json")
        for plugin in re.findall(r'"type": "(prometheus|redis-datasource)"', path.read_text())
    }
    assert used == sources and "redis-datasource" in values["plugins"]


def test_readme_begins_with_one_sentence() -> None:
    for path in (FOLDER / "README.md", CHART / "README.md"):
        first = path.read_text().splitlines()[0]
        assert first.endswith(".") and ". " not in first and not first.startswith("#")
