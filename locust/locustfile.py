# SPDX-License-Identifier: Apache-2.0
"""The default scenario, the course's: 10 users send 10,000 requests of one event each.

Target rate: as fast as 10 users without pauses can. Limit it checks: no request may fail; each
answer must be 202 with id, partition and offset. One failure fails the run (exit code 1).
"""

from checks import accepted
from scenario import EventUser, plan, prepare

from locust import task

prepare("default", requests=10_000)

HEADERS = {"Content-Type": "application/json"}


class Client(EventUser):
    @task
    def send_event(self) -> None:
        ticket = self.next_ticket()
        try:
            [body] = plan.bodies_of(ticket)
            self.send(body, accepted, name=self.path, headers=HEADERS)
        finally:
            self.finish_ticket()
