# SPDX-License-Identifier: Apache-2.0
"""Goal: what people send is text on the page; the page asks nobody but ws-redis; other streams show by themselves.

Method: a stream whose title, groups and texts are attacks, in a real Chromium that tells of dialogs and requests.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import redis
from support.tested import Tested
from support.waiting import wait_for

ATTACKS = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    '"><svg onload=alert(3)>',
    "javascript:alert(4)",
    "{{7*7}} ${alert(5)}",
)
TITLE = "Orders <img src=x onerror=alert(6)> by size"
SCHEMA = {
    "type": "object",
    "required": ["size"],
    "additionalProperties": False,
    "properties": {"size": {"type": "string", "enum": ["small", "large", *ATTACKS]}},
}


def attacked(make_mesh) -> tuple[Tested, str]:
    mesh = make_mesh("none", settings={"ws-redis": {"RECENT_EVENTS_MAX": "10"}})
    other = mesh.add_stream("orders", title=TITLE, path="/orders", schema=SCHEMA, count_by="size")
    mesh.start()
    return mesh, other.name


def test_attacks_are_shown_as_text_and_other_streams_show_by_themselves(make_mesh, open_page) -> None:
    mesh, orders = attacked(make_mesh)
    with redis.Redis.from_url(mesh.servers.redis.url, decode_responses=True) as client:
        client.rpush(f"{{{orders}}}:recent", *ATTACKS)
    events = [{"size": size} for size in ("small", *ATTACKS, "small", "large")]
    assert mesh.client().post("/orders", events).status == 202
    page = open_page(mesh.mesh.live_url)
    page.wait_stream(orders)
    expected = {"small": 2, "large": 1} | dict.fromkeys(ATTACKS, 1)
    wait_for("all groups as text", lambda: page.groups(orders) == expected)
    section = page.page.locator(f'[data-stream="{orders}"]')
    assert section.locator("h2").text_content() == TITLE
    wait_for("the texts", lambda: section.locator(".recent li").all_text_contents() == list(ATTACKS))
    assert {name for name, _ in page.bars(orders)} == set(expected)
    assert section.locator("img, script, svg[onload]").count() == 0
    assert section.locator(".map").is_hidden(), "sizes are no countries"
    assert page.page.locator(f'[data-stream="{mesh.stream.name}"] .map').is_visible()
    # Both streams are in the list on top, which takes one there.
    links = page.page.locator("nav a")
    assert TITLE in links.all_text_contents() and links.count() == 2
    section.locator("h2").evaluate("element => element.scrollIntoView()")
    # The fixture fails the test for any dialog or error.


def test_last_events_are_shown_as_text_where_asked_for(make_mesh, open_page) -> None:
    wanted = {"RECENT_EVENTS_MAX": "3"}
    mesh = make_mesh(settings={"ws-redis": wanted, "kafka-consumer": wanted})
    for attack in ATTACKS:
        assert mesh.client().post("/input", {"text": attack, "country": "Peru"}).status == 202
    page = open_page(mesh.mesh.live_url)
    page.wait_stream(mesh.stream.name)
    texts = page.page.locator(".recent li")
    expected = {f"{attack} · Peru" for attack in ATTACKS}
    wait_for("three of them", lambda: texts.count() == 3)
    assert set(texts.all_text_contents()) <= expected
    with redis.Redis.from_url(mesh.servers.redis.url) as client:
        assert client.llen(f"{{{mesh.stream.name}}}:recent") == 3


def test_last_events_are_not_shown_unless_asked_for(make_mesh, open_page) -> None:
    mesh = make_mesh("ws-redis")
    with redis.Redis.from_url(mesh.servers.redis.url, decode_responses=True) as client:
        client.rpush(f"{{{mesh.stream.name}}}:recent", "somebody's text")
    page = open_page(mesh.mesh.live_url)
    page.wait_status("Live")
    page.wait_stream(mesh.stream.name)
    assert page.page.locator(".recent").is_hidden()
    assert "somebody" not in page.page.content()


def test_nothing_is_asked_of_another_host(make_mesh, open_page) -> None:
    mesh = make_mesh("ws-redis")
    page = open_page(mesh.mesh.live_url)
    page.wait_status("Live")
    page.wait_stream(mesh.stream.name)
    assert page.hosts == {urlsplit(mesh.mesh.live_url).netloc}
    assert any(address.startswith("ws:") for address in page.requests)
    # The page could not even if it wanted to.
    refused = page.page.evaluate(
        "() => new Promise(done => {"
        "document.addEventListener('securitypolicyviolation', event => done(event.violatedDirective));"
        "fetch('http://127.0.0.2:9/').catch(() => {}); })"
    )
    assert refused == "connect-src"
    page.faults.clear()  # the browser told of what we just did
