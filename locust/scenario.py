# SPDX-License-Identifier: Apache-2.0
"""What all scenarios share: options, the tickets, the user that sends, the summary, the exit code.

A locustfile calls prepare() once and derives its users from EventUser. There is one plan a
process; Locust's events drive it: init loads the data, test_start opens the budget, the last
finished ticket ends the run, quitting writes the summary and decides the exit code.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path

import gevent
from budget import Budget
from checks import Answer
from client import OneAttemptAgent
from dataset import DataError, load
from latency import Latencies
from lease import LeasedBudget, LeaseDesk
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner

from locust import FastHttpUser, events

log = logging.getLogger("tweetmesh")

DEFAULT_DATA = Path(__file__).parent / "data" / "tweets.json"
LAST_REPORT_S_MAX = 10
STOP_S_MAX = 5.0
REQUESTS_MAX = 1_000_000_000
BATCH_MAX = 1_000  # what the API takes in one request


class Plan:
    """The one scenario that this process runs."""

    def __init__(self) -> None:
        self.name = ""
        self.requests: int | None = None  # by default; None: time ends the run
        self.batch = 1  # events a request
        self.once = False  # the file once instead of a number of requests
        self.options = None
        self.bodies: list[bytes] = []
        self.budget: Budget | LeasedBudget = Budget(None)
        self.desk: LeaseDesk | None = None  # on the master only
        self.latencies = Latencies()
        self.stages: list[dict] = []  # what a load shape measured
        self.findings: list[str] = []  # what fails the run beside failed requests
        self.ending = False

    def bodies_of(self, ticket: int) -> list[bytes]:
        """The events that this ticket's request carries; the file is read round and round."""
        first = ticket * self.batch
        last = first + self.batch
        if self.once:  # the last batch may be short
            last = min(last, len(self.bodies))
        return [self.bodies[index % len(self.bodies)] for index in range(first, last)]

    def restart(self) -> int | None:
        """Forgets what the last run measured; returns how many requests the new one makes."""
        self.latencies = Latencies()
        self.stages.clear()
        self.findings.clear()
        self.ending = False
        if self.requests is None:
            return None
        self.batch = getattr(self.options, "batch_size", 1)
        self.once = self.options.requests == 0
        return self.options.requests or -(-len(self.bodies) // self.batch)


plan = Plan()


def prepare(name: str, *, requests: int | None, batch: int = 1) -> None:
    """Names the scenario. requests: how many by default; None where a load shape ends the run."""
    plan.name, plan.requests, plan.batch = name, requests, batch


class EventUser(FastHttpUser):
    """A client with one kept-alive connection that sends a request for each ticket it gets."""

    abstract = True
    host = "http://127.0.0.1:8080"
    path = os.environ.get("TWEETMESH_PATH", "/input")

    def __init__(self, environment) -> None:
        super().__init__(environment)
        self.client.client = OneAttemptAgent()

    def next_ticket(self) -> int:
        """Returns the number of the next request. Ends this user when none is left."""
        tickets = plan.budget.take()
        if not tickets:
            raise StopUser()
        return tickets[0]

    def finish_ticket(self) -> None:
        plan.budget.finish()
        end_if_over(self.environment)

    def send(self, body, check, *, name, method="POST", path=None, headers=None) -> Answer:
        """Sends one request and has Locust count it by what check(answer) says of the answer."""
        start = time.perf_counter()
        with self.client.request(
            method,
            path or self.path,
            name=name,
            data=body,
            headers=dict(headers or {}),
            catch_response=True,
        ) as response:
            # Locust 2.24 cuts this to whole milliseconds.
            response.request_meta["response_time"] = (time.perf_counter() - start) * 1000
            answer = _answer(response)
            wrong = check(answer)
            if wrong:
                response.failure(wrong)
            else:
                response.success()
        return answer


def end_if_over(environment) -> None:
    """Ends the run when the last ticket is done; harmless to call again."""
    if plan.budget.over and not plan.ending:
        plan.ending = True
        # Not from here: this may be a user's own greenlet, which stopping kills.
        gevent.spawn(_end, environment)


def _end(environment) -> None:
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        _wait_for_reports(environment)
    if environment.parsed_options.headless:
        runner.quit()
    else:
        runner.stop()


def _wait_for_reports(environment) -> None:
    """Workers report every few seconds; without the last report the figures would be short."""
    deadline = time.monotonic() + LAST_REPORT_S_MAX
    while environment.stats.total.num_requests < plan.budget.done and time.monotonic() < deadline:
        gevent.sleep(0.1)


def _answer(response) -> Answer:
    if response.status_code == 0:
        error = response.error
        return Answer(0, {}, b"", type(error).__name__ + (f" {error}" if str(error) else ""))
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content or b"")


