# SPDX-License-Identifier: Apache-2.0
"""Goal: what the page shows is what Redis holds, at any moment, and it says so when it is not.

Method: real Chromium on the whole mesh under load; Redis is read by Python's own client.
"""

from __future__ import annotations

import json
import re
from datetime import datetime

import redis
from stack.process import poll_until
from support.events import tweets
from support.live_page import LivePage
from support.steady_load import SteadyLoad
from support.tested import Tested
from support.waiting import wait_for

LOOKS = 20


def in_redis(mesh: Tested, client: redis.Redis) -> int:
    return int(client.hget(f"{{{mesh.stream.name}}}:totals", "total") or 0)


def groups_in_redis(mesh: Tested, client: redis.Redis) -> dict[str, int]:
    counts = client.hgetall(f"{{{mesh.stream.name}}}:{mesh.stream.count_by}")
    return {name: int(count) for name, count in counts.items() if int(count) > 0}


def wait_equal(page: LivePage, mesh: Tested, client: redis.Redis, total: int) -> None:
    name = mesh.stream.name
    wait_for("Redis has counted all", lambda: in_redis(mesh, client) == total, 60)
    wait_for("the page shows the total", lambda: page.number(name, "total") == total)
    groups = groups_in_redis(mesh, client)
    wait_for("the page shows the groups", lambda: page.groups(name) == groups)
    top = sorted(groups.items(), key=lambda item: (-item[1], item[0]))
    assert page.bars(name) == top[:12]


def test_the_page_shows_what_redis_holds_during_load(make_mesh, open_page) -> None:
    mesh = make_mesh()
    name = mesh.stream.name
    page = open_page(mesh.mesh.live_url)
    page.wait_status("Live")
    with redis.Redis.from_url(mesh.servers.redis.url, decode_responses=True) as client:
        with SteadyLoad(mesh.http_port, "/input", lambda _: tweets(50), per_second=5) as load:
            last = 0
            for _ in range(LOOKS):
                before = in_redis(mesh, client)
                wait_for("the page catches up", lambda least=before: page.number(name, "total") >= least)
                shown = page.number(name, "total")
                assert last <= shown <= in_redis(mesh, client), "the page shows what Redis never held"
                last = shown
            wait_for("a rate", lambda: page.number(name, "peak") > 0)
            assert page.page.get_attribute(f'[data-stream="{name}"] .line', "d")
        assert load.sent > 0
        wait_equal(page, mesh, client, load.sent)
        wait_for("exact", lambda: page.badge(name) == "exact", 60)
        assert page.number(name, "in_kafka") == page.number(name, "archived") == load.sent
        seconds = client.xrange(f"{{{name}}}:rate")
        assert sum(int(fields["accepted"]) for _, fields in seconds) == load.sent
        client.delete("tweetmesh:health")  # programs of other tests on this Redis; ours say it again
    expected = dict.fromkeys(("api", "grpc-server", "kafka-consumer", "ws-redis"), "ready")
    wait_for("all programs are there", lambda: set(page.programs()) == set(expected))
    for _ in poll_until(30):
        if page.programs() == expected:
            break
    assert page.programs() == expected
    coloured = page.page.evaluate("() => [...document.querySelectorAll('.map svg [class]')].map(e => e.dataset.name)")
    assert {"Guatemala", "Spain", "Germany", "Japan", "Brazil", "United States"} == set(coloured)


def test_a_killed_ws_redis_is_told_and_made_up_for(make_mesh, open_page) -> None:
    mesh = make_mesh()
    name = mesh.stream.name
    page = open_page(mesh.mesh.live_url)
    assert mesh.client().post("/input", tweets(30)).status == 202
    wait_for("thirty", lambda: page.number(name, "total") == 30)
    with redis.Redis.from_url(mesh.servers.redis.url) as client:
        wait_for("the second is written down", lambda: client.xlen(f"{{{name}}}:rate"))
    mesh["ws-redis"].kill()
    said = page.wait_status("Not live since")
    assert re.search(r"since \d\d:\d\d:\d\d", said), said
    assert page.number(name, "total") == 30, "the last known numbers stay"
    assert mesh.client().post("/input", tweets(12)).status == 202  # counted by the consumer alone
    mesh["ws-redis"].start()
    page.wait_status("Live")
    with redis.Redis.from_url(mesh.servers.redis.url, decode_responses=True) as client:
        wait_equal(page, mesh, client, 42)
    page.page.reload()
    page.wait_status("Live")
    wait_for("the chart remembers", lambda: page.number(name, "peak") > 0)


def test_a_dead_consumer_is_seen_and_nothing_is_called_exact(make_mesh, open_page) -> None:
    mesh = make_mesh()
    name = mesh.stream.name
    page = open_page(mesh.mesh.live_url)
    assert mesh.client().post("/input", tweets(10)).status == 202
    wait_for("exact", lambda: page.badge(name) == "exact", 60)
    mesh["kafka-consumer"].kill()
    assert mesh.client().post("/input", tweets(5)).status == 202
    wait_for("no longer exact", lambda: page.badge(name) != "exact")
    wait_for("the lag", lambda: page.field(name, "archived_lag") == "5 to archive")
    wait_for("it is silent", lambda: page.programs().get("kafka-consumer") == "silent", 60)
    mesh["kafka-consumer"].start()
    wait_for("exact again", lambda: page.badge(name) == "exact", 120)
    assert page.number(name, "archived") == 15


def test_a_paused_page_stands_still_and_catches_up(make_mesh, open_page) -> None:
    mesh = make_mesh()
    name = mesh.stream.name
    page = open_page(mesh.mesh.live_url)
    page.wait_status("Live")
    page.wait_stream(name)
    page.page.click("#pause")
    page.wait_status("Paused")
    assert mesh.client().post("/input", tweets(20)).status == 202
    with redis.Redis.from_url(mesh.servers.redis.url, decode_responses=True) as client:
        wait_for("counted", lambda: in_redis(mesh, client) == 20)
    other = open_page(mesh.mesh.live_url)
    wait_for("another page shows it", lambda: other.number(name, "total") == 20)
    assert page.number(name, "total") == 0
    page.page.click("#pause")
    wait_for("it catches up", lambda: page.number(name, "total") == 20)
    page.wait_status("Live")


def test_messages_come_at_most_ten_times_a_second(make_mesh, chromium) -> None:
    mesh = make_mesh()
    page = chromium.new_page()
    arrived: list[float] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: arrived.append(time_of(data))))
    page.goto(mesh.mesh.live_url)
    with SteadyLoad(mesh.http_port, "/input", lambda _: tweets(5), per_second=100):
        page.wait_for_timeout(5000)  # Playwright takes in frames while it waits
    page.close()
    told = sorted(moment for moment in arrived if moment > 0)
    assert len(told) > 5
    for first, last in zip(told, told[10:], strict=False):
        assert last - first >= 0.95, "more than ten messages within a second"


def time_of(message: str | bytes) -> float:
    """When ws-redis wrote it; 0: it is no numbers."""
    known = json.loads(message)
    return 0 if "history" in known else datetime.fromisoformat(known["time"]).timestamp()
