# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the contract tests: hypothesis without chance, so that a failure comes again."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from support.http import Client
from support.tested import Tested

from stack.go_tools import grpcurl

settings.register_profile(
    "contract",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=int(os.environ.get("TWEETMESH_EXAMPLES", "200")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
settings.load_profile("contract")


@pytest.fixture(scope="module")
def entrance(make_module_mesh) -> Tested:
    """What it takes to accept events: api and grpc-server."""
    return make_module_mesh("grpc-server", "api")


@pytest.fixture(scope="module")
def client(entrance: Tested) -> Client:
    return entrance.client()


@pytest.fixture(scope="session")
def grpcurl_path() -> str:
    """$TWEETMESH_GRPCURL, or the one that is built into the cache folder."""
    return os.environ.get("TWEETMESH_GRPCURL") or str(grpcurl())
