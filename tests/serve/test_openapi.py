"""The server does what its OpenAPI document says, and nothing else."""

from __future__ import annotations

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from poise.serve.api import OPERATIONS
from poise.serve.openapi import document

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.positive_data_acceptance,
]
NAMES = [*(one.name for one in OPERATIONS), "health", "ready"]


@pytest.fixture(scope="module")
def schema(server):
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as it says", "otherwise"])
def test_every_operation(schema, session, name, mode):
    operation = schema.find_operation_by_id(name)
    if mode is GenerationMode.NEGATIVE and operation.body == operation.query == operation.path_parameters == []:
        return

    @settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        case.validate_response(case.call(session=session, timeout=30), checks=CHECKS)

    check()
