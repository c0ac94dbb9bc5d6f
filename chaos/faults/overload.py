# SPDX-License-Identifier: Apache-2.0
"""More than the mesh can take, at 2 and 10 times, and clients that all retry at once.

What it can take is what the way to Kafka lets through: 300 kB/s, about 750 events a second. So ten times as much is
sent by one small generator, and what is measured is how the mesh refuses, not how two cores are shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from chaos.arena import Arena
from chaos.fault import FIRST_ACK_KAFKA_S, REGISTER, Fault, Load, Needs, Strike, fault
from chaos.flood import Flood, hurried, may_hurry

KAFKA_KB_S = 300
WARM_S = 3
PEAK_S = 10
PEAK_CONNECTIONS = 200  # enough to keep the way to Kafka full, too few to be refused
OVERLOAD_S = 60
OVERLOAD_CONNECTIONS = 8000
GOODPUT_MIN = 0.9  # of the peak
REFUSAL_MS_P99_MAX = 5
GROWTH_MAX = 1.2
GROWTH_FROM_S = 10

STORM_S = 15
STORM_RATE = 200
STORM_CLIENTS = 2000
OUTAGE_S = 5

NEEDS = Needs(build="release", links=True)


def overload(arena: Arena, times: int) -> Iterator[None]:
    """Open loop at so many times the peak, which is measured first."""
    link = arena.mesh.links["grpc-server-kafka"]
    api = arena.mesh.programs["api"]
    with ExitStack() as clean_up:
        hurry = may_hurry()
        if hurry:
            clean_up.enter_context(hurried(api))
        else:
            arena.note("measured without real-time priority, so with what else this machine does")
        link.bandwidth(KAFKA_KB_S)
        clean_up.callback(link.heal)
        Flood(arena.mesh, seconds=WARM_S, connections=PEAK_CONNECTIONS, hurry=hurry).result()
        peak = Flood(arena.mesh, seconds=PEAK_S, connections=PEAK_CONNECTIONS, hurry=hurry).result()["acked"]["per_s"]
        flood = Flood(arena.mesh, seconds=OVERLOAD_S, rate=times * peak, connections=OVERLOAD_CONNECTIONS, hurry=hurry)
        clean_up.callback(flood.stop)
        arena.struck()
        yield
        judge_flood(arena, flood, peak)


def judge_flood(arena: Arena, flood: Flood, peak: float) -> None:
    answers = flood.result()
    goodput = answers["acked"]["per_s"] / peak
    refused = answers["refused"]["ms_since_sent"]
    growth = {name: flood.growth(name, GROWTH_FROM_S) for name in ("api", "grpc-server")}
    arena.require(goodput >= GOODPUT_MIN, f"goodput {goodput:.2f} of the peak of {peak:.0f}/s")
    arena.require(answers["refused"]["count"] > 0, "nothing was refused: this was no overload")
    arena.require(refused["p99"] < REFUSAL_MS_P99_MAX, f"refusals took {refused['p99']:.1f} ms at p99")
    arena.require(answers["without_retry_after"] == 0, "refusals without Retry-After")
    arena.require(set(answers["statuses"]) <= {"202", "503"}, f"answers: {answers['statuses']}")
    broken, unanswered = answers["broken"], answers["unanswered"]
    arena.require(broken + unanswered == 0, f"{broken} requests were broken off, {unanswered} got no answer")
    arena.require(answers["sent"] == answers["due"], "the generator did not keep its schedule")
    for name, times in growth.items():
        arena.require(
            times <= GROWTH_MAX, f"memory of {name} grew to {times:.2f} of what it was after {GROWTH_FROM_S} s"
        )
    arena.note(
        f"peak {peak:.0f}/s; sent {answers['sent'] / OVERLOAD_S:.0f}/s, acked {goodput:.2f} of the peak, "
        f"p50 {answers['acked']['ms_since_sent']['p50']:.0f} ms; refusals, from the first byte sent to "
        f"the whole answer: p50 {refused['p50']:.2f}, p99 {refused['p99']:.2f}, p99.9 {refused['p999']:.2f} ms; memory "
        + ", ".join(f"{name} {times:.2f}" for name, times in growth.items())
    )


def overloading(times: int) -> Strike:
    return lambda arena: overload(arena, times)


for _times, _said in ((2, "twice"), (10, "ten times")):
    REGISTER.add(
        Fault(
            name=f"overload-{_times}x",
            text=f"{_said} what Kafka takes, open loop, for 60 s",
            family="overload",
            strike=overloading(_times),
            needs=NEEDS,
            load=Load(events_s=100),
            hold_s=OVERLOAD_S,
        )
    )


@fault(
    "retry-storm",
    "Kafka cannot be reached; each refused client tries again at once, until it is back",
    family="overload",
    needs=NEEDS,
    load=Load(events_s=100),
    hold_s=OUTAGE_S,
    first_ack_s=FIRST_ACK_KAFKA_S,
)
def retry_storm(arena: Arena) -> Iterator[None]:
    link = arena.mesh.links["grpc-server-kafka"]
    key = f"storm-{arena.random.getrandbits(64):016x}"
    flood = Flood(arena.mesh, seconds=STORM_S, rate=STORM_RATE, connections=STORM_CLIENTS, key=key, retry=True)
    try:
        arena.wait(1)
        link.cut()
        arena.struck()
        yield
        link.heal()
        arena.healed()
        answers = flood.result()
    finally:
        link.heal()
        flood.stop()
    taken = answers["statuses"].get("202", 0)
    arena.require(answers["retried"] > STORM_RATE, f"only {answers['retried']} retries: this was no storm")
    arena.require(taken == answers["due"], f"{answers['due'] - taken} of {answers['due']} events were never taken")
    arena.note(f"{answers['due']} events, {answers['retried']} retries at once, {answers['statuses']}")
