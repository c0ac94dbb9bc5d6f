# SPDX-License-Identifier: Apache-2.0
"""demo --chaos: programs are killed at random under load; each kill is told, and when all was exact again."""

from __future__ import annotations

import json
import random
import secrets
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import redis

import chaos.faults  # noqa: F401 (registers them)
from chaos.arena import Arena, held
from chaos.fault import REGISTER, Fault, Load, Needs
from chaos.judge.counters import Counters
from chaos.judge.ledger import Ends
from chaos.runner import RowRun
from chaos.schedule import Step
from chaos.site import Site
from chaos.table import Row, remarks
from stack.cache import say
from stack.mesh import Mesh
from stack.process import StackError
from stack.program import PROGRAMS
from tools.mesh.build import given_or_built
from tools.mesh.demo import audit_lines, demo_folder, live_page_line, run_audit, stay, top_groups, top_groups_line

MINUTES_MAX = 60.0
EVENTS_S = 250.0
BETWEEN_S = (2.0, 6.0)  # from exact again to the next kill
DOWN_S = (1.5, 5.0)  # until a killed program is started again: the live page looks once a second
LOOK_S = 0.1
EXACT_S_MAX = 120.0  # afterwards it is given up, and the demo has failed
HEALTH = "tweetmesh:health"
KILLS = tuple(f"killed-{name}" for name in PROGRAMS)


@dataclass
class Kill:
    """What became of one; seconds from the beginning of the load, or from the kill."""

    program: str
    at_s: float
    down_s: float = 0.0  # until it was ready again
    lag_most: int = 0  # events in Kafka that were not archived and counted yet
    exact_s: float = 0.0  # until all was archived and counted that was in Kafka when it was back


def steps(seed: int) -> Iterator[Step]:
    """Which program is killed when, and for how long; all that is left to chance, without end.

    Each is killed once before any is killed again, so that a short demo shows all of them.
    """
    chance = random.Random(f"{seed}/demo")
    while True:
        for name in chance.sample(KILLS, len(KILLS)):
            yield Step(REGISTER.faults[name], chance.uniform(*BETWEEN_S), chance.uniform(*DOWN_S))


class Lag:
    """Looks how far counters and archive are behind Kafka. Threads: one."""

    def __init__(self, mesh: Mesh) -> None:
        stream = json.loads((mesh.options.streams / "tweets.json").read_text())
        self._ends = Ends(mesh.kafka.url, stream["topic"])
        self._counters = Counters(mesh.redis.url, stream["stream"], stream["count_by"])
        self.most = 0

    def close(self) -> None:
        self._ends.close()
        self._counters.close()

    def ends(self) -> dict[int, int]:
        ends = self._ends.now(10)
        if ends is None:
            raise StackError("Kafka does not say where its log ends")
        return ends

    def behind(self, ends: dict[int, int]) -> int:
        """How many of the events below these ends are not settled: archived, and counted for good."""
        seen = self._counters.now()
        if seen is None:
            raise StackError("Redis does not say what it has counted")
        marks = seen.state.watermarks
        return sum(max(0, end - marks.get(partition, 0)) for partition, end in ends.items())

    def look(self) -> int:
        now = self.behind(self.ends())
        self.most = max(self.most, now)
        return now


