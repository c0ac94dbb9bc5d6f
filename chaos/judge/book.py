# SPDX-License-Identifier: Apache-2.0
"""The book of one run: what was sent, how each event was answered, and when."""

from __future__ import annotations

import bisect
import heapq
import threading
import time
from array import array

from chaos.judge.answers import REQUEST_S_MAX, SLACK_S, Answered, Told, text_of
from chaos.judge.findings import Findings
from chaos.judge.halts import Halts
from chaos.judge.plan import Entrance, Event, Names, Outcome, Plan, Request, place_of
from chaos.judge.protocol import Counts, Run

OPEN = (Outcome.UNKNOWN, Outcome.BROKEN, Outcome.UNSENT)  # may be cleared up by a retry
RETRIED_REFUSALS = 0.3  # of the refused with a key: sent again, as clients do; the others must never turn up
RETRY_S_MAX = 2.0
STEADY_S = 1.0  # acked within so long before healing: it never stopped


class Book:
    """Threads: any."""

    def __init__(self, run: Run, label: str, findings: Findings, halts: Halts) -> None:
        self.run = run
        self.names = Names(label)
        self.findings = findings
        self.plan = Plan(run.seed, self.names, run.http_only)
        self.lock = threading.Lock()  # guards all below
        self.acked_at = {is_http: array("d") for is_http in ((True,) if run.http_only else (True, False))}
        self.latencies = {entrance: array("f") for entrance in Entrance}
        self.words: dict[str, int] = {}  # answers by status, a request each
        self.acked_by = [0] * len(Entrance)  # events
        self.retries = 0
        self.open: dict[int, Request] = {}  # keyed, not cleared up; by number of the first event
        self.last_answer = time.monotonic()
        self._halts = halts
        self._outcomes = [0] * len(Outcome)
        self._due: list[tuple[float, int]] = []

    def take(self) -> Request:
        """The next request of the plan."""
        with self.lock:
            request = self.plan.next()
            self._outcomes[Outcome.PENDING] += len(request.events)
            return request

    def take_probe(self) -> Request:
        with self.lock:
            request = self.plan.make(Entrance.SINGLE, True, [0], 0.0)
            self._outcomes[Outcome.PENDING] += 1
            return request

    def counts(self) -> Counts:
        with self.lock:
            by = self._outcomes
            sent = sum(by) - by[Outcome.PENDING]
            broken = by[Outcome.BROKEN] + by[Outcome.UNSENT]
            return Counts(sent, by[Outcome.ACKED], by[Outcome.REFUSED], by[Outcome.UNKNOWN], broken, self.retries)

    def enter(self, request: Request, answered: Answered, sent_at: float) -> None:
        """What became of a request that was sent just now, for the first time or again."""
        now = time.monotonic()
        first = self.names.token(request.events[0].number)
        for fault in answered.faults:
            self.findings.add("I7", f"{request.entrance.name}: {fault}", first)
        took = now - sent_at
        if took > REQUEST_S_MAX + SLACK_S and not self.run.late_answers:
            took -= self._halts.between(sent_at, now, "api" if request.entrance.is_http else "grpc-server")
            if took > REQUEST_S_MAX + SLACK_S:
                self.findings.add("I7", f"{request.entrance.name}: {answered.word} after {took:.1f} s", first)
        with self.lock:
            request.attempts += 1
            self.retries += request.attempts > 1
            self.last_answer = now
            word = f"{'http' if request.entrance.is_http else 'grpc'}_{answered.word}"
            self.words[word] = self.words.get(word, 0) + 1
            self.latencies[request.entrance].append(took)
            for event, told in zip(request.events, answered.told, strict=True):
                before = event.outcome
                self._tell(event, told)
                self.acked_by[request.entrance] += event.outcome == Outcome.ACKED != before
            if any(told.outcome == Outcome.ACKED for told in answered.told):
                self.acked_at[request.entrance.is_http].append(now)
            self._plan_retry(request, now)

    def _tell(self, event: Event, told: Told) -> None:
        if told.outcome == Outcome.ACKED:
            if told.id is not None and event.id is not None and event.id != told.id:
                token = self.names.token(event.number)
                self.findings.add("I4", f"was {text_of(event.id)}, after a retry {text_of(told.id)}", token)
            event.id = told.id if told.id is not None else event.id
            event.place = place_of(*told.place) if told.place is not None else None
        before = event.outcome
        if before == Outcome.ACKED:
            return
        if before in (Outcome.UNKNOWN, Outcome.BROKEN) and told.outcome in (Outcome.REFUSED, Outcome.UNSENT):
            return  # that attempt stored nothing; an earlier one may have
        self._outcomes[before] -= 1
        self._outcomes[told.outcome] += 1
        event.outcome = told.outcome

    def _plan_retry(self, request: Request, now: float) -> None:
        number = request.events[0].number
        unclear = any(event.outcome in OPEN for event in request.events)
        refused = request.chance > 1 - RETRIED_REFUSALS and any(
            event.outcome == Outcome.REFUSED for event in request.events
        )
        if not request.keyed or not (unclear or refused):
            self.open.pop(number, None)
            return
        self.open[number] = request
        if not request.patient:
            wait = min(RETRY_S_MAX, 0.2 * 2 ** min(request.attempts, 6))
            heapq.heappush(self._due, (now + wait, number))

    def due(self) -> Request | None:
        """A request that is to be sent again by now."""
        with self.lock:
            while self._due and self._due[0][0] <= time.monotonic():
                request = self.open.get(heapq.heappop(self._due)[1])
                if request is not None:
                    return request
            return None

    def left_open(self) -> list[Request]:
        with self.lock:
            return list(self.open.values())

    def first_ack_after(self, healed_at: float) -> float | None:
        """Seconds from healing to the first 2xx, by HTTP or gRPC, whichever came later; 0: neither ever stopped.

        None: none came to one of them. While api is down gRPC goes on, which must not hide it.
        """
        with self.lock:
            firsts = [_first_after(acked_at, healed_at) for acked_at in self.acked_at.values()]
        return None if None in firsts else max(firsts)


def _first_after(acked_at: array, healed_at: float) -> float | None:
    at = bisect.bisect_left(acked_at, healed_at)
    if at == len(acked_at):
        return None
    if at > 0 and healed_at - acked_at[at - 1] < STEADY_S:
        return 0.0
    return acked_at[at] - healed_at