def number(kind: type, low: float, high: float):
    """Returns a type for an option: a number of this kind within these limits."""

    def convert(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return value

    return convert


@events.init_command_line_parser.add_listener
def _add_options(parser) -> None:
    if plan.requests is not None:
        parser.add_argument(
            "--requests",
            type=number(int, 0, REQUESTS_MAX),
            default=plan.requests,
            env_var="TWEETMESH_REQUESTS",
            help=f"Requests in total, over all users; 0: the data file once ({plan.requests}).",
        )
    if plan.batch > 1:
        parser.add_argument(
            "--batch-size",
            type=number(int, 2, BATCH_MAX),
            default=plan.batch,
            env_var="TWEETMESH_BATCH_SIZE",
            help=f"Events a request, 2 to {BATCH_MAX} ({plan.batch}).",
        )
    parser.add_argument(
        "--data",
        default=str(DEFAULT_DATA),
        env_var="TWEETMESH_DATA",
        include_in_web_ui=False,
        help="File of events: NDJSON, JSON array, or objects separated by commas.",
    )
    parser.add_argument(
        "--summary",
        default="",
        env_var="TWEETMESH_SUMMARY",
        include_in_web_ui=False,
        help="File to write the result to, as JSON.",
    )
    if plan.requests is not None:
        parser.set_defaults(num_users=10, spawn_rate=10)


@events.init.add_listener
def _load_data(environment, **_) -> None:
    plan.options = environment.parsed_options
    if plan.options.summary and not isinstance(environment.runner, WorkerRunner):
        # A run that never starts must not leave an older run's result to be taken for its own.
        Path(plan.options.summary).unlink(missing_ok=True)
    try:
        plan.bodies = load(plan.options.data)
    except DataError as error:
        print(f"locust: {error}", file=sys.stderr)
        sys.exit(2)
    # Without it, users that are stopped are cut off in the middle of a request.
    environment.stop_timeout = environment.stop_timeout or STOP_S_MAX
    runner = environment.runner
    if plan.requests is None:
        return
    if isinstance(runner, MasterRunner):
        plan.desk = LeaseDesk(runner, lambda: end_if_over(environment))
    elif isinstance(runner, WorkerRunner):
        plan.budget = LeasedBudget(runner)


@events.test_start.add_listener
def _open_budget(environment, **_) -> None:
    total = plan.restart()
    if isinstance(plan.budget, LeasedBudget):
        plan.budget.restart()
        return
    plan.budget = Budget(total)
    if plan.desk:
        plan.desk.restart(plan.budget)


@events.request.add_listener
def _count_latency(start_time, response_time, **_) -> None:
    plan.latencies.add(start_time, response_time)


@events.report_to_master.add_listener
def _send_latencies(client_id, data) -> None:
    data["tweetmesh_latencies"] = plan.latencies.drain()


@events.worker_report.add_listener
def _take_latencies(client_id, data) -> None:
    plan.latencies.merge(data.get("tweetmesh_latencies") or {"counts": []})


@events.quitting.add_listener
def _conclude(environment, **_) -> None:
    if isinstance(environment.runner, WorkerRunner):
        return
    summary = _summarise(environment)
    if summary["errors"]:
        environment.process_exit_code = environment.parsed_options.exit_code_on_error
    path = environment.parsed_options.summary
    if not path:
        return
    try:
        Path(path).write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        log.error("cannot write the summary to %s: %s", path, error.strerror)
        environment.process_exit_code = 2


def _summarise(environment) -> dict:
    stats, latencies = environment.stats, plan.latencies
    errors = [
        {"name": error.name, "error": str(error.error), "count": error.occurrences}
        for error in stats.errors.values()
    ]
    errors += [
        {"name": "user", "error": row["msg"], "count": row["count"]}
        for row in environment.runner.exceptions.values()
    ]
    errors += [{"name": plan.name, "error": finding, "count": 1} for finding in plan.findings]
    budget = plan.budget
    if not budget.complete and environment.parsed_options.headless:
        reason = f"only {budget.done} of {budget.total} requests were made"
        errors.append({"name": plan.name, "error": reason, "count": 1})
    requests = stats.total.num_requests
    summary = {
        "scenario": plan.name,
        "users": environment.runner.target_user_count,
        "requests": requests,
        "failures": stats.total.num_failures,
        "requests_per_s": round(requests / latencies.seconds, 1) if latencies.seconds else 0.0,
        "seconds": round(latencies.seconds, 3),
    }
    for percent in (50, 95, 99):
        summary[f"p{percent}_ms"] = latencies.percentile_ms(percent / 100)
    if plan.stages:
        summary["stages"] = plan.stages
    return {**summary, "errors": errors}
