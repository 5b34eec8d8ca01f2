"""The endpoints against their own description: requests of every kind, by whoever may do most."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.team import KEEPER, Team, home, team

pytestmark = pytest.mark.slow

EXAMPLES = 25
"""Of each operation, of right requests and of wrong ones."""

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    allow_header_conformance,
]


@pytest.fixture(scope="module")
def described(team: Team) -> Any:
    """What the server says of itself."""
    with team.client(KEEPER) as client:
        return schemathesis.openapi.from_dict(client.get("/api/openapi.json").json())


OPERATIONS = [
    ("post", "/api/ask"),
    ("post", "/api/ask/stream"),
    ("get", "/api/search"),
    ("get", "/api/documents"),
    ("get", "/api/documents/{id_}"),
    ("post", "/api/documents"),
    ("get", "/api/left-out"),
    ("put", "/api/left-out/{id_}"),
    ("delete", "/api/left-out/{id_}"),
    ("post", "/api/index"),
    ("get", "/api/health"),
    ("get", "/api/version"),
    ("get", "/v1/models"),
    ("get", "/v1/models/{name}"),
    ("post", "/v1/chat/completions"),
]


def test_all_that_is_described_is_asked(team: Team) -> None:
    paths = team.behind.openapi()["paths"]
    found = [(method, path) for path, operations in paths.items() for method in operations]
    assert sorted(found) == sorted(OPERATIONS)


WITHOUT_WRONG = {
    ("get", "/api/left-out"),
    ("put", "/api/left-out/{id_}"),
    ("delete", "/api/left-out/{id_}"),
    ("post", "/api/index"),
    ("get", "/api/health"),
    ("get", "/api/version"),
    ("get", "/v1/models"),
    ("get", "/v1/models/{name}"),
}
"""What takes nothing that could be wrong."""


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        *((*one, GenerationMode.POSITIVE) for one in OPERATIONS),
        *((*one, GenerationMode.NEGATIVE) for one in OPERATIONS if one not in WITHOUT_WRONG),
    ],
)
def test_every_answer_is_as_described(
    team: Team, described: Any, method: str, path: str, mode: GenerationMode
) -> None:
    headers = {"authorization": f"Bearer {team.tokens[KEEPER]}"}

    @given(case=described[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        answered = case.call(base_url=team.address, headers=headers)
        case.validate_response(answered, checks=CHECKS, headers=headers)

    check()