class Health:
    """What the live page shows of a program that is dead: nobody but who killed it knows at once. Threads: one."""

    def __init__(self, mesh: Mesh) -> None:
        self._redis = redis.Redis.from_url(mesh.redis.url, decode_responses=True)
        self._killed: list[str] = []  # entries of the program that is dead now

    def close(self) -> None:
        self._redis.close()

    def killed(self, program: str) -> None:
        self._killed = [name for name in self._redis.hkeys(HEALTH) if name.partition("/")[0] == program]

    def revived(self) -> None:
        """From now on it speaks for itself."""
        self._killed = []

    def tell(self) -> None:
        """Again and again, for others tell what they last heard of it."""
        if self._killed:
            value = json.dumps({"at_ms": time.time_ns() // 1_000_000, "state": "killed", "ready": False})
            self._redis.hset(HEALTH, mapping=dict.fromkeys(self._killed, value))


class Play:
    """The course of the demo: kills under load until the minutes are over."""

    def __init__(self, mesh: Mesh, seed: int, seconds: float) -> None:
        self.kills: list[Kill] = []
        self._steps = steps(seed)
        self._seconds = seconds
        self._lag = Lag(mesh)
        self._health = Health(mesh)
        self._began = 0.0

    def run(self, arena: Arena) -> None:
        self._began = time.monotonic()
        try:
            for step in self._steps:
                self._watch(arena, step.wait_s)
                if self._gone() >= self._seconds and self.kills:
                    return
                self._kill(arena, step)
        finally:
            self._lag.close()
            self._health.close()

    def _gone(self) -> float:
        return time.monotonic() - self._began

    def _tell(self, text: str) -> None:
        print(f"  {time.strftime('%H:%M:%S')} {self._gone():>7.1f} s  {text}", flush=True)

    def _watch(self, arena: Arena, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._health.tell()
            self._lag.look()
            arena.wait(LOOK_S)

    def _kill(self, arena: Arena, step: Step) -> None:
        name = step.fault.name.removeprefix("killed-")
        self._lag.most = 0
        pid = arena.mesh.programs[name].pid
        with held(arena, step.fault):
            kill = Kill(name, self._gone())
            self._health.killed(name)
            self._tell(f"{name} is killed (SIGKILL to {pid}); started again in {step.hold_s:.1f} s")
            self._watch(arena, step.hold_s)
            self._health.revived()
        kill.down_s = self._gone() - kill.at_s
        lag = self._lag.look()
        self._tell(f"{name} is ready again after {kill.down_s:.1f} s; the lag is {lag:,} events")
        self._wait_exact(arena)
        kill.exact_s, kill.lag_most = self._gone() - kill.at_s, self._lag.most
        self.kills.append(kill)
        self._tell(f"exact again {kill.exact_s:.1f} s after the kill; the lag was {kill.lag_most:,} events at most")

    def _wait_exact(self, arena: Arena) -> None:
        """Until all is settled that Kafka has now."""
        goal, until = self._lag.ends(), time.monotonic() + EXACT_S_MAX
        while missing := self._lag.behind(goal):
            if time.monotonic() > until:
                raise StackError(f"not exact again within {EXACT_S_MAX:g} s: {missing:,} events are missing")
            self._lag.look()
            arena.wait(LOOK_S)


def as_fault(seconds: float) -> Fault:
    """The demo as a row of ./mesh chaos: nothing lost, nothing doubled, all equal in the end."""
    return Fault(
        name="demo",
        text="programs killed at random",
        family="demo",
        strike=lambda _arena: iter(()),
        needs=Needs(build="release"),
        load=Load(events_s=EVENTS_S),
        acked_min=int(seconds),  # far less than is sent
        first_ack_s=None,
        exact_s=EXACT_S_MAX,
    )


def table_lines(kills: list[Kill]) -> list[str]:
    head = f"  {'killed':<16}{'at s':>8}{'ready after s':>16}{'lag at most':>14}{'exact after s':>16}"
    rows = [
        f"  {kill.program:<16}{kill.at_s:>8.1f}{kill.down_s:>16.1f}{kill.lag_most:>14,}{kill.exact_s:>16.1f}"
        for kill in kills
    ]
    return [head, *rows]


def report(mesh: Mesh, kills: list[Kill], row: Row, audit: dict) -> None:
    verdict = row.verdict
    print()
    print("\n".join(table_lines(kills)))
    print()
    print(f"  kills                  {len(kills)}")
    print(f"  acknowledged events    {verdict.acked:,}, {verdict.lost} lost, {verdict.doubled} archived twice")
    print(f"  counters               {verdict.counter_error} wrong")
    for line in audit_lines(audit):
        print(f"  audit                  {line}")
    print(top_groups_line(top_groups(mesh)))
    for remark in remarks(row):
        print(remark)


def as_json(seed: int, kills: list[Kill], row: Row, audit: dict) -> str:
    figures = row.as_dict()
    names = ("acked", "lost", "doubled", "counter_error", "ok", "violations", "notes")
    found = {"seed": seed, "kills": [asdict(kill) for kill in kills], **{name: figures[name] for name in names}}
    return json.dumps(found | {"audit": audit}, indent=2) + "\n"


def demo_chaos(arguments: Namespace) -> int:
    if not 0 < arguments.minutes <= MINUTES_MAX:
        print(f"mesh: --minutes is above 0, and at most {MINUTES_MAX:g}", file=sys.stderr)
        return 2
    seed = secrets.randbits(31) if arguments.seed is None else arguments.seed
    fault = as_fault(arguments.minutes * 60)
    site = Site(demo_folder(arguments.name), fault.needs, given_or_built("release"), usual_ports=True)
    site.mesh.erase()
    site.start()
    try:
        good = show(site, fault, seed, arguments)
    finally:
        site.close()
    for violation in site.supervisor.violations:
        print(f"    ! at the end: {violation}", flush=True)
    return 0 if good and not site.supervisor.violations else 1


def show(site: Site, fault: Fault, seed: int, arguments: Namespace) -> bool:
    """The whole of it on a site that is ready; was all well?"""
    mesh = site.mesh
    say("the mesh is ready")
    print(live_page_line(mesh, "watch it live"))
    print(f"  {'seed':<22} {seed} (the same kills again: ./mesh demo --chaos --seed {seed})\n", flush=True)
    say(f"{EVENTS_S:g} events/s for {arguments.minutes:g} min; our own programs are killed meanwhile")
    play = Play(mesh, seed, arguments.minutes * 60)
    row = RowRun(site, fault, seed).run(play.run)
    audit_code, audit = run_audit(mesh)
    report(mesh, play.kills, row, audit)
    if arguments.json:
        arguments.json.write_text(as_json(seed, play.kills, row, audit))
    good = row.ok and audit_code == 0
    print(f"\n  {'all is well' if good else 'NOT WELL, see above'}; logs in {mesh.folder}/logs/\n", flush=True)
    if arguments.exit:
        print(live_page_line(mesh, "live page (was)"), flush=True)
    else:
        site.supervisor.begin()  # what happens to it from now on is not the demo's
        stay(mesh)
    return good
