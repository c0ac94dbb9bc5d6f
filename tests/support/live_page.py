# SPDX-License-Identifier: Apache-2.0
"""The live page as somebody sees it who looks at the screen."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page

from support.waiting import wait_for


class LivePage:
    """An open page. Threads: the one of the browser's fixture.

    requests: all addresses it asked for; faults: what should never happen on it.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.requests: list[str] = []
        self.faults: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.faults.append(f"error on the page: {error}"))
        page.on("dialog", lambda dialog: self._dialog(dialog))
        page.on("console", self._console)
        page.goto(url)

    def _dialog(self, dialog) -> None:
        self.faults.append(f"a script of somebody else ran: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        # While ws-redis is away the browser itself says so.
        if message.type == "error" and "WebSocket connection" not in message.text:
            self.faults.append(f"console: {message.text}")

    @property
    def hosts(self) -> set[str]:
        return {urlsplit(address).netloc for address in self.requests}

    @property
    def status(self) -> str:
        return self.page.inner_text("#status")

    def wait_status(self, start: str, seconds: float = 30) -> str:
        wait_for(f"status {start!r}", lambda: self.status.startswith(start), seconds)
        return self.status

    def field(self, stream: str, name: str) -> str:
        return self.page.locator(f'[data-stream="{stream}"] [data-field="{name}"]').text_content() or ""

    def number(self, stream: str, name: str) -> int:
        """-1 while the page does not know it."""
        text = self.field(stream, name).replace(",", "")
        return int(text) if text.isdigit() else -1

    def wait_stream(self, stream: str) -> None:
        self.page.locator(f'[data-stream="{stream}"]').wait_for(timeout=30_000)

    def groups(self, stream: str) -> dict[str, int]:
        """The table of all groups, which this opens."""
        self.page.evaluate("name => document.querySelector(`[data-stream='${name}'] .all`).open = true", stream)
        rows = self.page.evaluate(
            "name => [...document.querySelectorAll(`[data-stream='${name}'] .all tbody tr`)]"
            ".map(row => [row.children[0].textContent, row.children[1].textContent])",
            stream,
        )
        return {name: int(text.replace(",", "")) for name, text in rows}

    def bars(self, stream: str) -> list[tuple[str, int]]:
        rows = self.page.evaluate(
            "name => [...document.querySelectorAll(`[data-stream='${name}'] .bars li`)]"
            ".map(row => [row.querySelector('span').textContent, row.querySelector('b').textContent])",
            stream,
        )
        return [(name, int(text.replace(",", ""))) for name, text in rows]

    def badge(self, stream: str) -> str:
        """exact, behind or unknown."""
        return self.page.get_attribute(f'[data-stream="{stream}"] .badge', "data-exact") or ""

    def programs(self) -> dict[str, str]:
        """Program -> ready, waiting or silent."""
        rows = self.page.evaluate(
            "() => [...document.querySelectorAll('.programs li')].map(row => [row.dataset.program, row.dataset.health])"
        )
        return dict(rows)
