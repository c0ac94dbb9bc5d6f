# SPDX-License-Identifier: Apache-2.0
"""values.yaml: each value is described, does something, and refuses what does not fit in clear words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

import pytest
import yaml
from deploy.rendering import CHART, EVERYTHING, Helm, RenderError

TEXT = (CHART / "values.yaml").read_text()
VALUES = yaml.safe_load(TEXT)
SCHEMA = json.loads((CHART / "values.schema.json").read_text())

# What a value is set to, where "another of its type" does not do.
OTHER: dict[str, object] = {
    "commonLabels": {"team": "data"},
    "image.digests": {"api": "sha256:" + "0" * 64},
    "image.pullSecrets": ["registry"],
    "image.pullPolicy": "Always",
    "streams.packaged": False,
    "streams.files": {"orders.json": '{"stream": "orders", "topic": "orders"}'},
    "api.settings": {"LOG_LEVEL": "debug"},
    "grpcServer.settings": {"GRPC_THREADS": 2},
    "wsRedis.settings": {"VIEWERS_MAX": 5},
    "consumer.settings": {"BATCH_LEN_MAX": 10},
    "audit.settings": {"MEMORY_MB_MAX": 100},
    "api.service.type": "NodePort",
    "redis.url": "rediss://elsewhere:6379/0",
    "mongodb.uri": "mongodb://elsewhere:27017",
    "kafka.bootstrap": "elsewhere:9092",
    "kafka.version": "4.3.1",
    "kafka.authentication": "none",
    "kafka.controllers.replicas": 5,
    "kafka.controllers.heap": "700m",
    "kafka.brokers.replicas": 4,
    "kafka.brokers.heap": "700m",
    "kafka.controllers.storage": "7Gi",
    "kafka.brokers.storage": "7Gi",
    "kafka.config": {"log.segment.bytes": 1048576},
    "ingress.ip": "198.51.100.1",
    "ingress.host": "tweets.example.org",
    "ingress.liveHost": "see.example.org",
    "gateway.host": "tweets.example.org",
    "gateway.liveHost": "see.example.org",
    "certificates.issuerKind": "ClusterIssuer",
    "hpa.behavior": {"scaleDown": {"stabilizationWindowSeconds": 7}},
    "tracing.endpoint": "https://otlp.example.org/otlp",
    "tracing.sampler": "traceidratio",
    "tracing.samplerArgument": 0.25,
    "tracing.settings": {"OTEL_BSP_SCHEDULE_DELAY": 100},
    "topologySpread.whenUnsatisfiable": "DoNotSchedule",
    "networkPolicy.extraEgress": [{"ports": [{"port": 4317, "protocol": "TCP"}]}],
    "monitoring.scrape": "ServiceMonitor",
    "monitoring.rules": "ConfigMap",
    "monitoring.dashboards": False,
    "audit.cron.schedule": "@daily",
}
PEERS = [{"podSelector": {"matchLabels": {"app": "other"}}}]
# Where everything.yaml, which switches all on, hides a value: what must be set first.
FIRST: dict[str, dict] = {
    "streams.packaged": {"streams": {"files": {"a.json": '{"topic": "a"}'}}},
    "api.replicas": {"hpa": {"enabled": False}},
    "consumer.replicas": {"keda": {"enabled": False}},
    "gateway.className": {},
    "gateway.namespace": {"gateway": {"name": "shared"}},
    "kafka.minInSyncReplicas": {},
    "monitoring.dashboards": {},
}
LOWER = {"kafka.replicationFactor": 2, "kafka.minInSyncReplicas": 1}


def leaves(values: dict = VALUES, path: str = "") -> Iterator[tuple[str, object]]:
    """Each value that has a meaning of its own: what is described as a whole counts as one."""
    for name, value in values.items():
        here = f"{path}.{name}".lstrip(".")
        if isinstance(value, dict) and value and not described(here):
            yield from leaves(value, here)
        else:
            yield here, value


def described(path: str) -> bool:
    """Whether a comment of helm-docs (`# -- `) is just above the value, or on the lines above that."""
    depth, pattern = 0, r"(?m)^"
    lines = TEXT.splitlines()
    wanted = path.split(".")
    stack: list[str] = []
    for number, line in enumerate(lines):
        found = re.match(r"( *)([A-Za-z]\w*):", line)
        if not found:
            continue
        depth = len(found[1]) // 2
        stack = [*stack[:depth], found[2]]
        if stack == wanted:
            return bool(re.match(r" *# -- \S.*[.!?]$", lines[number - 1]))
    raise AssertionError(f"{path} is not in values.yaml: {pattern}")


LEAVES = dict(leaves())


def another(path: str, value: object) -> object:
    if path in OTHER:
        return OTHER[path]
    if path in LOWER:
        return LOWER[path]
    if isinstance(value, bool):
        return None  # everything.yaml decides: its opposite
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return (value + "x") if not value or value[-1].isalpha() else value + "1"
    if isinstance(value, list):
        return PEERS if path.startswith("networkPolicy") else [{"key": "spot", "operator": "Exists"}]
    if path.endswith("resources"):
        return {"requests": {"cpu": "11m", "memory": "99Mi"}, "limits": {"cpu": "3", "memory": "999Mi"}}
    if path.endswith("affinity"):
        return {"nodeAffinity": {}}
    return {"a": "b"}


def nested(path: str, value: object) -> dict:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def merged(one: dict, other: dict) -> dict:
    out = dict(one)
    for name, value in other.items():
        out[name] = merged(out[name], value) if isinstance(value, dict) and isinstance(out.get(name), dict) else value
    return out


def at(values: dict, path: str) -> object:
    for name in path.split("."):
        values = values[name]
    return values


@pytest.fixture(scope="module")
def rendered(helm_one: Helm, tmp_path_factory: pytest.TempPathFactory):
    """rendered(values) → text, remembering what was rendered."""
    folder = tmp_path_factory.mktemp("values")
    known: dict[str, str] = {}

    def render(values: dict) -> str:
        key = json.dumps(values, sort_keys=True)
        if key not in known:
            path = folder / "values.json"
            path.write_text(key)
            known[key] = helm_one.template([EVERYTHING, path]).text
        return known[key]

    return render


@pytest.mark.parametrize("path", LEAVES)
def test_each_value_changes_what_is_rendered(rendered, counts: Counter[str], path: str) -> None:
    first = FIRST.get(path, {})
    value = another(path, LEAVES[path])
    if value is None:
        all_on = merged(VALUES, yaml.safe_load(EVERYTHING.read_text()))
        value = not at(all_on, path)
    assert rendered(first) != rendered(merged(first, nested(path, value))), f"{path}={value!r} changes nothing"
    counts["values that change the rendering"] += 1


@pytest.mark.parametrize("path", LEAVES)
def test_each_value_is_described(path: str) -> None:
    assert described(path), f"no sentence (`# -- …`) above {path} in values.yaml"


def properties(schema: dict, path: str = "") -> Iterator[str]:
    for name, sub in schema.get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        target = SCHEMA["$defs"][sub["$ref"].rsplit("/", 1)[-1]] if "$ref" in sub else sub
        if target.get("properties") and here not in LEAVES:
            yield from properties(target, here)
        else:
            yield here


def test_schema_and_values_name_the_same_things() -> None:
    assert set(properties(SCHEMA)) - {"global"} == set(LEAVES)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("api.replica=3", "replica"),
        ("api.replicas=many", "api/replicas"),
        ("api.settings.LOG_LEVEL=loud", "LOG_LEVEL"),
        ("api.settings.HTTP_PORT=80", "HTTP_PORT"),
        ("api.settings.CONNECTIONS_MAX=0", "CONNECTIONS_MAX"),
        ("consumer.settings.NO_SUCH=1", "NO_SUCH"),
        ("api.preStopSeconds=0", "preStopSeconds"),
        ("image.digests.api=latest", "digests/api"),
        ("kafka.authentication=plain", "kafka/authentication"),
        ("kafka.controllers.replicas=2", "kafka/controllers/replicas"),
        ("kafka.brokers.heap=1.5g", "heap"),
        ("kafka.bootstrap=host", "kafka/bootstrap"),
        ("kafka.config.unclean\\.leader\\.election\\.enable=true", "unclean"),
        ("redis.url=redis://:secret@redis:6379/0", "redis/url"),
        ("mongodb.uri=mongodb://me:secret@mongodb", "mongodb/uri"),
        ("tracing.endpoint=collector:4318", "tracing/endpoint"),
        ("tracing.endpoint=https://me:secret@collector", "tracing/endpoint"),
        ("tracing.sampler=often", "tracing/sampler"),
        ("tracing.samplerArgument=2", "tracing/samplerArgument"),
        ("tracing.samplerArgument=1.5", "tracing/samplerArgument"),
        ("tracing.settings.OTEL_EXPORTER_OTLP_HEADERS=key=secret", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("tracing.settings.OTEL_BSP_MAX_QUEUE_SIZE=0", "OTEL_BSP_MAX_QUEUE_SIZE"),
        ("ingress.host=Bad_Host", "ingress/host"),
        ("ingress.ip=::1", "ingress/ip"),
        ("monitoring.scrape=all", "monitoring/scrape"),
        ("audit.cron.schedule=often", "schedule"),
        ("networkPolicy.redis.port=0", "networkPolicy/redis/port"),
        ("hpa.cpuPercent=0", "cpuPercent"),
        ("api.resources.requests.cpu=fast", "cpu"),
    ],
)
def test_the_schema_refuses_a_wrong_value_and_names_it(helm: Helm, setting: str, words: str) -> None:
    with pytest.raises(RenderError) as refused:
        helm.template([], "--set", setting)
    said = str(refused.value).replace(".", "/")
    assert "schema" in said and words.replace(".", "/") in said, said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["kafka.minInSyncReplicas=2"], "nothing could ever be acknowledged"),
        (["kafka.replicationFactor=3"], "above brokers.replicas"),
        (["ingress.enabled=true"], "give ingress.host, or ingress.ip"),
        (["hpa.enabled=true", "hpa.minReplicas=30"], "minReplicas is above maxReplicas"),
        (["streams.packaged=false"], "there is no stream"),
        (["redis.user=me"], "redis.secret.name"),
        (["redis.ca.name=ca"], "unless redis.url begins with rediss://"),
        (["mongodb.user=me"], "go together"),
        (["tracing.headers.name=key"], "tracing.headers.name means nothing without tracing.endpoint"),
    ],
)
def test_values_that_contradict_each_other_are_refused_in_words(helm: Helm, settings: list[str], words: str) -> None:
    with pytest.raises(RenderError, match=re.escape(words)):
        helm.template([], *[part for setting in settings for part in ("--set", setting)])


def test_a_file_that_is_no_stream_is_refused(helm: Helm) -> None:
    with pytest.raises(RenderError, match="orders.json is no stream"):
        helm.template([], "--set-string", "streams.files.orders\\.json=[]")
