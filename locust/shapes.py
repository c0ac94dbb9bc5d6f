# SPDX-License-Identifier: Apache-2.0
"""Load over time: a list of stages, each with a number of users for some seconds.

Every user sends at most RATE_PER_USER requests a second (stage.py), so users say what the rate
should be; a lower one says that the mesh, or this load generator, does not keep up.
"""

from __future__ import annotations

from dataclasses import asdict

from scenario import number, plan
from stage import Stage

from locust import LoadTestShape, events

USERS_STARTED_PER_S = 100
STAGE_S_MIN = 4  # the shape is looked at once a second


class Stages(LoadTestShape):
    """Runs the stages of stages_for() one after the other, then ends the run."""

    abstract = True

    def __init__(self) -> None:
        super().__init__()
        self.stages: list[Stage] = []

    def stages_for(self, seconds: float) -> list[Stage]:
        raise NotImplementedError

    def judge(self, stage: Stage) -> str | None:
        """Returns what is wrong with a stage that has ended, if anything."""
        return None

    def reset_time(self) -> None:
        super().reset_time()
        self.stages = self.stages_for(plan.options.stage_seconds)

    def tick(self) -> tuple[int, float] | None:
        into_s = self.get_run_time()
        for stage in self.stages:
            if into_s < stage.seconds:
                stage.sample(into_s, self.runner.stats.total.num_requests)
                return stage.users, USERS_STARTED_PER_S
            into_s -= stage.seconds
        plan.stages = [asdict(stage) for stage in self.stages]
        plan.findings.extend(filter(None, map(self.judge, self.stages)))
        return None


@events.init_command_line_parser.add_listener
def _add_stage_seconds(parser) -> None:
    parser.add_argument(
        "--stage-seconds",
        type=number(float, STAGE_S_MIN, 86_400),
        default=30.0,
        env_var="TWEETMESH_STAGE_SECONDS",
        help=f"How long a stage of the load lasts, at least {STAGE_S_MIN} (30).",
    )
