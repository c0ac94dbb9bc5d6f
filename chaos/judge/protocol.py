# SPDX-License-Identifier: Apache-2.0
"""What runner and judge say to each other: one JSON object a line, an answer to each request."""

from __future__ import annotations

from dataclasses import dataclass, field

# {"do": "begin", "run": {…}} is answered with {"ok": …} or {"error": "…"}.
REQUESTS = ("watch", "begin", "struck", "healed", "counts", "end", "close")

# Events of others have texts that begin with this: compared and counted like all, but not asked after.
FOREIGN = "foreign:"


@dataclass
class Target:
    """The mesh that is judged; the judge knows it by its addresses only."""

    http_ports: list[int]  # one a worker, in turn; HAProxy's port where there are several pods
    grpc_addresses: list[str]
    live_url: str  # ws://…, the live counters; empty: not sampled
    path: str  # of the stream, "/input"
    stream: str
    topic: str
    collection: str
    database: str
    count_by: str
    kafka: str  # the stores themselves, past any proxy
    redis: str
    mongo: str
    ops: dict[str, str]  # "api": "http://127.0.0.1:…", for queue levels
    state_file: str  # the stack's state.json: pids, as of now


@dataclass
class Run:
    """One row: from begin to end. Times in seconds."""

    name: str
    seed: int
    events_s: float
    workers: int
    first_ack_s: float | None
    exact_s: float | None
    struck_min: int
    acked_min: int
    patience_s: float = 30  # beyond exact_s, to see when equality comes at last
    retry_s: float = 30  # at the end, what is unknown or broken is sent again for so long
    http_only: bool = False  # nothing is sent by gRPC
    late_answers: bool = False  # the way from the judge to the entrances is disturbed: lateness is no violation


@dataclass
class Counts:
    """Events of this run so far, by what they were answered."""

    sent: int = 0
    acked: int = 0
    refused: int = 0  # certainly not stored
    unknown: int = 0  # 504, and not yet cleared up by a retry
    broken: int = 0  # no whole answer, and not yet cleared up
    retries: int = 0  # requests that were sent again


@dataclass
class Verdict:
    """What the judge found at the end of a run."""

    acked: int = 0
    struck: int = 0
    lost: int = 0  # acknowledged events without their document, or not in Kafka where the answer said
    doubled: int = 0  # events with more than one document
    counter_error: int = 0  # greatest difference of a count from what Kafka holds, at rest, or above it at any sample
    first_ack_s: float | None = None  # from healing to the first 2xx by HTTP and by gRPC, the later; 0: never stopped
    exact_s: float | None = None  # from healing until Kafka = Redis = MongoDB; None: did not come
    void: bool = False  # too little traffic or too few strikes: it says nothing
    violations: list[str] = field(default_factory=list)  # "I4: …", each with the event's token
    figures: dict[str, float] = field(default_factory=dict)  # what else was measured

    @property
    def ok(self) -> bool:
        return not self.void and not self.violations
