# SPDX-License-Identifier: Apache-2.0
"""An exporter of the tests' own that answers over HTTP as Kepler 0.11 does, with the numbers the test wants."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REAL_PATH = "/host/sys/class/powercap/intel-rapl:0"
FAKE_PATH = "/sys/class/powercap/intel-rapl/energy_package"  # of Kepler's own fake meter
NODE = 'kepler_node_cpu_joules_total{{node_name="",path="{path}",zone="{zone}"}} {value}'
PROCESS = (
    'kepler_process_cpu_joules_total{{comm="some \\"program\\"",container_id="",exe="/usr/bin/x",node_name="",'
    'pid="{pid}",state="running",type="regular",vm_id="",zone="{zone}"}} {value}'
)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, text = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


class FakeKepler(ThreadingHTTPServer):
    """Serves inside the with. Set its fields before, or between two questions."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.begin: dict[int, float] = {}  # joules by process id, as long as it was asked at most begin_reads times
        self.spent: dict[int, float] = {}  # what is added after that
        self.begin_reads = 2  # ./mesh energy asks: is it a Kepler; where does it stand
        self.reads = 0
        self.moves = True  # the meter, from one question to the next
        self.path = REAL_PATH
        self.zones = ("package", "dram")
        self.raw: tuple[int, str] | None = None  # answer this instead
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> FakeKepler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[int, str]:
        if path != "/metrics":
            return 404, "not here"
        if self.raw is not None:
            return self.raw
        self.reads += 1
        late = self.reads > self.begin_reads
        node = 1000.0 + (self.reads if self.moves else 0)
        lines = ["# HELP kepler_build_info A metric", "# TYPE kepler_build_info gauge", "kepler_build_info 1"]
        for zone in self.zones:
            lines.append(NODE.format(path=self.path, zone=zone, value=node))
            for pid, joules in self.begin.items():
                now = joules + (self.spent.get(pid, 0.0) if late else 0.0)
                lines.append(PROCESS.format(pid=pid, zone=zone, value=now))
        return 200, "\n".join(lines) + "\n"
