# SPDX-License-Identifier: Apache-2.0
"""Goal: compose.yaml and docker-bake.hcl say what is so: the specification accepts them, what they name is there, and
what is said in several places is the same.

Method: the loader of the Compose specification itself reads compose.yaml, and its result is compared with the
Dockerfile, the programs' own tables and the files of the project.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from images.containers import ran
from stack.go_tools import compose_loader
from support.streams import PROJECT
from tools.mesh.images import EPOCH, PROGRAMS, Engine, version

OURS = "tweetmesh/"


def load(file: Path) -> subprocess.CompletedProcess[str]:
    command = [str(compose_loader()), "--format", "json", str(file)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def services() -> dict[str, dict]:
    loaded = load(PROJECT / "compose.yaml")
    assert loaded.returncode == 0, loaded.stderr
    return json.loads(loaded.stdout)["services"]


def test_the_loader_refuses_what_the_specification_does_not_know(tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text((PROJECT / "compose.yaml").read_text().replace("cap_drop:", "cap_dropp:", 1))
    loaded = load(broken)
    assert loaded.returncode != 0
    assert "cap_dropp" in loaded.stderr


def test_all_programs_and_what_they_stand_on_are_there(services: dict[str, dict]) -> None:
    assert set(services) >= {*PROGRAMS, "kafka", "topics", "redis", "mongo", "prometheus", "grafana", "locust"}


def test_every_image_is_pinned_to_a_version(services: dict[str, dict]) -> None:
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), f"{name}: {service['image']}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_our_programs_are_built_here_and_confined(services: dict[str, dict], program: str) -> None:
    service = services[program]
    assert service["image"] == f"{OURS}{program}:{version()}"
    assert service["build"]["target"] == program
    assert Path(service["build"]["context"]) == PROJECT
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_setting_is_one_that_the_program_knows(services: dict[str, dict], engine: Engine, program: str) -> None:
    known = {option["name"] for option in json.loads(ran(engine, program, "--options").stdout)["options"]}
    settings = services[program].get("environment", {})
    assert set(settings) <= known
    options = [f"--env={name}={value}" for name, value in settings.items()]
    options += [f"--volume={mount['source']}:{mount['target']}:ro" for mount in services[program]["volumes"]]
    checked = ran(engine, program, "--check-config", options=options)
    assert checked.returncode == 0, checked.stderr


def test_every_file_that_is_mounted_exists(services: dict[str, dict]) -> None:
    mounted = [mount["source"] for s in services.values() for mount in s.get("volumes", []) if mount["type"] == "bind"]
    assert len(mounted) > len(PROGRAMS)
    assert [source for source in mounted if not Path(source).exists()] == []


def test_every_port_is_published_on_loopback_alone_and_once(services: dict[str, dict]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    published = [port["published"] for port in ports]
    assert len(set(published)) == len(published)


def test_the_programs_ports_are_those_that_the_dockerfile_exposes(services: dict[str, dict]) -> None:
    stages = re.split(r"^FROM runtime AS ", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    exposed = {s.split("\n")[0]: set(re.findall(r"\d+", "".join(re.findall(r"^EXPOSE (.*)", s, re.M)))) for s in stages}
    assert set(exposed) == set(PROGRAMS)
    for program, ports in exposed.items():
        assert {str(port["target"]) for port in services[program].get("ports", [])} == ports


def test_the_topics_of_all_streams_are_made(services: dict[str, dict]) -> None:
    script = "".join(services["topics"]["command"])
    for path in (PROJECT / "streams").glob("*.json"):
        topic = json.loads(path.read_text())["topic"]
        assert re.search(rf"create {topic} \d", script) and f"create {topic}.dlq " in script


def test_prometheus_scrapes_the_ops_port_of_each_program(services: dict[str, dict]) -> None:
    config = PROJECT / "compose/prometheus.yml"
    checked = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", str(config)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    targets = {
        t
        for job in yaml.safe_load(config.read_text())["scrape_configs"]
        for s in job["static_configs"]
        for t in s["targets"]
    }
    ops = {"api": 8081, "grpc-server": 8082, "ws-redis": 8083, "kafka-consumer": 8084}
    assert targets == {f"{program}:{port}" for program, port in ops.items()}


def test_grafana_finds_its_sources_and_dashboards(services: dict[str, dict]) -> None:
    """The dashboards name the data sources by the uids that are provisioned, or by variables."""
    provided = yaml.safe_load((PROJECT / "compose/grafana/datasources/tweetmesh.yaml").read_text())["datasources"]
    assert {source["type"] for source in provided} == {"prometheus", "redis-datasource"}
    assert services["grafana"]["environment"]["GF_PLUGINS_PREINSTALL_SYNC"] == "redis-datasource"
    uids = {source["uid"] for source in provided} | {"-- Grafana --", "grafana", "-- Mixed --"}
    dashboards = list((PROJECT / "helm/tweetmesh/dashboards").glob("*.json"))
    assert dashboards
    for path in dashboards:
        named = set(re.findall(r'"datasource":\s*\{[^}]*"uid":\s*"([^"$]+)"', path.read_text()))
        assert named <= uids, f"{path.name}: {named - uids}"
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).name
    assert home in {path.name for path in dashboards}


def test_kafka_is_the_version_that_the_stack_is_tested_with(services: dict[str, dict]) -> None:
    tested = re.search(r"<kafka.version>(.*)</kafka.version>", (PROJECT / "stack/kafka-pom.xml").read_text())[1]
    assert services["kafka"]["image"] == services["topics"]["image"] == f"apache/kafka:{tested}"


@pytest.mark.parametrize("file", ["Dockerfile", "docker-bake.hcl", "compose.yaml"])
def test_the_version_is_the_same_everywhere(file: str) -> None:
    text = (PROJECT / file).read_text()
    patterns = {
        "Dockerfile": r"^ARG VERSION=(\S+)",
        "docker-bake.hcl": r'variable "VERSION" \{ default = "([^"]+)"',
        "compose.yaml": r"TWEETMESH_VERSION:-([^}]+)\}",
    }
    assert set(re.findall(patterns[file], text, re.MULTILINE)) == {version()}


def test_the_time_of_all_files_is_the_same_everywhere() -> None:
    assert f"ARG SOURCE_DATE_EPOCH={EPOCH}\n" in (PROJECT / "Dockerfile").read_text()
    assert f'variable "SOURCE_DATE_EPOCH" {{ default = "{EPOCH}" }}' in (PROJECT / "docker-bake.hcl").read_text()


def test_bake_builds_the_targets_of_the_dockerfile() -> None:
    bake = (PROJECT / "docker-bake.hcl").read_text()
    assert tuple(re.findall(r'"([\w-]+)"', re.search(r"program = \[(.*)\]", bake)[1])) == PROGRAMS
    arguments = set(re.findall(r"^ARG (\w+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^    (\w+) +=", re.search(r"args = \{(.*?)\n  \}", bake, re.DOTALL)[1], re.M)) == arguments
