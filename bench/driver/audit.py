# SPDX-License-Identifier: Apache-2.0
"""Whether Kafka, Redis and the archive hold exactly the events of a row."""

from __future__ import annotations

import json
from dataclasses import dataclass

from stack.mesh import Mesh
from stack.process import StackError

AUDIT_SECONDS = 900


@dataclass
class Stream:
    """A stream of one row, and how many of its events were acknowledged."""

    name: str
    path: str
    topic: str
    collection: str
    partitions: int
    acked: int = 0


def audited(mesh: Mesh, streams: list[Stream], archived: int | None) -> list[str]:
    """What is wrong. archived: what kafka-consumer has counted, where the archive keeps nothing (mongo-sink)."""
    done = mesh.audit("--json", "--groups", seconds=AUDIT_SECONDS)
    try:
        found = json.loads(done.stdout)["streams"]
    except (json.JSONDecodeError, KeyError):
        raise StackError(f"audit ended with {done.returncode}: {(done.stderr or done.stdout).strip()[:300]}") from None
    faults = [fault for each in streams for fault in faults_of(each, found[each.name], stored=archived is None)]
    acked = sum(each.acked for each in streams)
    if archived is not None and archived != acked:
        faults.append(f"{archived:,} documents archived, {acked:,} events acknowledged")
    return faults


def faults_of(stream: Stream, found: dict, *, stored: bool) -> list[str]:
    """found: what audit says of this stream. stored: documents are kept, so audit has compared them, too."""
    counts = {name: found[name] for name in ("kafka_records", "kafka_events", "redis", "shown")}
    if stored:
        counts["mongo"] = found["mongo"]
    faults = [
        f"{stream.name}: {name} {n:,}, acknowledged {stream.acked:,}" for name, n in counts.items() if n != stream.acked
    ]
    if stored and not found["equal"]:
        faults.append(f"{stream.name}: audit says different: {str(found.get('differences'))[:200]}")
    groups = [each for each in found.get("differences", []) if "group" in each]
    unequal = [each["group"] for each in groups if not each["kafka"] == each["redis"] == each["shown"]]
    if unequal:
        faults.append(f"{stream.name}: groups differ: {', '.join(unequal[:5])}")
    return faults
