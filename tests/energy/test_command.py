# SPDX-License-Identifier: Apache-2.0
"""Goal: ./mesh energy tells what a load cost, with the right label, from the right source, or says why not.

Method: the command itself on a running mesh, with no Kepler, with a fake one over HTTP, and with a program
that it has to start; its figures against arithmetic and against Kafka.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from conftest import Run
from fake_kepler import FakeKepler

from stack.mesh import Mesh
from stack.process import cpu_seconds
from tools.energy.account import processes

PROGRAMS = ["api", "grpc-server", "ws-redis", "kafka-consumer", "kafka", "redis", "mongodb"]
FIGURES = ("cpu_s", "joules", "gco2e")


def written(mesh: Mesh) -> int:
    consumer = Consumer({"bootstrap.servers": mesh.kafka.url, "group.id": "t"})
    try:
        partitions = [TopicPartition("messages", number) for number in range(mesh.options.partitions)]
        return sum(consumer.get_watermark_offsets(each, timeout=20)[1] for each in partitions)
    finally:
        consumer.close()


def spent(mesh: Mesh) -> dict[str, float]:
    return {name: sum(map(cpu_seconds, pids)) for name, pids in processes(mesh).items()}


def test_estimate_is_arithmetic_on_cpu_time(running: Mesh, energy: Run) -> None:
    events, cpu = written(running), spent(running)
    done = energy("--name", running.folder.name, "--seconds", "2", "--region", "europe-west1", "--pue", "1.25")
    assert done.code == 0, done.told
    used = {name: seconds - cpu[name] for name, seconds in spent(running).items()}
    figures = done.figures
    assert list(figures["programs"]) == PROGRAMS
    assert figures["events"] == written(running) - events > 0
    million = figures["events"] / 1e6
    for name, row in figures["programs"].items():
        assert 0 <= row["cpu_s"] <= used[name] + 1e-9, name  # what was spent before and after it is not in it
        assert row["joules"] == pytest.approx(row["cpu_s"] * 4.11 * 1.25)
        assert row["gco2e"] == pytest.approx(row["joules"] / 3.6e6 * 126.43)
        assert row["quality"] == "modelled" and "CPU seconds" in row["source"]
        for figure in FIGURES:
            assert row[f"{figure}_per_million_events"] == pytest.approx(row[figure] / million)
    for figure in FIGURES:
        parts = sum(row[figure] for row in figures["programs"].values())
        assert figures["total"][figure] == pytest.approx(parts) and parts > 0
    assert figures["total"]["quality"] == "modelled"
    assert figures["sci_gco2e_per_1000_events"] == pytest.approx(figures["total"]["gco2e_per_million_events"] / 1000)
    assert "estimated from CPU time" in done.told and "modelled" in done.out


def test_every_factor_has_its_source(running: Mesh, energy: Run) -> None:
    done = energy("--name", running.folder.name, "--seconds", "1", "--watts-per-vcpu", "7", "--embodied", "0.25")
    assert done.code == 0, done.told
    factors = done.figures["factors"]
    assert factors["watts_per_vcpu"] | {"unit": ""} == {
        "value": 7,
        "unit": "",
        "source": "given by --watts-per-vcpu",
        "date": "",
    }
    assert factors["pue"]["value"] == 1.1 and "Cloud Carbon Footprint" in factors["pue"]["source"]
    grid = factors["grid"]
    assert (grid["region"], grid["value"], grid["date"]) == ("us-central1", 431.95, "2025")
    assert "region-carbon-info" in grid["source"]
    total = done.figures["total"]
    assert total["joules"] == pytest.approx(total["cpu_s"] * 7 * 1.1)
    assert done.figures["sci_gco2e_per_1000_events"] == pytest.approx(total["gco2e_per_million_events"] / 1000 + 0.25)
    for word in ("given by --watts-per-vcpu", "Cloud Carbon Footprint", "431.95 gCO2e/kWh, us-central1", "2025"):
        assert word in done.out


def test_kepler_s_joules_are_taken_and_the_rest_is_modelled(running: Mesh, energy: Run, kepler: FakeKepler) -> None:
    joules = {name: 10.0 * (at + 1) for at, name in enumerate(PROGRAMS) if name != "kafka"}
    pids = {name: pid for name, [pid] in processes(running).items()}
    kepler.begin = {pids[name]: 5.0 for name in joules}
    kepler.spent = {pids[name]: spent for name, spent in joules.items()}
    done = energy("--name", running.folder.name, "--seconds", "1", KEPLER_URL=kepler.url)
    assert done.code == 0, done.told
    rows = done.figures["programs"]
    for name, spent in joules.items():
        assert rows[name]["joules"] == pytest.approx(spent * 1.1) and rows[name]["quality"] == "measured", name
        assert kepler.url in rows[name]["source"]
    assert rows["kafka"]["quality"] == "modelled" and "kafka is modelled: Kepler does not know process" in done.told
    assert rows["kafka"]["joules"] == pytest.approx(rows["kafka"]["cpu_s"] * 4.11 * 1.1)
    total = done.figures["total"]
    assert total["quality"] == "modelled", "one part of it is"
    assert total["joules"] == pytest.approx(1.1 * sum(joules.values()) + rows["kafka"]["joules"])


def test_a_kepler_with_a_fake_meter_is_labelled_fake(running: Mesh, energy: Run, kepler: FakeKepler) -> None:
    kepler.begin = {pid: 5.0 for [pid] in processes(running).values()}
    kepler.spent = {pid: 30.0 for pid in kepler.begin}
    arguments = ("--name", running.folder.name, "--seconds", "1", "--only", "api,redis", "--fake-meter")
    done = energy(*arguments, KEPLER_URL=f"{kepler.url}/metrics")
    assert done.code == 0, done.told
    assert list(done.figures["programs"]) == ["api", "redis"]
    assert done.figures["total"]["quality"] == "fake"
    assert done.figures["total"]["joules"] == pytest.approx(2 * 30 * 1.1)


def test_a_kepler_program_is_started_on_a_meter_of_files(running: Mesh, energy: Run, tmp_path: Path) -> None:
    here = Path(__file__).parent
    program = tmp_path / "kepler"
    program.write_text(
        f'#!/bin/sh\nexport PYTHONPATH="$PYTHONPATH:{here}"\nexec {sys.executable} {here}/kepler_program.py "$@"\n'
    )
    program.chmod(0o755)
    done = energy("--name", running.folder.name, "--events", "300", KEPLER=str(program))
    assert done.code == 0, done.told
    assert done.figures["events"] == 300 and "(label fake)" in done.told
    for name, row in done.figures["programs"].items():
        assert row["quality"] in ("fake", "modelled"), name
        if row["cpu_s"] > 0:
            assert row["joules"] > 0, name
    assert done.figures["total"]["quality"] == "fake"
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(program).encode() in read(path)]
    assert not left, "it goes on running"


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_kepler_that_is_not_there_is_an_error(running: Mesh, energy: Run) -> None:
    done = energy("--name", running.folder.name, "--seconds", "1", KEPLER_URL="http://127.0.0.1:9")
    assert done.code == 1 and "no Kepler at http://127.0.0.1:9/metrics" in done.told
    assert not done.figures and "Traceback" not in done.told


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--region", "us-centrl1"), "did you mean us-central1"),
        (("--pue", "0.9"), "--pue is at least 1"),
        (("--watts-per-vcpu", "0"), "--watts-per-vcpu is above 0"),
        (("--watts-per-vcpu", "nan"), "--watts-per-vcpu is above 0"),
        (("--embodied", "-1"), "--embodied is at least 0"),
        (("--seconds", "0"), "--seconds is above 0"),
        (("--events", "-5"), "--events is above 0"),
    ],
)
def test_misuse_ends_with_2_and_says_what_is_wrong(energy: Run, arguments: tuple[str, ...], why: str) -> None:
    done = energy(*arguments, "--name", f"no-such-mesh-{os.getpid()}")
    assert done.code == 2 and why in done.told and not done.out and "Traceback" not in done.told


def test_an_unknown_program_is_told_with_those_there_are(running: Mesh, energy: Run) -> None:
    done = energy("--name", running.folder.name, "--only", "kafak")
    assert done.code == 1 and "no program is called kafak; there are api, grpc-server" in done.told


def test_regions_are_listed_with_value_and_source(energy: Run) -> None:
    done = energy("--regions")
    assert done.code == 0 and "europe-west6" in done.out and "Zürich" in done.out
    assert "21.20 gCO2e/kWh" in done.out and "region-carbon-info, 2025" in done.out
