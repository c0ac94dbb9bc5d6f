# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is given: the chart's rules, and an exporter for the CPU time of servers that export none."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from stack.mesh import PROJECT
from stack.process import cpu_seconds

RULES = PROJECT / "helm/tweetmesh/rules"
INTERVAL_SECONDS = 1.0


def rule_files() -> list[Path]:
    """The rules that the chart has; alerts are for others."""
    return sorted(RULES.glob("*.yaml"))


class CpuExporter:
    """Tells the CPU seconds of processes under the name that the kubelet's cAdvisor has for them.

    The figures are real, of /proc; only their way to Prometheus is not the one of a cluster. Threads: one of its
    own, from making to close().
    """

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        """pids: of the processes that run now, by container name; called for every scrape."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that http.server asks for
                body = "".join(
                    f'container_cpu_usage_seconds_total{{namespace="tweetmesh",pod="{name}-0",container="{name}"}} '
                    f"{cpu_seconds(pid):.2f}\n"
                    for name, pid in pids().items()
                )
                data = ("# TYPE container_cpu_usage_seconds_total counter\n" + body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
