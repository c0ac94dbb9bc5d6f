# SPDX-License-Identifier: Apache-2.0
"""Tracing: one endpoint turns it on everywhere; each program has its way to the collector, who sends nothing none."""

from __future__ import annotations

import pytest
from deploy.rendering import EVERYTHING, Helm, Objects, containers, environment
from support.edges import Edge, named_edges

NAME = "mesh1-tweetmesh"
ENDPOINT = "tracing.endpoint=http://collector.monitoring:4318"
PODS = {"api": "api", "grpc-server": "api", "ws-redis": "api", "kafka-consumer": "kafka-consumer"}


def programs(objects: Objects) -> dict[str, dict[str, object]]:
    """The environment of each, and of the audit."""
    return {name: environment(one) for pod in objects.pods().values() for name, one in containers(pod).items()}


def traces(objects: Objects) -> dict[str, dict[str, object]]:
    """What each program is told about traces."""
    return {
        program: {name: value for name, value in settings.items() if name.startswith("OTEL_")}
        for program, settings in programs(objects).items()
    }


def ways(objects: Objects) -> dict[str, Edge]:
    """The edges to a collector, by the program that they are named after."""
    found = {name: edge for name, edge in named_edges(objects.of("NetworkPolicy")) if name.endswith("-to-collector")}
    return {name.removeprefix(f"{NAME}-").removesuffix("-to-collector"): edge for name, edge in found.items()}


def mounted_secrets(objects: Objects, pod: str) -> set[str]:
    """Names of the Secrets that a Deployment's pods get."""
    volumes = objects.one("Deployment", f"{NAME}-{pod}")["spec"]["template"]["spec"]["volumes"]
    sources = [source for volume in volumes for source in volume.get("projected", {}).get("sources", [])]
    return {source["secret"]["name"] for source in sources}


def test_without_an_endpoint_there_is_neither_a_setting_nor_an_edge(helm_one: Helm) -> None:
    objects = helm_one.template([])
    assert not any(traces(objects).values()) and not ways(objects)


def test_an_endpoint_turns_traces_on_in_all_four_programs(helm: Helm) -> None:
    sampled = ("--set", "tracing.sampler=parentbased_traceidratio", "--set", "tracing.samplerArgument=0.01")
    told = traces(helm.template([], "--set", ENDPOINT, *sampled))
    assert told.pop("audit") == {}
    assert told.keys() == PODS.keys()
    for settings in told.values():
        assert settings == {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.monitoring:4318",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.01",
        }


@pytest.mark.parametrize("share", ["0", "1", "0.5", '"0.5"'])
def test_a_share_is_handed_on_as_it_is_written_as_number_and_as_text(helm: Helm, share: str) -> None:
    told = traces(helm.template([], "--set", ENDPOINT, "--set-json", f"tracing.samplerArgument={share}"))
    assert {told[program]["OTEL_TRACES_SAMPLER_ARG"] for program in PODS} == {share.strip('"')}


def test_a_programs_own_setting_wins_also_where_it_is_false_or_empty(helm: Helm) -> None:
    of_all = (
        "--set",
        ENDPOINT,
        "--set-json",
        'tracing.settings={"OTEL_SDK_DISABLED": true, "OTEL_BSP_SCHEDULE_DELAY": 9}',
    )
    own = ("--set-json", 'api.settings={"OTEL_SDK_DISABLED": false, "OTEL_TRACES_SAMPLER_ARG": ""}')
    objects = helm.template([], *of_all, "--set", "tracing.samplerArgument=0.5", *own)
    told = traces(objects)
    assert (told["api"]["OTEL_SDK_DISABLED"], told["ws-redis"]["OTEL_SDK_DISABLED"]) == ("false", "true")
    assert (told["api"]["OTEL_TRACES_SAMPLER_ARG"], told["ws-redis"]["OTEL_TRACES_SAMPLER_ARG"]) == ("", "0.5")
    assert {told[program]["OTEL_BSP_SCHEDULE_DELAY"] for program in PODS} == {"9"}
    assert ways(objects).keys() == {"api"}


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://collector.monitoring:4318", 4318),
        ("http://collector", 80),
        ("https://otlp.example.org/otlp/", 443),
        ("https://otlp.example.org:8443/otlp", 8443),
        ("https://[2001:db8::1]:4318", 4318),
        ("https://[2001:db8::4318]", 443),
    ],
)
def test_each_program_has_an_edge_to_the_collector_at_the_port_of_its_url(helm_one: Helm, url: str, port: int) -> None:
    objects = helm_one.template([], "--set", f"tracing.endpoint={url}")
    assert ways(objects) == {program: ("egress", pod, (port,)) for program, pod in PODS.items()}


def test_the_edge_follows_a_program_that_sends_elsewhere(helm_one: Helm) -> None:
    own = "consumer.settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://elsewhere/v1/traces"
    edges = ways(helm_one.template([], "--set", ENDPOINT, "--set", own))
    assert edges["kafka-consumer"] == ("egress", "kafka-consumer", (443,))
    assert edges["api"] == ("egress", "api", (4318,))


def test_who_sends_no_spans_has_no_edge_and_does_not_get_the_headers(helm_one: Helm) -> None:
    on = helm_one.template([EVERYTHING])
    off = helm_one.template([EVERYTHING], "--set", "consumer.settings.OTEL_SDK_DISABLED=true")
    assert ways(on).keys() - ways(off).keys() == {"kafka-consumer"}
    assert mounted_secrets(on, "kafka-consumer") - mounted_secrets(off, "kafka-consumer") == {"collector-headers"}
    assert "OTEL_EXPORTER_OTLP_HEADERS_FILE" not in traces(off)["kafka-consumer"]
    assert "collector-headers" in mounted_secrets(off, "api")


def test_peers_of_the_collector_are_those_of_each_edge_to_it(helm_one: Helm) -> None:
    peers = '[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]'
    objects = helm_one.template([], "--set", ENDPOINT, "--set-json", f"networkPolicy.collector.peers={peers}")
    to = [objects.one("NetworkPolicy", f"{NAME}-{program}-to-collector")["spec"]["egress"][0]["to"] for program in PODS]
    assert to == [[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]] * 4
