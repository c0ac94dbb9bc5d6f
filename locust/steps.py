# SPDX-License-Identifier: Apache-2.0
"""Load that doubles step by step.

Target rate: 100, 200, 400, 800 requests/s, 30 s each. Limit it checks: no request fails, and each
step reaches at least 90 % of its target; the summary has the rate of each step.
"""

from __future__ import annotations

from checks import accepted
from scenario import EventUser, plan, prepare
from shapes import Stages
from stage import RATE_PER_USER, Stage

from locust import constant_throughput, task

RATE_SHARE_MIN = 0.9
HEADERS = {"Content-Type": "application/json"}

prepare("steps", requests=None)


class Steps(Stages):
    def stages_for(self, seconds: float) -> list[Stage]:
        return [Stage(users, seconds) for users in (10, 20, 40, 80)]

    def judge(self, stage: Stage) -> str | None:
        if stage.reached(RATE_SHARE_MIN):
            return None
        return f"{stage.rate or 0:.0f} of {stage.rate_target:.0f} requests/s reached"


class Client(EventUser):
    wait_time = constant_throughput(RATE_PER_USER)

    @task
    def send_event(self) -> None:
        [body] = plan.bodies_of(self.next_ticket())
        self.send(body, accepted, name=self.path, headers=HEADERS)
