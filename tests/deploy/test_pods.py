# SPDX-License-Identifier: Apache-2.0
"""The pods as they are rendered: order, drain, probes, rights, secrets."""

from __future__ import annotations

import json

import pytest
from deploy.rendering import CHART, EVERYTHING, WAYS, Helm, containers, environment

from stack.mesh import PROJECT

PROD = [CHART / "values-prod.yaml"]
NAME = "mesh1-tweetmesh"


@pytest.fixture(scope="module")
def prod(helm_one: Helm):
    return helm_one.template(PROD)


@pytest.fixture(scope="module")
def plain(helm_one: Helm):
    return helm_one.template(PROD, "--set", "api.nativeSidecars=false")


def api_pod(objects) -> dict:
    return objects.one("Deployment", f"{NAME}-api")["spec"]["template"]["spec"]


def test_grpc_server_and_ws_redis_start_before_api_and_end_after_it(prod) -> None:
    pod = api_pod(prod)
    assert [one["name"] for one in pod["containers"]] == ["api"]
    assert [one["name"] for one in pod["initContainers"]] == ["grpc-server", "ws-redis"]
    for sidecar in pod["initContainers"]:
        assert sidecar["restartPolicy"] == "Always" and sidecar["startupProbe"] and "lifecycle" not in sidecar


def test_as_plain_containers_they_wait_until_api_has_drained(plain) -> None:
    pod = api_pod(plain)
    assert "initContainers" not in pod and len(pod["containers"]) == 3
    waits = {one["name"]: one["lifecycle"]["preStop"]["sleep"]["seconds"] for one in pod["containers"]}
    drain = int(environment(containers(pod)["api"])["DRAIN_MS_MAX"]) / 1000
    assert waits["grpc-server"] == waits["ws-redis"] == waits["api"] + drain


@pytest.mark.parametrize("native", ["true", "false"])
def test_the_grace_period_is_longer_than_all_drains_one_after_the_other(helm_one: Helm, native: str) -> None:
    for objects in (helm_one.template(files, "--set", f"api.nativeSidecars={native}") for files in WAYS.values()):
        for name, pod in objects.pods().items():
            if not name.startswith("Deployment"):
                continue
            needed = sum(int(environment(one)["DRAIN_MS_MAX"]) / 1000 for one in containers(pod).values())
            needed += (
                containers(pod)
                .get("api", {})
                .get("lifecycle", {})
                .get("preStop", {})
                .get("sleep", {})
                .get("seconds", 0)
            )
            assert pod["terminationGracePeriodSeconds"] > needed, name


def test_api_reaches_its_neighbours_inside_the_pod_only(prod) -> None:
    of = {name: environment(one) for name, one in containers(api_pod(prod)).items()}
    assert of["api"]["GRPC_TARGET"] == "unix:/run/tweetmesh/grpc.sock"
    assert of["api"]["GRPC_TARGET"] in of["grpc-server"]["GRPC_LISTEN"].split(",")
    assert of["api"]["WS_URL"] == f"ws://127.0.0.1:{of['ws-redis']['WS_PORT']}/"
    mounts = [m for name in ("api", "grpc-server") for m in containers(api_pod(prod))[name]["volumeMounts"]]
    assert sum(mount["mountPath"] == "/run/tweetmesh" for mount in mounts) == 2


def test_liveness_never_depends_on_a_neighbour(prod) -> None:
    for pod in prod.pods().values():
        for one in containers(pod).values():
            if one["name"] == "audit":
                continue
            assert one["livenessProbe"]["httpGet"]["path"] == "/healthz"
            assert one["startupProbe"]["httpGet"]["path"] == "/healthz"


