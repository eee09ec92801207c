"""The server does what its OpenAPI document says, and nothing else."""

from __future__ import annotations

import json

import httpx
import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from poise.project import Project
from poise.serve.http.routes import OPERATIONS

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
NAMES = [*(operation.name for operation in OPERATIONS), "health", "ready", "metrics"]
BY_LINES = {operation.name for operation in OPERATIONS if operation.lines}
BEYOND_A_SCHEMA = (  # what a schema cannot say
    "got `float`",  # 5.0 where a whole number is due, which JSON Schema takes for one
    "is not between 1973 and 2100",
    "is before 1990-01-01 (earliest in [data.cleaning])",
    "(latest in [data.cleaning])",
    "Invalid RFC3339 encoded datetime",  # the second 60, of a minute that has none
    "give either user_id or history, not both",
    "offset goes with the request_id",
    "the catalogue has no column",
    "holds no numbers, so min and max do not go with it",
)


@pytest.fixture(scope="module")
def token(copy_shop):
    folder = copy_shop()
    with Project(folder).open_store() as store:
        return folder, store.create_key("schemathesis", ["read", "write", "admin"])[1]


@pytest.fixture(scope="module")
def schema(token, start):
    @schemathesis.serializer("application/x-ndjson")
    def lines(context, value):
        return (value if isinstance(value, str) else json.dumps(value)).encode(errors="replace")

    server = start(token[0], is_open=False)
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    schema.config.generation.update(with_security_parameters=False)
    return schema


@pytest.fixture(scope="module")
def session(token):
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token[1]}"
        yield session


def test_the_openapi_document_is_valid(schema):
    schema.validate()


def test_the_openapi_document_names_every_operation(schema):
    document = schema.raw_schema
    named = {
        (method.upper(), path): described
        for path, operations in document["paths"].items()
        for method, described in operations.items()
    }
    assert {(operation.method, operation.path) for operation in OPERATIONS} <= set(named)
    assert sorted(described["operationId"] for described in named.values()) == sorted(NAMES)
    for operation in OPERATIONS:
        described = named[operation.method, operation.path]
        assert operation.scope in described["description"]
        assert {"401", "403", "422", "429", "503", str(operation.status)} <= set(described["responses"])
        assert ("404" in described["responses"]) == (
            "{" in operation.path or operation.name == "recommend"
        ) or operation.name == "eraseUser"


@pytest.mark.parametrize(
    "operation", [operation for operation in OPERATIONS if operation.body], ids=lambda operation: operation.name
)
def test_the_examples_of_the_openapi_document_work(schema, session, operation):
    document = schema.raw_schema
    (content,) = document["paths"][operation.path][operation.method.lower()]["requestBody"]["content"].values()
    example = content["example"]
    if not operation.lines:
        checker = jsonschema_rs.validator_for({**content["schema"], "components": document["components"]})
        assert checker.is_valid(example)
        example = json.dumps(example)
    url = schema.get_base_url().rstrip("/")
    path = operation.path.format(item_id="i01", user_id="42")
    answer = session.request(operation.method, f"{url}{path}", data=example)
    assert answer.status_code == 200 or operation.name == "patchUser"


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        *((GenerationMode.POSITIVE, name) for name in NAMES),
        *(
            (GenerationMode.NEGATIVE, operation.name)
            for operation in OPERATIONS
            if operation.body or operation.parameters
        ),
    ],
    ids=lambda value: {GenerationMode.POSITIVE: "as it says", GenerationMode.NEGATIVE: "otherwise"}.get(value, value),
)
def test_every_operation_conforms_to_the_openapi_document(schema, session, mode, name):
    operation = schema.find_operation_by_id(name)
    says_so = mode is GenerationMode.POSITIVE
    in_parts = name in {operation.name for operation in OPERATIONS if operation.lines or operation.many}
    more = [] if says_so or in_parts else [checks.negative_data_rejection]

    @settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        answer = case.call(session=session, timeout=30)
        case.validate_response(answer, checks=[*CHECKS, *more])
        if says_so and answer.status_code in (400, 422):
            assert any(words in answer.json()["detail"] for words in BEYOND_A_SCHEMA), answer.text
        if not says_so and in_parts and answer.status_code == 200:
            assert answer.json()["refused"] or name in BY_LINES

    check()


def test_no_operation_answers_without_a_key(schema):
    with httpx.Client(base_url=schema.get_base_url(), verify=False) as client:
        for path, operations in schema.raw_schema["paths"].items():
            for method, described in operations.items():
                assert (client.request(method, path).status_code == 401) == (described.get("security") != [])
