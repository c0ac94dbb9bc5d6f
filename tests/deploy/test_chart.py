# SPDX-License-Identifier: Apache-2.0
"""The chart as a whole: lints, renders into objects that Kubernetes knows, and is up to date."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from deploy.rendering import CHART, EVERYTHING, WAYS, Helm, RenderError
from deploy.schemas import VERSIONS, WITHOUT_SCHEMA, Schemas

from stack.kube_tools import kube_score
from tools.chart import stale

# What kube-score objects to and why it may.
EXCUSED = {
    "container-image-pull-policy": "images have a version as tag, or a digest: pulling again changes nothing",
    "container-ephemeral-storage-request-and-limit": "the root is read-only; the emptyDir is memory with a limit",
    "deployment-has-host-podantiaffinity": "topologySpreadConstraints spread the pods, also on a small cluster",
    "pod-probes-identical": "not ready after 6 s, restarted after 60: they differ in how long they wait",
    "deployment-replicas": "values-dev.yaml is one of everything",
}


def _objections(scored: list[dict]) -> dict[str, list[str]]:
    """What kube-score objects to: name of the check to objects and words."""
    found: dict[str, list[str]] = {}
    for item in scored:
        for check in item["checks"] or []:
            if check["grade"] < 10 and not check["skipped"]:
                comments = [comment["summary"] for comment in check["comments"] or []]
                found.setdefault(check["check"]["id"], []).append(f"{item['object_name']}: {comments}")
    return found


@pytest.mark.parametrize("way", WAYS)
def test_lint_finds_nothing(helm: Helm, way: str) -> None:
    files = [part for path in WAYS[way] for part in ("-f", path)]
    done = helm.run("lint", "--strict", CHART, *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout and "[ERROR]" not in done.stdout, done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_objects_are_what_kubernetes_and_the_crds_know(
    helm: Helm, schemas: Schemas, counts: Counter[str], way: str
) -> None:
    objects = helm.template(WAYS[way])
    for version in VERSIONS if way in ("defaults", "everything") else VERSIONS[-1:]:
        summary, complaints = schemas.check(objects.text, version)
        assert complaints == [] and summary["invalid"] == summary["errors"] == 0, complaints
        without = sum(f"{item['apiVersion']}/{item['kind']}" in WITHOUT_SCHEMA for item in objects.items)
        assert summary["skipped"] == without
        assert summary["valid"] == len(objects.items) - without > 20
        counts["objects valid"] += summary["valid"]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("revisionHistoryLimit:", "revisionHistoryLimits:"),
        ("readinessProbe:", "readynessProbe:"),
        ("partitions: 4", "partitions: many"),
        ("minReplicaCount:", "minReplicas:"),
        ("backendRefs:", "backends:"),
        ("podMetricsEndpoints:", "podMetricsEndpoint:"),
        ("issuerRef:", "issuer:"),
    ],
)
def test_a_broken_object_would_be_found(helm_one: Helm, schemas: Schemas, was: str, becomes: str) -> None:
    documents = helm_one.template([EVERYTHING]).text.split("\n---\n")
    (text, *_) = [document for document in documents if was in document]
    assert schemas.check(text)[1] == []
    assert schemas.check(text.replace(was, becomes))[1]


def test_kube_score_objects_to_nothing_that_is_not_excused_and_no_excuse_is_left_over(helm_one: Helm) -> None:
    command = [str(kube_score()), "score", "--output-format", "json", "--kubernetes-version", "v1.36", "-"]
    found: dict[str, list[str]] = {}
    for files in WAYS.values():
        text = helm_one.template(files).text
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=240)
        found |= _objections(json.loads(done.stdout))
    assert {name: where for name, where in found.items() if name not in EXCUSED} == {}
    assert EXCUSED.keys() - found.keys() == set()


def test_streams_schema_and_readme_are_up_to_date() -> None:
    """Else: ./mesh shell python3 -P tools/chart.py"""
    assert stale() == []


def test_both_helms_render_alike() -> None:
    from stack.kube_tools import helm3, helm4

    for files in WAYS.values():
        three, four = (Helm(program).template(files) for program in (helm3(), helm4()))
        order = lambda item: (item["kind"], item["metadata"]["name"])  # noqa: E731
        assert sorted(three.items, key=order) == sorted(four.items, key=order)


def test_the_packaged_chart_renders_the_same(helm: Helm, tmp_path: Path) -> None:
    done = helm.run("package", CHART, "-d", tmp_path)
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("tweetmesh-*.tgz")
    assert helm.template([EVERYTHING], chart=package).items == helm.template([EVERYTHING]).items


@pytest.mark.parametrize(
    ("missing", "settings", "words"),
    [
        ("kafka.strimzi.io/v1/Kafka", [], "Install the Strimzi operator"),
        (
            "keda.sh/v1alpha1/ScaledObject",
            ["kafka.enabled=false", "kafka.bootstrap=k:9092", "keda.enabled=true"],
            "KEDA",
        ),
        (
            "monitoring.coreos.com/v1/PodMonitor",
            ["kafka.enabled=false", "kafka.bootstrap=k:9092", "monitoring.scrape=PodMonitor"],
            "Install the Prometheus operator",
        ),
    ],
)
def test_a_cluster_that_lacks_a_crd_is_told_what_to_install(
    helm: Helm, missing: str, settings: list[str], words: str
) -> None:
    sets = [part for setting in settings for part in ("--set", setting)]
    with pytest.raises(RenderError) as refused:
        helm.template([], *sets, "--api-versions", "v1/Pod")  # as a cluster without it would say
    assert f"this cluster does not know {missing}" in str(refused.value) and words in str(refused.value)
    assert helm.template([], *sets, "--api-versions", "v1/Pod", "--api-versions", missing).items
