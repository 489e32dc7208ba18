"""Requests made from the OpenAPI description, fit and unfit: every answer is one that the description names."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from hashformer.service.app import make_app
from hashformer.service.service import Service
from hashformer.service.settings import ServiceSettings

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXPECTED = {
    ("POST", "/v1/detections"): {202, 415, 422, 429},
    ("GET", "/v1/detections/{id}"): {200},
    ("DELETE", "/v1/detections/{id}"): {204},
    ("GET", "/v1/detections/{id}/report"): {409},
    ("GET", "/healthz"): {503},
    ("GET", "/metrics"): {200},
}
"""Routes, and what at least one request to each is answered with: the checks are not asked about refusals alone."""
UNFIT_FOR_NOTHING = ("GET", "/healthz", "negative")
MAYBE = st.none() | st.integers(0, 8)
KEY = "a-key-of-the-contract"


@pytest.fixture(params=[(), (KEY,)], ids=["open", "with keys"])
def client(request, tmp_path):
    """A service without workers: its jobs stay as they are, its health is 503."""
    work = tmp_path / "work"
    limits = ServiceSettings(work_dir=work, min_free_bytes=0, max_queue=15, api_keys=request.param)
    service = Service(limits, on_end=lambda: None)
    found = TestClient(make_app(service), raise_server_exceptions=False)
    found.jobs = [service.queue.add(f"{i:032x}", file="a.mp4", suffix=".mp4", size_bytes=1).id for i in range(9)]
    failed = service.queue.claim()
    service.queue.fail(failed.id, "unreadable", "a.mp4: is no film.")
    return found


def test_all_routes_are_asked(client):
    described = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    assert sorted(EXPECTED) == sorted(
        (one.ok().method.upper(), one.ok().path) for one in described.get_all_operations()
    )


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    # Nothing can be asked unfitly of a route that takes nothing.
    [(*route, mode) for route in EXPECTED for mode in GenerationMode if (*route, mode.value) != UNFIT_FOR_NOTHING],
)
def test_every_answer_is_described(client, method, path, mode):
    operation = schemathesis.openapi.from_asgi("/openapi.json", client.app)[path][method]
    statuses = set()

    # Ids and keys that are right come by no chance: half of the requests are given them.
    @settings(max_examples=8, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), job=MAYBE, has_key=st.booleans())
    def ask(case, job, has_key):
        if job is not None and "{id}" in path:
            case.path_parameters = {"id": client.jobs[job]}
        answer = case.call(headers={"Authorization": f"Bearer {KEY}"} if has_key else None)
        # Without workers the service is not ready, which it says with a 503.
        case.validate_response(answer, checks=[*CHECKS, *(() if path == "/healthz" else (not_a_server_error,))])
        statuses.add(answer.status_code)

    ask()
    assert statuses & EXPECTED[method, path], statuses
