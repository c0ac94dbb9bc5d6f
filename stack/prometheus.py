# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus on loopback: scrapes what it is told, and evaluates rule files."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from stack.component import Component, Home
from stack.process import StackError, poll_until

ANSWER_SECONDS = 20
RELOAD_SECONDS = 30


def seconds(value: float) -> str:
    return f"{round(value * 1000)}ms"


class Prometheus(Component):
    """targets: {job: ["127.0.0.1:port"]}; more: scrape_configs with static_configs, for what is not plain HTTP.

    Threads: the one that made it.
    """

    usual_ports = {"http": 9090}

    def __init__(
        self,
        home: Home,
        targets: Mapping[str, Sequence[str]],
        rules: Sequence[Path],
        *,
        scrape_s: float = 1,
        evaluation_s: float = 1,
        more: Sequence[dict] = (),
    ) -> None:
        super().__init__("prometheus", home)
        self.targets = targets
        self.rules = rules
        self.scrape_s = scrape_s
        self.evaluation_s = evaluation_s
        self.more = more

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def config(self) -> Path:
        return self.folder / "prometheus.yaml"

    def prepare(self) -> None:
        scrape = seconds(self.scrape_s)
        settings = {
            "global": {
                "scrape_interval": scrape,
                "scrape_timeout": scrape,
                "evaluation_interval": seconds(self.evaluation_s),
            },
            "rule_files": [str(path) for path in self.rules],
            "scrape_configs": self._jobs(),
        }
        self.config.write_text(yaml.safe_dump(settings))

    def _jobs(self) -> list[dict]:
        jobs = [{"job_name": job, "static_configs": [{"targets": list(them)}]} for job, them in self.targets.items()]
        return [*jobs, *self.more]

    def command(self) -> list[str]:
        return [
            "prometheus",
            f"--config.file={self.config}",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.ports['http']}",
            "--scrape.discovery-reload-interval=100ms",  # the default adds seconds to the start
            "--log.level=warn",
        ]

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:  # HTTP errors, too
            return False

    def scrape(self, targets: Mapping[str, Sequence[str]]) -> None:
        """From now on these targets, and no others: returns when it is so. It is not started again for that."""
        self.targets = targets
        self.prepare()
        self._signal(signal.SIGHUP)
        listed = [static for job in self._jobs() for static in job["static_configs"]]
        wanted = {address for static in listed for address in static["targets"]}
        for _ in poll_until(RELOAD_SECONDS, 0.1):
            if {target["labels"]["instance"] for target in self.get("targets")["activeTargets"]} == wanted:
                return
        raise StackError(f"prometheus did not take its new targets within {RELOAD_SECONDS} s; log {self.log}")

    def get(self, path: str) -> dict:
        """The data of an answer of its HTTP interface."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)["data"]
