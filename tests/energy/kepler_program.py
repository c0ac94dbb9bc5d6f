# SPDX-License-Identifier: Apache-2.0
"""What `kepler` does on a meter of files, for the tests: kepler --host.sysfs=DIR --config.file=FILE.

It reads the meter, and gives every process 2 joules a CPU second.
"""

import re
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from fake_kepler import NODE, PROCESS

from stack.process import cpu_seconds

options = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
zone = Path(options["host.sysfs"]) / "class/powercap/intel-rapl:0"
host, port = re.search(r'listenAddresses: \["([\d.]+):(\d+)"\]', Path(options["config.file"]).read_text()).groups()
assert "enabled: false" in Path(options["config.file"]).read_text()
assert (zone / "name").read_text() == "package-0\n" and (zone / "enabled").read_text() == "1\n"
assert int((zone / "max_energy_range_uj").read_text()) > 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        joules = int((zone / "energy_uj").read_text()) / 1e6
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        lines = [NODE.format(path=zone, zone="package", value=joules)]
        lines += [PROCESS.format(pid=pid, zone="package", value=2 * cpu_seconds(pid)) for pid in pids]
        self.send_response(200)
        self.end_headers()
        self.wfile.write("\n".join(lines).encode())

    def log_message(self, *_: object) -> None:
        pass


HTTPServer((host, int(port)), Handler).serve_forever()
