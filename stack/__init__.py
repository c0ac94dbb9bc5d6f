# SPDX-License-Identifier: Apache-2.0
"""Real Kafka, Redis and a MongoDB server on loopback, and our programs on top. See README.md."""

from stack.component import Component, External, Home
from stack.kafka import Kafka
from stack.mesh import Mesh, Options
from stack.mongo import Mongo
from stack.process import StackError, poll_until
from stack.program import Program
from stack.redis_server import Redis

__all__ = [
    "Component",
    "External",
    "Home",
    "Kafka",
    "Mesh",
    "Mongo",
    "Options",
    "Program",
    "Redis",
    "StackError",
    "poll_until",
]
