# SPDX-License-Identifier: Apache-2.0
"""Many events a request, in turn as a JSON array and as NDJSON.

Target rate: as fast as 10 users can, 100 requests of 100 events. Limit it checks: each answer is
202 with every event accepted and a receipt for each; batches up to the API's 1,000 events.
"""

from checks import batch_accepted
from scenario import EventUser, plan, prepare

from locust import task

prepare("batch", requests=100, batch=100)


class Client(EventUser):
    @task
    def send_batch(self) -> None:
        ticket = self.next_ticket()
        try:
            bodies = plan.bodies_of(ticket)
            if ticket % 2:
                body, kind = b"\n".join(bodies) + b"\n", "application/x-ndjson"
            else:
                body, kind = b"[" + b",".join(bodies) + b"]", "application/json"
            self.send(
                body,
                lambda answer: batch_accepted(answer, len(bodies)),
                name=f"{self.path} {kind}",
                headers={"Content-Type": kind},
            )
        finally:
            self.finish_ticket()
