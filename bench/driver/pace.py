# SPDX-License-Identifier: Apache-2.0
"""How long everything takes: the whole bench, a quick one, or one cut short by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Pace:
    """Rounds of ours and baseline in turns, and the lengths of what is not measured in rounds."""

    rounds: int = 5
    seconds: float = 10  # of a round
    warm_s: float = 1  # before each round of ours
    broker_warm_s: float = 6  # once, for the broker's compiler
    sustain_s: float = 60  # P13
    idle_s: float = 20  # P12
    million: int = 1_000_000  # P14
    documents: int = 80_000  # P6, a round
    sink_documents: int = 1_500_000  # P6b, a round
    scale_rounds: int = 2  # P16
    scale_s: float = 4
    quick: bool = False

    def cut(self, rounds: int | None, seconds: float | None) -> Pace:
        """The same with other rounds; what is not measured in rounds shrinks or grows with them."""
        factor = (seconds or self.seconds) / self.seconds
        return replace(
            self,
            rounds=rounds or self.rounds,
            seconds=self.seconds * factor,
            warm_s=min(self.warm_s, self.warm_s * factor * 2),
            broker_warm_s=self.broker_warm_s * factor,
            sustain_s=self.sustain_s * factor,
            idle_s=self.idle_s * factor,
            million=_thousands(self.million * factor),
            documents=_thousands(self.documents * factor),
            sink_documents=_thousands(self.sink_documents * factor),
            scale_rounds=min(self.scale_rounds, rounds or self.scale_rounds),
            scale_s=self.scale_s * factor,
        )

    @property
    def text(self) -> str:
        return f"{self.rounds} rounds of {self.seconds:g} s" + (", quick" if self.quick else "")


def _thousands(count: float) -> int:
    return max(1000, round(count / 1000) * 1000)


FULL = Pace()
QUICK = Pace(
    rounds=2,
    seconds=3,
    warm_s=0.5,
    broker_warm_s=2,
    sustain_s=10,
    idle_s=5,
    million=100_000,
    documents=30_000,
    sink_documents=400_000,
    scale_rounds=1,
    scale_s=2,
    quick=True,
)