def test_grpc_server_is_asked_by_grpc_and_without_redis_events_still_get_in(prod) -> None:
    of = containers(api_pod(prod))
    assert of["grpc-server"]["readinessProbe"]["grpc"] == {"port": 50051}
    assert of["api"]["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert of["ws-redis"]["readinessProbe"]["httpGet"]["path"] == "/healthz"


def test_with_mutual_tls_grpc_server_is_asked_over_http(helm_one: Helm) -> None:
    ready = containers(api_pod(helm_one.template([EVERYTHING])))["grpc-server"]["readinessProbe"]
    assert "grpc" not in ready and ready["httpGet"]["path"] == "/readyz"


def test_probes_ask_ports_that_the_programs_listen_on(helm_one: Helm) -> None:
    for files in WAYS.values():
        for pod in helm_one.template(files).pods().values():
            for one in containers(pod).values():
                ports = {port["name"]: port["containerPort"] for port in one.get("ports", [])}
                ops = environment(one).get("OPS_PORT")
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    how = one.get(probe, {})
                    if "httpGet" in how:
                        assert str(ports[how["httpGet"]["port"]]) == ops
                    if "grpc" in how:
                        assert f":{how['grpc']['port']}" in environment(one)["GRPC_LISTEN"]


def test_every_pod_keeps_to_the_restricted_pod_security_standard(helm_one: Helm) -> None:
    for files in WAYS.values():
        for name, pod in helm_one.template(files).pods().items():
            security = pod["securityContext"]
            assert security["runAsNonRoot"] and security["runAsUser"] == 65532, name
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
            assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False, name
            for one in containers(pod).values():
                own = one["securityContext"]
                assert own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"], name
                assert own["capabilities"] == {"drop": ["ALL"]}, name
                assert one["resources"]["limits"]["memory"] and one["resources"]["requests"]["cpu"], name


def test_no_service_account_has_a_token(prod) -> None:
    accounts = {item["metadata"]["name"]: item for item in prod.of("ServiceAccount")}
    assert all(item["automountServiceAccountToken"] is False for item in accounts.values())
    assert {pod["serviceAccountName"] for pod in prod.pods().values()} == accounts.keys()


def test_a_secret_is_a_file_that_the_program_reads_again(helm_one: Helm) -> None:
    objects = helm_one.template([EVERYTHING])
    assert objects.of("Secret") == [], "secrets are referred to, never made"
    seen = set()
    for pod in objects.pods().values():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for one in containers(pod).values():
            mounted = {
                f"{mount['mountPath']}/{item['path']}"
                for mount in one["volumeMounts"]
                for source in volumes[mount["name"]].get("projected", {}).get("sources", [])
                for item in source["secret"]["items"]
            }
            wanted = {
                str(value) for value in environment(one).values() if str(value).startswith("/etc/tweetmesh/secrets/")
            }
            assert wanted == mounted
            seen |= {name for name, value in environment(one).items() if str(value) in wanted}
            bare = [name for name in environment(one) if name.endswith(("PASSWORD", "OTLP_HEADERS"))]
            assert not bare, "a secret in the environment"
    passwords = {"KAFKA_PASSWORD_FILE", "REDIS_PASSWORD_FILE", "MONGODB_PASSWORD_FILE"}
    assert passwords | {"KAFKA_CA", "REDIS_CA", "OTEL_EXPORTER_OTLP_HEADERS_FILE"} <= seen


def test_every_setting_in_a_pod_is_one_that_its_program_knows(helm_one: Helm) -> None:
    text = (PROJECT / "docs/configuration.md").read_text()
    tables = {part.split("\n", 1)[0]: part for part in text.split("\n## ")}
    for files in WAYS.values():
        for pod in helm_one.template(files).pods().values():
            for one in containers(pod).values():
                for name in environment(one):
                    known = f"| `{name.removesuffix('_FILE')}` |" in tables[one["name"]]
                    assert known, f"{one['name']} knows no {name}"


def test_each_pod_of_the_consumer_has_a_name_of_its_own_in_the_group(prod) -> None:
    pod = prod.one("Deployment", f"{NAME}-kafka-consumer")["spec"]["template"]["spec"]
    identity = environment(containers(pod)["kafka-consumer"])["KAFKA_INSTANCE_ID"]
    assert identity == {"fieldRef": {"fieldPath": "metadata.name"}}


def test_the_pods_get_exactly_the_stream_files_of_the_project(prod) -> None:
    data = prod.one("ConfigMap", f"{NAME}-streams")["data"]
    assert data == {path.name: path.read_text() for path in (PROJECT / "streams").glob("*.json")}


def test_another_stream_file_starts_the_pods_anew(helm_one: Helm, prod) -> None:
    stream = json.dumps({"stream": "orders", "topic": "orders"})
    other = helm_one.template(PROD, "--set-json", "streams.files=" + json.dumps({"orders.json": stream}))
    for kind in ("api", "kafka-consumer"):
        was, now = (
            one.one("Deployment", f"{NAME}-{kind}")["spec"]["template"]["metadata"]["annotations"]
            for one in (prod, other)
        )
        assert was["checksum/streams"] != now["checksum/streams"]
    assert {"messages", "messages.dlq", "orders", "orders.dlq"} == {
        topic["spec"]["topicName"] for topic in other.of("KafkaTopic")
    }


def test_the_audit_of_helm_test_and_of_the_clock_are_the_same_pod(prod) -> None:
    pods = prod.pods()
    assert pods[f"Pod {NAME}-audit-test"] == pods[f"CronJob {NAME}-audit"]
    assert prod.one("Pod", f"{NAME}-audit-test")["metadata"]["annotations"]["helm.sh/hook"] == "test"
