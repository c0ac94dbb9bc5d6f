# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicies, Kafka's rights, entrances, watching: who may reach whom, and what an upgrade may not change."""

from __future__ import annotations

import json

import pytest
import yaml
from deploy.rendering import CHART, EVERYTHING, WAYS, Helm, Loader, Objects
from support.edges import Edge, edges

NAME = "mesh1-tweetmesh"
PROD = [CHART / "values-prod.yaml"]


@pytest.fixture(scope="module")
def prod(helm_one: Helm) -> Objects:
    return helm_one.template(PROD)


def policies(objects: Objects) -> set[Edge]:
    return edges(objects.of("NetworkPolicy"))


def test_what_is_not_named_is_denied_in_both_directions(prod: Objects) -> None:
    deny = prod.one("NetworkPolicy", f"{NAME}-default-deny")["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in deny and "egress" not in deny
    pods = [item["spec"]["template"]["metadata"]["labels"] for item in prod.of("Deployment")]
    pods += [item["metadata"]["labels"] for item in prod.of("Pod")]
    pods += [item["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"] for item in prod.of("CronJob")]
    assert len(pods) == 4
    for labels in pods:
        assert deny["podSelector"]["matchLabels"].items() <= labels.items()


def test_every_edge_of_the_architecture_is_open_and_no_other(prod: Objects) -> None:
    assert policies(prod) == {
        ("ingress", "api", (8080,)),
        ("ingress", "api", (8090,)),
        ("ingress", "api", (8081, 8082, 8083)),
        ("ingress", "kafka-consumer", (8084,)),
        ("egress", "api", (9093,)),
        ("egress", "api", (6379,)),
        ("egress", "kafka-consumer", (9093,)),
        ("egress", "kafka-consumer", (6379,)),
        ("egress", "kafka-consumer", (27017,)),
        ("egress", "audit", (9093,)),
        ("egress", "audit", (6379,)),
        ("egress", "audit", (27017,)),
    }


def test_grpc_can_be_reached_from_outside_the_pod_only_where_it_is_asked_for(helm_one: Helm, prod: Objects) -> None:
    assert ("ingress", "api", (50051,)) not in policies(prod)
    assert not [one for one in prod.of("Service") if one["metadata"]["name"].endswith("-grpc")]
    opened = helm_one.template(PROD, "--set", "grpcServer.service.enabled=true")
    assert policies(opened) - policies(prod) == {("ingress", "api", (50051,))}


def test_an_existing_kafka_is_reached_at_its_own_ports(helm_one: Helm) -> None:
    objects = helm_one.template([], "--set", "kafka.enabled=false", "--set-string", "kafka.bootstrap=a:9094\\,b:9095")
    assert ("egress", "api", (9094, 9095)) in policies(objects)
    assert not [item for item in objects.items if "strimzi" in item["apiVersion"]]


def test_services_choose_pods_that_exist_and_ports_that_they_have(helm_one: Helm) -> None:
    for files in WAYS.values():
        objects = helm_one.template(files)
        for service in objects.of("Service"):
            pods = [
                item["spec"]["template"]
                for item in objects.of("Deployment")
                if service["spec"]["selector"].items() <= item["spec"]["template"]["metadata"]["labels"].items()
            ]
            assert len(pods) == 1, service["metadata"]["name"]
            spec = pods[0]["spec"]
            ports = {p["name"] for one in [*spec.get("initContainers", []), *spec["containers"]] for p in one["ports"]}
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_entrances_lead_to_services_that_exist(helm_one: Helm) -> None:
    objects = helm_one.template([EVERYTHING])
    services = {(s["metadata"]["name"], p["port"]) for s in objects.of("Service") for p in s["spec"]["ports"]}
    ingress = objects.one("Ingress", f"{NAME}-api")["spec"]
    targets = {
        (path["backend"]["service"]["name"], path["backend"]["service"]["port"]["number"])
        for rule in ingress["rules"]
        for path in rule["http"]["paths"]
    }
    targets |= {
        (backend["name"], backend["port"])
        for route in objects.of("HTTPRoute")
        for rule in route["spec"]["rules"]
        for backend in rule["backendRefs"]
    }
    assert targets == {(f"{NAME}-api", 80), (f"{NAME}-live", 80)} and targets <= services
    assert [rule["host"] for rule in ingress["rules"]] == [
        f"{NAME}.192.0.2.7.nip.io",
        f"live.{NAME}.192.0.2.7.nip.io",
    ]
    assert ingress["ingressClassName"] == "nginx"


def test_each_program_may_do_in_kafka_what_it_must_and_no_more(helm_one: Helm) -> None:
    users = {user["metadata"]["name"]: user["spec"] for user in helm_one.template(PROD).of("KafkaUser")}
    rights = {
        (name, acl["resource"]["type"], acl["resource"]["name"], tuple(acl["operations"]))
        for name, user in users.items()
        for acl in user["authorization"]["acls"]
    }
    group = "tweetmesh-archive"
    assert rights == {
        (f"{NAME}-grpc-server", "topic", "messages", ("Describe", "Write")),
        (f"{NAME}-kafka-consumer", "topic", "messages", ("Describe", "Read")),
        (f"{NAME}-kafka-consumer", "topic", "messages.dlq", ("Describe", "Write")),
        (f"{NAME}-kafka-consumer", "group", group, ("Describe", "Read")),
        (f"{NAME}-audit", "topic", "messages", ("Describe", "Read")),
        (f"{NAME}-audit", "topic", "messages.dlq", ("Describe", "Read")),
        (f"{NAME}-audit", "group", group, ("Describe",)),
        (f"{NAME}-keda", "topic", "messages", ("Describe",)),
        (f"{NAME}-keda", "group", group, ("Describe",)),
    }
    assert {user["authentication"]["type"] for user in users.values()} == {"scram-sha-512"}


def test_prod_has_each_record_on_three_brokers_in_three_zones(prod: Objects) -> None:
    kafka = prod.one("Kafka", "mesh")["spec"]["kafka"]
    assert kafka["config"]["min.insync.replicas"] == 2 and kafka["rack"]["topologyKey"] == "topology.kubernetes.io/zone"
    assert kafka["listeners"][0]["tls"] and kafka["listeners"][0]["authentication"]["type"] == "scram-sha-512"
    pools = {pool["metadata"]["name"]: pool["spec"] for pool in prod.of("KafkaNodePool")}
    assert {name: (pool["replicas"], pool["roles"]) for name, pool in pools.items()} == {
        "mesh-brokers": (3, ["broker"]),
        "mesh-controllers": (3, ["controller"]),
    }
    assert all(topic["spec"]["replicas"] == 3 for topic in prod.of("KafkaTopic"))


def test_pods_of_kafka_do_not_pass_for_pods_of_the_mesh(prod: Objects) -> None:
    """Strimzi hands the labels of Kafka and of the pools on to their pods."""
    for kind in ("Kafka", "KafkaNodePool"):
        for item in prod.of(kind):
            assert "app.kubernetes.io/part-of" not in item["metadata"]["labels"]


def test_dev_is_one_node_that_is_broker_and_controller(helm_one: Helm) -> None:
    objects = helm_one.template(WAYS["dev"])
    pools = [pool["spec"] for pool in objects.of("KafkaNodePool")]
    assert [(pool["replicas"], pool["roles"]) for pool in pools] == [(1, ["controller", "broker"])]


def test_records_survive_helm_uninstall_in_prod(prod: Objects) -> None:
    for kind in ("Kafka", "KafkaNodePool", "KafkaTopic"):
        for item in prod.of(kind):
            assert item["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_keda_watches_the_lag_of_the_consumers_own_group(prod: Objects) -> None:
    scaled = prod.one("ScaledObject", f"{NAME}-kafka-consumer")["spec"]
    consumer = prod.one("Deployment", f"{NAME}-kafka-consumer")["spec"]
    assert "replicas" not in consumer, "KEDA and the Deployment would fight about the number"
    (trigger,) = scaled["triggers"]
    environment = {e["name"]: e.get("value") for e in consumer["template"]["spec"]["containers"][0]["env"]}
    assert trigger["metadata"]["consumerGroup"] == environment["KAFKA_GROUP_ID"]
    assert trigger["metadata"]["bootstrapServers"] == "mesh-kafka-bootstrap.project.svc:9093"
    assert prod.one("TriggerAuthentication", trigger["authenticationRef"]["name"])


def test_rules_and_dashboards_arrive_as_they_are(helm_one: Helm) -> None:
    objects = helm_one.template([EVERYTHING])
    rules = {path.stem: yaml.load(path.read_text(), Loader) for path in (CHART / "rules").glob("*.yaml")}
    for name, content in rules.items():
        assert objects.one("PrometheusRule", f"{NAME}-rules-{name}")["spec"] == content
    as_text = helm_one.template([EVERYTHING], "--set", "monitoring.rules=ConfigMap")
    for path in (CHART / "rules").glob("*.yaml"):
        data = as_text.one("ConfigMap", f"{NAME}-rules-{path.stem}")["data"]
        assert data[path.name].strip() == path.read_text().strip()
    for path in (CHART / "dashboards").glob("*.json"):
        data = objects.one("ConfigMap", f"{NAME}-dashboard-{path.stem}")["data"]
        assert json.loads(data[path.name]) == json.loads(path.read_text())
    assert len(objects.of("PrometheusRule")) == len(rules)


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor", "PodMonitoring"])
def test_every_ops_port_is_read_and_says_which_program_it_is(helm_one: Helm, kind: str) -> None:
    objects = helm_one.template([EVERYTHING], "--set", f"monitoring.scrape={kind}", "--set", "kafka.metrics=false")
    read = {}
    for item in objects.of(kind):
        (endpoint,) = item["spec"].get("podMetricsEndpoints") or item["spec"]["endpoints"]
        program = item["metadata"]["name"].removeprefix(f"{NAME}-")
        read[program] = endpoint["port"]
        # Google takes the object's name as job.
        labels = [{"action": "replace", "targetLabel": "job", "replacement": program}]
        assert endpoint.get("relabelings") == (None if kind == "PodMonitoring" else labels)
    assert read == {"api": "ops", "grpc-server": "grpc-ops", "ws-redis": "ws-ops", "kafka-consumer": "ops"}


IMMUTABLE = {
    "Deployment": lambda spec: spec["selector"],
    "Service": lambda spec: spec.get("clusterIP"),
    "PodDisruptionBudget": lambda spec: spec["selector"],
    "KafkaNodePool": lambda spec: None,
}


def test_going_from_any_values_to_any_other_changes_nothing_immutable(helm_one: Helm) -> None:
    """A change of selector or clusterIP would make `helm upgrade` fail, or replace an object under load."""
    seen: dict[tuple[str, str], object] = {}
    variants = [(files, ()) for files in WAYS.values()]
    variants += [
        (PROD, ("--set", setting))
        for setting in ("image.tag=9.9.9", "api.nativeSidecars=false", "commonLabels.team=x", "api.podLabels.a=b")
    ]
    for files, more in variants:
        for item in helm_one.template(files, *more).items:
            if item["kind"] in IMMUTABLE:
                key = (item["kind"], item["metadata"]["name"])
                value = IMMUTABLE[item["kind"]](item["spec"])
                assert seen.setdefault(key, value) == value, key
    assert len(seen) > 8


def test_two_releases_fit_into_one_namespace(helm_one: Helm) -> None:
    names = [
        {
            (item["kind"], item["metadata"]["name"])
            for item in helm_one.template(PROD, "--set", more, release=release).items
        }
        for release, more in (("one", "kafka.name=one"), ("two", "kafka.enabled=false,kafka.bootstrap=one:9092"))
    ]
    assert not names[0] & names[1]
