# SPDX-License-Identifier: Apache-2.0
"""Goal: a volume that is nearly full raises DiskNearlyFull, a program near its memory limit MemoryNearLimit, until each
has room again.

Method: a real kubelet with containerd runs a pod of Redis and our ws-redis; Redis' data is on a local volume, which is
a small disk. A real Prometheus reads the kubelet as it does in a cluster, with the real rule files and shorter times.
The disk is filled, at once or at a pace. The limit of ws-redis is lowered, while it runs, to a little more than what
the kubelet says it uses.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from beside import ALWAYS, expect_quiet, raised_and_cleared, shorter_rules
from foreign import METRICS, OF_A_NODE
from kubelet_pod import CLAIM, NAMESPACE, NODE, OURS, POD, PROGRAM, REDIS, ROOMY, Pod
from prometheus import Watch
from rulefiles import ALERTS, metrics_in, rules
from support.tested import build_folder
from support.waiting import wait_for

from stack.cgroups import memory_is_limited
from stack.disk import MIB, Disk
from stack.kubernetes import TOKEN, Cluster
from stack.node import SANDBOX, Node
from stack.oci import write_image
from stack.prometheus import seconds

DISK_MIB = 64
STEP_BYTES, STEP_S = 128 << 10, 0.5  # of a file that grows
SCRAPE_S = 1
NEAR = 0.95  # of its limit; the alert wants 0.9
USED = f'container_memory_working_set_bytes{{container="{PROGRAM}"}}'

# Whoever comes first waits for a compiler when nothing is cached yet.
pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not memory_is_limited(), reason="no cgroup here can limit memory"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kubelet")


@pytest.fixture(scope="module")
def images(folder: Path) -> list[Path]:
    """Archives of what the pod is made of."""
    wanted = {
        "pause": (Path("/usr/bin/sleep"), SANDBOX, "infinity"),
        "redis": (Path("/usr/bin/redis-server"), REDIS),
        PROGRAM: (build_folder() / PROGRAM / PROGRAM, OURS),
    }

    def write(name: str) -> Path:
        (folder / name).mkdir()
        program, image, *arguments = wanted[name]
        return write_image(program, image, folder / name, *arguments)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(write, wanted))


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Cluster]:
    with Cluster(folder / "cluster", played=False) as running:
        yield running


@pytest.fixture(scope="module")
def disk(folder: Path) -> Iterator[Disk]:
    """Of the volume."""
    (folder / "disk").mkdir()
    disk = Disk(folder / "disk", DISK_MIB, folder / "disk.log")
    disk.mount()
    yield disk
    disk.unmount()


@pytest.fixture(scope="module")
def node(folder: Path, cluster: Cluster, disk: Disk, images: list[Path]) -> Iterator[Node]:
    (folder / "node").mkdir()
    node = Node(NODE, folder / "node", cluster)
    node.start(images, disk.enter())
    yield node
    node.stop()


@pytest.fixture(scope="module")
def pod(cluster: Cluster, node: Node, disk: Disk) -> Pod:
    pod = Pod(cluster)
    pod.start(str(disk.folder), DISK_MIB * MIB)
    return pod


@pytest.fixture(scope="module")
def prometheus(folder: Path, node: Node, pod: Pod) -> Iterator[Watch]:
    """Reads the kubelet over TLS, known to it by a token, and trusts the times that the kubelet gives."""
    common = {
        "scheme": "https",
        "authorization": {"credentials": TOKEN},
        "tls_config": {"insecure_skip_verify": True},
        "honor_labels": True,
        "scrape_interval": seconds(SCRAPE_S),
        "static_configs": [{"targets": [node.url.removeprefix("https://")]}],
    }
    jobs = [
        common | {"job_name": "kubelet", "metrics_path": "/metrics"},
        common | {"job_name": "cadvisor", "metrics_path": "/metrics/cadvisor"},
    ]
    prometheus = Watch(folder / "prometheus", {}, shorter_rules(), SCRAPE_S, jobs)
    try:
        wait_for("the kubelet is scraped", lambda: prometheus.targets_up() == len(jobs))
        yield prometheus
    finally:
        prometheus.stop()


class Growing:
    """A file on the disk that grows, and fills it within far less time than the alert looks ahead."""

    def __init__(self, disk: Disk) -> None:
        self._file = disk.path / "growing"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        with self._file.open("wb") as file:
            for _ in range(DISK_MIB * MIB // 2 // STEP_BYTES):  # half of the disk at most
                file.write(bytes(STEP_BYTES))
                file.flush()
                if self._stop.wait(STEP_S):
                    break

    def undo(self) -> None:
        self._stop.set()
        self._thread.join()
        self._file.unlink()


def test_the_kubelet_shows_what_the_rules_read_of_it_and_nothing_fires(prometheus: Watch) -> None:
    read = {name for rule in rules(ALERTS) if rule.name in OF_A_NODE for name in metrics_in(rule.expr)}
    assert read <= set(METRICS)
    for name in sorted(read):
        wait_for(f"{name} of the pod", lambda name=name: prometheus.has_samples(f'{name}{{namespace="{NAMESPACE}"}}'))
    wait_for("nothing of ours is watched", lambda: set(prometheus.firing()) == ALWAYS)
    expect_quiet(prometheus)


def test_a_disk_that_is_full_is_told_by_what_the_kubelet_shows(prometheus: Watch, disk: Disk) -> None:
    alert = raised_and_cleared(prometheus, "DiskNearlyFull", "the disk of a volume is full", disk.fill, disk.free)
    names = {name: alert["labels"][name] for name in ("namespace", "persistentvolumeclaim")}
    assert names == {"namespace": NAMESPACE, "persistentvolumeclaim": CLAIM}
    assert CLAIM in alert["annotations"]["summary"]
    assert 0 <= float(alert["value"]) < 0.1, "it is the share that is free"


def test_a_disk_that_will_be_full_is_told_by_what_the_kubelet_shows(prometheus: Watch, disk: Disk) -> None:
    growing = Growing(disk)
    fault = "the disk of a volume fills up"
    alert = raised_and_cleared(prometheus, "DiskNearlyFull", fault, growing.start, growing.undo)
    assert alert["labels"]["persistentvolumeclaim"] == CLAIM
    assert float(alert["value"]) < 0, "it is what will be missing; there is room enough now"


def test_a_program_near_its_memory_limit_is_told_by_what_the_kubelet_shows(prometheus: Watch, pod: Pod) -> None:
    def no_room() -> None:
        (used,) = wait_for("the kubelet says what it uses", lambda: prometheus.samples(USED))
        pod.limit(str(int(float(used["value"][1]) / NEAR)))

    fault = f"{PROGRAM} near its memory limit"
    alert = raised_and_cleared(prometheus, "MemoryNearLimit", fault, no_room, lambda: pod.limit(ROOMY))
    names = {name: alert["labels"][name] for name in ("namespace", "pod", "container")}
    assert names == {"namespace": NAMESPACE, "pod": POD, "container": PROGRAM}
    assert f"{POD}/{PROGRAM} uses 9" in alert["annotations"]["description"], alert["annotations"]
    assert pod.restarts() == 0, "the kernel has ended a program"
