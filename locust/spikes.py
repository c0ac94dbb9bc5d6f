# SPDX-License-Identifier: Apache-2.0
"""Calm traffic with short spikes of ten times as much.

Target rate: 100 requests/s for 30 s, then 1,000 for 10 s, three times, and calm again. Limit it
checks: the bounded queues. A full one may refuse with 503 and Retry-After, nothing else may go
wrong, and who comes back when told to (same Idempotency-Key) is served within five attempts.
"""

from __future__ import annotations

import uuid

import gevent
from checks import Answer, accepted, busy, retry_after_s
from scenario import EventUser, plan, prepare
from shapes import STAGE_S_MIN, Stages
from stage import RATE_PER_USER, Stage

from locust import constant_throughput, task

ATTEMPTS_MAX = 5
ROUNDS = 3

prepare("spikes", requests=None)


class Spikes(Stages):
    def stages_for(self, seconds: float) -> list[Stage]:
        spike_s = max(STAGE_S_MIN, seconds / 3)
        pairs = [(10, seconds), (100, spike_s)] * ROUNDS + [(10, seconds)]
        return [Stage(users, length) for users, length in pairs]


def accepted_or_busy(answer: Answer) -> str | None:
    return busy(answer) if answer.status == 503 else accepted(answer)


class Client(EventUser):
    wait_time = constant_throughput(RATE_PER_USER)

    @task
    def send_until_accepted(self) -> None:
        [body] = plan.bodies_of(self.next_ticket())
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        for attempt in range(1, ATTEMPTS_MAX + 1):
            check = accepted_or_busy if attempt < ATTEMPTS_MAX else accepted
            name = self.path if attempt == 1 else f"{self.path} again"
            answer = self.send(body, check, name=name, headers=headers)
            if answer.status != 503:
                return
            gevent.sleep(retry_after_s(answer) or 1)
