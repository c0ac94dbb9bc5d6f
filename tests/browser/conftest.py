# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one Chromium for the run, and the live page of a mesh in a window of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from support.live_page import LivePage

OpenPage = Callable[..., LivePage]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # What a container without a user namespace and with a small /dev/shm needs.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """open_page(url, color_scheme="dark", …): the live page; at the end it must have had no error."""
    opened: list[LivePage] = []

    def open_(url: str, **settings: object) -> LivePage:
        settings = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"} | settings
        context = chromium.new_context(**settings)
        page = LivePage(context.new_page(), url)
        opened.append(page)
        return page

    yield open_
    faults = [fault for page in opened for fault in page.faults]
    for page in opened:
        page.page.context.close()
    assert not faults, "\n".join(faults)
