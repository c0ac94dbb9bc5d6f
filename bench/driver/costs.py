# SPDX-License-Identifier: Apache-2.0
"""What an event costs, taken together from the rows: CPU of every process, bytes, and the rates they were measured at.

Only rows that count: a void row's costs are no costs. What was not measured is missing.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.driver.row import Row

EVENT, DOCUMENT = "CPU µs/event", "every process' CPU µs/document"
# Kind of cost, the row it stands behind, and what it is called there.
KINDS = (
    ("single", "P1", EVENT),  # one event a request, up to the acknowledgement and the hint
    ("batch", "P4", EVENT),  # the same, 100 a request
    ("archive", "P6b-cpu", DOCUMENT),  # reading, inserting and settling, into a server that does nothing
    ("mongodb", "P6", DOCUMENT),  # the same, into the server that stands in MongoDB's place
)
RATES = ("events/s", "documents/s")
BYTES = ("bytes/event", "bytes/document")


def costs(rows: Iterable[Row]) -> dict[str, dict]:
    """{"single": {"cpu_us": {"api": …}, "bytes": {…}, "per_s": …}, "batch": …, "archive": …, "mongodb": …}"""
    by_name = {row.goal.name: row for row in rows if not row.void}
    found = {}
    for kind, name, cpu in KINDS:
        row = by_name.get(name)
        if row is None or cpu not in row.behind:
            continue
        behind = row.behind
        found[kind] = {
            "cpu_us": dict(behind[cpu]),
            "bytes": dict(next((behind[each] for each in BYTES if each in behind), {})),
            "per_s": next((behind[each] for each in RATES if each in behind), None),
        }
    return found
