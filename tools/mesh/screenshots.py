# SPDX-License-Identifier: Apache-2.0
"""screenshots: pictures of the live page for the documentation, of a real mesh under a real load.

The command makes the mesh and runs this module again, by the Python that has Playwright, which sends and looks.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import shutil
import subprocess
import sys
import threading
from argparse import ArgumentParser, Namespace
from pathlib import Path
from urllib.parse import urlsplit

from stack.cache import say
from stack.mesh import PROJECT, Mesh, Options
from stack.process import StackError, dying_with_us
from tools.mesh.build import given_or_built
from tools.mesh.venv import venv

PICTURES = PROJECT / "docs/pictures"
BYTES_MAX = 200_000
PAUSE = 0.1  # seconds between two batches
WAVE = 25.0  # seconds from crest to crest, so that the chart is not a straight line
BATCH_MAX = 60
LOOKS = {
    "live-light": {"viewport": {"width": 1280, "height": 1000}, "color_scheme": "light"},
    "live-dark": {"viewport": {"width": 1280, "height": 1000}, "color_scheme": "dark"},
    "live-phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 1.25},
}


def screenshots(arguments: Namespace) -> int:
    folder = (arguments.folder or PICTURES).resolve()
    mesh = Mesh(PROJECT / ".mesh/screenshots", Options(build=given_or_built("release")))
    mesh.erase()
    with mesh:
        say(f"{arguments.seconds} s of load on {mesh.live_url}")
        command = [str(venv() / "bin/python"), "-P", "-m", "tools.mesh.screenshots"]
        command += [mesh.api_url, mesh.live_url, str(arguments.seconds), str(folder)]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        done = subprocess.run(dying_with_us(command), cwd=PROJECT, env=environment, check=False)
    return done.returncode


class Load(threading.Thread):
    """The sample tweets round and round, more and less of them, until stopped."""

    def __init__(self, api: str) -> None:
        super().__init__(daemon=True)
        self._address = urlsplit(api).netloc
        self._tweets = json.loads((PROJECT / "locust/data/tweets.json").read_text())
        self._stop_now = threading.Event()
        self.failed = ""

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=30)
        sent = rounds = 0
        while not self._stop_now.wait(PAUSE) and not self.failed:
            wave = 0.55 + 0.45 * math.sin(2 * math.pi * rounds * PAUSE / WAVE)
            count = 1 + round(BATCH_MAX * wave)
            batch = [self._tweets[(sent + i) % len(self._tweets)] for i in range(count)]
            connection.request("POST", "/input", json.dumps(batch), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            self.failed = "" if answer.status == 202 else f"api answered {answer.status}"
            sent, rounds = sent + count, rounds + 1
        connection.close()

    def stop(self) -> None:
        self._stop_now.set()
        self.join(60)
        if self.failed:
            raise StackError(self.failed)


def take(api: str, live: str, seconds: float, folder: Path) -> None:
    """Sends, waits, and takes all pictures in the middle of it."""
    from playwright.sync_api import sync_playwright  # only this Python has it

    load = Load(api)
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        pages = {}
        for name, settings in LOOKS.items():
            pages[name] = browser.new_context(**settings, locale="en-GB", reduced_motion="reduce").new_page()
            pages[name].goto(live)
        load.start()
        first = next(iter(pages.values()))
        first.wait_for_timeout(seconds * 1000)  # the length of what is in the picture
        for name, page in pages.items():
            page.wait_for_function("document.body.dataset.state === 'live'")
            path = folder / f"{name}.png"
            page.screenshot(path=path, full_page=True)
            print(f"{path}: {path.stat().st_size:,} bytes")
            if path.stat().st_size > BYTES_MAX:
                raise StackError(f"{path} is larger than {BYTES_MAX:,} bytes")
        browser.close()
    load.stop()


def main() -> int:
    parser = ArgumentParser(prog="tools.mesh.screenshots")
    parser.add_argument("api")
    parser.add_argument("live")
    parser.add_argument("seconds", type=float)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    try:
        take(arguments.api, arguments.live, arguments.seconds, arguments.folder)
    except StackError as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
