# SPDX-License-Identifier: Apache-2.0
"""Good requests with a share of bad ones of many kinds among them.

Target rate: as fast as 10 users can, 2,000 requests. Limit it checks: each bad request is refused
with its own status and a problem document (never a 5xx), and no good one suffers from it.
"""

from checks import accepted, refused
from faults import fault_of
from scenario import EventUser, number, plan, prepare

from locust import events, task

prepare("faulty", requests=2_000)

HEADERS = {"Content-Type": "application/json"}


@events.init_command_line_parser.add_listener
def add_share(parser) -> None:
    parser.add_argument(
        "--faulty-share",
        type=number(float, 0, 1),
        default=0.3,
        env_var="TWEETMESH_FAULTY_SHARE",
        help="How much of the requests is bad, 0 to 1 (0.3).",
    )


class Client(EventUser):
    @task
    def send_good_or_bad(self) -> None:
        ticket = self.next_ticket()
        try:
            fault = fault_of(ticket, plan.options.faulty_share)
            if fault:
                self._send_bad(fault)
            else:
                [body] = plan.bodies_of(ticket)
                self.send(body, accepted, name=self.path, headers=HEADERS)
        finally:
            self.finish_ticket()

    def _send_bad(self, fault) -> None:
        self.send(
            fault.body,
            lambda answer: refused(answer, fault.status),
            name=f"{fault.status} {fault.name}",
            method=fault.method,
            path=fault.path,
            headers={"Content-Type": fault.content_type},
        )
