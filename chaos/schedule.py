# SPDX-License-Identifier: Apache-2.0
"""Random runs: rounds of faults drawn from a seed, some of them within others.

What is drawn depends on the seed and on the faults there are, never on time; how many rounds there are is
decided by the clock. So the same seed gives the same rounds again, as far as the minutes go.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chaos.arena import Arena, held
from chaos.fault import FIRST_ACK_KAFKA_S, Fault, Load, Needs

NEEDS = Needs(links=True)
SECOND = "kafka-consumer-2"  # in each round
ROUND_S = (20.0, 45.0)  # what is planned for one, before it comes to rest
WAIT_S = (0.2, 3.0)  # of load before a fault strikes
HOLD = (0.3, 1.5)  # times what the fault says
HOLD_S_MAX = 15.0
NESTED = 0.4  # the share of faults that get another one inside
NAMED_ALIKE = {"failpoints": "programs", "consumers": "programs"}  # families that break the same things


@dataclass(frozen=True)
class Step:
    """One fault: after wait_s it strikes, holds for hold_s, and heals; inner is in force inside that time."""

    fault: Fault
    wait_s: float
    hold_s: float
    inner: Step | None = None

    def __str__(self) -> str:
        within = f" {{{self.inner}}}" if self.inner else ""
        return f"{self.wait_s:.1f} s, {self.fault.name} for {self.hold_s:.1f} s{within}"

    @property
    def faults(self) -> list[Fault]:
        return [self.fault, *(self.inner.faults if self.inner else [])]

    @property
    def seconds(self) -> float:
        return self.wait_s + self.hold_s + (self.inner.seconds if self.inner else 0)


@dataclass(frozen=True)
class Round:
    number: int
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        return f"round-{self.number}"

    def __str__(self) -> str:
        return f"{self.name}: " + "; ".join(map(str, self.steps))


def offered(needs: Needs) -> bool:
    """Can the mesh of the random rounds give this?"""
    return needs == Needs(build=needs.build, links=needs.links)


def drawable(faults: Iterable[Fault]) -> list[Fault]:
    return sorted((each for each in faults if each.at_random and offered(each.needs)), key=lambda each: each.name)


def _draw(chance: random.Random, faults: list[Fault]) -> Step:
    fault = chance.choice(faults)
    hold_s = min(HOLD_S_MAX, fault.hold_s * chance.uniform(*HOLD))
    wait_s = chance.uniform(*WAIT_S)
    others = [each for each in faults if _sphere(each) != _sphere(fault)]
    inner = None
    if others and chance.random() < NESTED:
        other = chance.choice(others)
        inner = Step(other, chance.uniform(0.1, 1.0), min(HOLD_S_MAX / 2, other.hold_s * chance.uniform(*HOLD)))
    return Step(fault, wait_s, hold_s, inner)


def _sphere(fault: Fault) -> str:
    return NAMED_ALIKE.get(fault.family, fault.family)


def rounds(seed: int, faults: Iterable[Fault]) -> Iterator[Round]:
    """All rounds of a seed, without end."""
    chance = random.Random(f"{seed}/schedule")
    choice = drawable(faults)
    if not choice:
        raise ValueError("no fault can be drawn at random")
    number = 0
    while True:
        number += 1
        planned_s = chance.uniform(*ROUND_S)
        steps: list[Step] = []
        while sum(step.seconds for step in steps) < planned_s:
            steps.append(_draw(chance, choice))
        yield Round(number, tuple(steps))


def as_fault(drawn: Round) -> Fault:
    """The round as something that has a row: a mesh, a load and goals."""
    return Fault(
        name=drawn.name,
        text=str(drawn),
        family="random",
        strike=lambda _arena: iter(()),
        needs=NEEDS,
        load=Load(),
        struck_min=sum(len(step.faults) for step in drawn.steps),
        first_ack_s=FIRST_ACK_KAFKA_S,
        late_answers=any(fault.late_answers for step in drawn.steps for fault in step.faults),
    )


def drive(arena: Arena, drawn: Round, seed: int) -> None:
    """One round; whatever it is, each strike's own chance depends on the seed and its place alone."""
    arena.start(SECOND)
    for at, step in enumerate(drawn.steps):
        _hold(arena, step, f"{seed}/{drawn.name}/{at}")


def _hold(arena: Arena, step: Step, seed: str) -> None:
    arena.wait(step.wait_s)
    arena.random.seed(seed)
    with held(arena, step.fault):
        arena.wait(step.hold_s)
        if step.inner:
            arena.overlapping = True
            _hold(arena, step.inner, f"{seed}/inner")
            arena.overlapping = False
    if not arena.overlapping:
        arena.settle()
