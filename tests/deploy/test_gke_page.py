# SPDX-License-Identifier: Apache-2.0
"""docs/manuals/gke.md, word by word.

Goal: who types the page's commands gets on. Method: every block of commands is run as it
stands, in order, against a real control plane; but for those above which a sentence in italics says what they need
that is not here.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack import kube_tools
from stack.kubernetes import Cluster
from stack.mesh import PROJECT

PAGE = (PROJECT / "docs/manuals/gke.md").read_text()
REASON = re.compile(r"\*((?:Needs|Fetches) [^*]*)\*")
# Only this may not be run.
ELSEWHERE = re.compile(
    r"gcloud|docker|oci://|--repo |port-forward|rollout status statefulset|\$ADDRESS\.nip|values-gke|helm test"
)


@dataclass(frozen=True)
class Block:
    number: int
    commands: str
    reason: str | None  # why it is not run here


def blocks() -> Iterator[Block]:
    parts = re.split(r"(?ms)^```sh\n(.*?)^```\n", PAGE)
    for number in range(1, len(parts), 2):
        reason = REASON.search(parts[number - 1])
        yield Block(number // 2 + 1, parts[number], reason[1] if reason else None)


def count_commands(text: str) -> int:
    return len([line for line in text.replace("\\\n", "").splitlines() if line.strip() and not line.startswith("#")])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["helm3", "helm4"])
def test_every_command_of_the_page_works_or_says_why_it_needs_the_cloud(
    tmp_path: Path, crd_folder: Path, counts: Counter[str], version: str
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "helm").symlink_to(getattr(kube_tools, version)())
    with Cluster(tmp_path / "cluster") as cluster:
        (tools / "kubectl").symlink_to(cluster.programs / "kubectl")
        cluster.kubectl("apply", "--server-side", "-f", crd_folder)  # what step 5's operator brings, among others
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")
        environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "KUBECONFIG": str(cluster.kubeconfig),
            "HOME": str(tmp_path),
            "ADDRESS": "203.0.113.9",
        }
        exported = ""
        for block in blocks():
            if block.reason:
                counts["commands of the GKE page that need the cloud"] += count_commands(block.commands)
                continue
            script = f"set -euo pipefail\n{exported}\n{block.commands}"
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=PROJECT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=400,
            )
            assert done.returncode == 0, f"block {block.number}:\n{block.commands}\n{done.stdout}{done.stderr}"
            exported += "".join(re.findall(r"(?m)^export .*\n", block.commands))
            counts["commands of the GKE page run"] += count_commands(block.commands)


def test_only_what_cannot_be_run_here_is_left_out() -> None:
    found = list(blocks())
    assert sum(block.reason is None for block in found) >= 10
    for block in found:
        if block.reason:
            assert ELSEWHERE.search(block.commands) or "kubectl -n project wait kafka" in block.commands, block.commands


def test_the_page_names_files_that_exist() -> None:
    for name in set(re.findall(r"(?<![\w/.-])((?:k8s|helm|locust|tools|docs)/[\w./-]*\w)", PAGE)):
        assert (PROJECT / name).exists() or (PROJECT / "docs" / name).exists(), name
