# SPDX-License-Identifier: Apache-2.0
"""Goal: /openapi.json is a true description: what it promises holds for any body anybody can think of.

Method: schemathesis makes requests from it, good and bad, and judges each answer by it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from support.events import tweet
from support.http import Client
from support.tested import Tested

CHECKS: list[Callable] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
]


@pytest.fixture(scope="module")
def document(client: Client) -> dict:
    answer = client.get("/openapi.json")
    assert answer.status == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    return answer.json


@pytest.fixture(scope="module")
def described(entrance: Tested, document: dict) -> schemathesis.BaseSchema:
    """The description, aimed at the running api."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"http://127.0.0.1:{entrance.http_port}")
    rejection = schema.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "207"]  # a batch with some good events
    # 413: too many events, or one too large; 207: a list of which some events fit and some do not.
    rejection = schema.config.checks.negative_data_rejection
    rejection.expected_statuses = [*rejection.expected_statuses, "207", "413"]
    return schema


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
def test_every_answer_is_as_described(described: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    operations = [found.ok() for found in described.get_all_operations()]
    assert operations
    for operation in operations:
        try:
            strategy = operation.as_strategy(generation_mode=mode)
        except Unsatisfiable:
            continue
        drive(strategy)


def drive(cases: SearchStrategy[schemathesis.Case]) -> None:
    @settings(
        derandomize=True,
        deadline=None,
        database=None,
        max_examples=150,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def judge(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    judge()


def test_it_is_openapi_3_1(document: dict) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] and document["info"]["version"]


def test_it_embeds_the_schema_of_the_stream(document: dict, entrance: Tested) -> None:
    declared = entrance.stream.schema["properties"]
    text = json.dumps(document)
    assert entrance.stream.path in document["paths"]
    for name in declared:
        assert f'"{name}"' in text
    assert '"maxLength": 4000' in text


def test_it_describes_every_refusal(document: dict, entrance: Tested) -> None:
    responses = document["paths"][entrance.stream.path]["post"]["responses"]
    assert set(responses) >= {"202", "207", "400", "408", "413", "415", "422", "503", "504"}
    for status, response in responses.items():
        if int(status) >= 400:
            assert "application/problem+json" in response["content"], status


def test_its_schemas_are_json_schemas(document: dict) -> None:
    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "schema" in node and isinstance(node["schema"], dict):
                jsonschema.Draft202012Validator.check_schema(node["schema"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    for schema in document.get("components", {}).get("schemas", {}).values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_answers_of_the_happy_paths_fit(client: Client, document: dict, entrance: Tested) -> None:
    responses = document["paths"][entrance.stream.path]["post"]["responses"]
    for body, status in ((tweet(), 202), ([tweet(), tweet(1)], 202), ([tweet(), {}], 207), ({}, 422), (b"{", 400)):
        answer = client.post(entrance.stream.path, body)
        assert answer.status == status, answer.body
        schema = responses[str(status)]
        if "$ref" in schema:
            schema = resolve(document, schema["$ref"])
        content = schema["content"][answer.headers["content-type"].split(";")[0]]["schema"]
        jsonschema.Draft202012Validator({**content, "components": document.get("components", {})}).validate(answer.json)


def resolve(document: dict, reference: str) -> dict:
    found: object = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found
