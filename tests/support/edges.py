# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicies as what they let through: an edge is a direction, the component whose pods it is for, and ports.

Who is at the other end (`from`, `to`) is not looked at, and DNS, which every pod may ask, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

Edge = tuple[str, str, tuple[int, ...]]
ALL = "all"  # as component: of every pod of the chart
COMPONENT = "app.kubernetes.io/component"
DNS: Edge = ("egress", ALL, (53, 53))


def named_edges(policies: Iterable[dict]) -> set[tuple[str, Edge]]:
    """Each with the name of its policy."""
    found = set()
    for policy in policies:
        component = policy["spec"]["podSelector"]["matchLabels"].get(COMPONENT, ALL)
        for direction in ("ingress", "egress"):
            for rule in policy["spec"].get(direction, []):
                edge = (direction, component, tuple(port["port"] for port in rule["ports"]))
                found.add((policy["metadata"]["name"], edge))
    return {(name, edge) for name, edge in found if edge != DNS}


def edges(policies: Iterable[dict]) -> set[Edge]:
    return {edge for _, edge in named_edges(policies)}
