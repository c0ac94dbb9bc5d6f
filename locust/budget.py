# SPDX-License-Identifier: Apache-2.0
"""How many requests are left to send, so that a run sends exactly as many as it was told to.

A ticket is the number of one request. It also says which events of the file the request carries,
so a distributed run sends the same events as a local one, whichever worker takes the ticket.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Budget:
    """Counts tickets. total is None where time, not a number, ends the run."""

    total: int | None
    taken: int = 0
    done: int = 0
    lost: int = 0  # handed to a worker that went away; they will never be done

    def take(self, count_max: int = 1) -> range:
        """Returns the next tickets, at most count_max; an empty range when all are taken."""
        count = count_max if self.total is None else min(count_max, self.total - self.taken)
        first = self.taken
        self.taken += count
        return range(first, first + count)

    def finish(self, count: int = 1) -> None:
        self.done += count

    def lose(self, count: int) -> None:
        self.lost += count

    @property
    def over(self) -> bool:
        """Nothing is left to wait for."""
        return self.total is not None and self.done + self.lost >= self.total

    @property
    def complete(self) -> bool:
        """Everything that was asked for has been sent and answered."""
        return self.total is None or self.done >= self.total


def lease_size(budget: Budget, worker_count: int) -> int:
    """Tickets for one worker at once: many at first, few near the end, so all end together."""
    left = budget.total - budget.taken
    return max(1, min(100, left // (2 * max(1, worker_count))))
