# SPDX-License-Identifier: Apache-2.0
"""Tickets in a distributed run: the master owns the budget and leases tickets to the workers.

Messages: a worker sends `tickets_ask` {lease, done, wanted}, the master answers `tickets_grant`
{lease, first, count}; count 0 means that there are none left. `lease` is a number that the
worker chose, so that an answer from before a restart is recognised and dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import gevent
from budget import Budget, lease_size
from gevent.event import Event

from locust import runners

WATCH_S = 1.0

# Debian's package has an empty version, and a master takes a worker that sends one for older
# than 2.0 and turns it away.
runners.__version__ = runners.__version__ or "2"


class LeaseDesk:
    """The master's side. Calls over() whenever the budget may have come to its end."""

    def __init__(self, runner: runners.MasterRunner, over: Callable[[], None]) -> None:
        self._runner = runner
        self._over = over
        self._budget = Budget(0)
        self._leased: dict[str, int] = {}  # tickets that each worker still has to finish
        runner.register_message("tickets_ask", self._answer)
        runner.greenlet.spawn(self._watch)

    def restart(self, budget: Budget) -> None:
        self._budget = budget
        self._leased.clear()

    def _answer(self, environment, msg, **_) -> None:
        worker = msg.node_id
        done = min(msg.data["done"], self._leased.get(worker, 0))
        self._leased[worker] = self._leased.get(worker, 0) - done
        self._budget.finish(done)
        if msg.data["wanted"]:
            tickets = self._budget.take(lease_size(self._budget, self._runner.worker_count))
            self._leased[worker] += len(tickets)
            grant = {"lease": msg.data["lease"], "first": tickets.start, "count": len(tickets)}
            self._runner.send_message("tickets_grant", grant, worker)
        self._over()

    def _watch(self) -> None:
        """Gives up the tickets of workers that went away; else the run would never end."""
        while True:
            gevent.sleep(WATCH_S)
            for worker in list(self._leased):
                node = self._runner.clients.get(worker)
                if node is None or node.state == runners.STATE_MISSING:
                    self._budget.lose(self._leased.pop(worker))
                    self._over()


class LeasedBudget:
    """A worker's side; stands in for Budget. take() may block for one round trip."""

    total = None
    over = False  # only the master knows
    complete = True

    def __init__(self, runner: runners.WorkerRunner) -> None:
        self._runner = runner
        self._lease = 0
        self._arrived = Event()
        runner.register_message("tickets_grant", self._receive)
        self.restart()

    def restart(self) -> None:
        self._lease += 1
        self._tickets: deque[int] = deque()
        self._done = 0  # since the last message
        self._running = 0
        self._asked = False
        self._closed = False
        self._arrived.clear()

    def take(self) -> range:
        while not self._tickets and not self._closed:
            if not self._asked:
                self._asked = True
                self._arrived.clear()
                self._report(wanted=True)
            self._arrived.wait()
        if not self._tickets:
            return range(0)
        self._running += 1
        ticket = self._tickets.popleft()
        return range(ticket, ticket + 1)

    def finish(self) -> None:
        self._done += 1
        self._running -= 1
        if self._closed and not self._running and not self._tickets:
            self._report(wanted=False)

    def _report(self, wanted: bool) -> None:
        done, self._done = self._done, 0
        message = {"lease": self._lease, "done": done, "wanted": wanted}
        self._runner.send_message("tickets_ask", message)

    def _receive(self, environment, msg, **_) -> None:
        if msg.data["lease"] != self._lease:
            return
        first, count = msg.data["first"], msg.data["count"]
        self._tickets.extend(range(first, first + count))
        self._asked = False
        self._closed = count == 0
        self._arrived.set()
        if self._closed and not self._running:
            self._report(wanted=False)
