"""The routes without workers: what is refused, and how; what the description promises."""

from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from hashformer.service.app import make_app
from hashformer.service.service import Service
from hashformer.service.settings import ServiceSettings

KEYS = ("first-key-of-the-service", "second-key-of-the-service")


@pytest.fixture
def serve(tmp_path):
    """Start a service whose workers never come: jobs stay in the queue."""

    def started(**settings):
        settings = ServiceSettings(**{"work_dir": tmp_path / "work", "min_free_bytes": 0, **settings})
        service = Service(settings, on_end=lambda: None)
        return SimpleNamespace(service=service, client=TestClient(make_app(service), raise_server_exceptions=False))

    return started


def post(client, content=b"film", name="clip.mp4", **kwargs):
    return client.post("/v1/detections", files={"file": (name, content)}, **kwargs)


def files_of(service):
    return sorted(path for path in service.folder.root.rglob("*") if path.is_file() and "queue" not in path.name)


def refused(answer):
    detail = answer.json()["detail"]
    assert set(detail) == {"code", "message"}
    return answer.status_code, detail["code"]


def test_an_upload_becomes_a_job_and_a_file_of_another_name(serve):
    found = serve()
    answer = post(found.client, name="../../My film.MP4")
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/detections/{job['id']}"
    assert (job["state"], job["position"], job["file"], job["size_bytes"]) == ("queued", 1, "My film.MP4", 4)
    (file,) = files_of(found.service)
    assert (file.name, file.read_bytes()) == (f"{job['id']}.mp4", b"film")
    assert found.client.get(answer.headers["location"]).json() == job
    assert post(found.client).json()["position"] == 2


def test_a_queued_job_is_erased(serve):
    found = serve()
    route = post(found.client).headers["location"]
    assert refused(found.client.get(f"{route}/report")) == (409, "not_done")
    assert found.client.delete(route).status_code == 204
    assert files_of(found.service) == []
    for answer in (found.client.get(route), found.client.delete(route), found.client.get(f"{route}/report")):
        assert refused(answer) == (404, "not_found")


@pytest.mark.parametrize(
    "job_id", ["none", "%2e%2e%2fqueue.sqlite", "..%2f..%2fetc%2fpasswd", "a%00b", "%F0%9F%98%80", "a" * 3000, "' OR 1"]
)
@pytest.mark.parametrize("ending", ["", "/report"])
def test_tricks_in_the_route(serve, job_id, ending):
    assert refused(serve().client.get(f"/v1/detections/{job_id}{ending}"))[0] == 404


def test_a_file_above_the_limit_is_refused_stated_or_not(serve):
    found = serve(max_upload_bytes=100_000)
    assert refused(post(found.client, b"x" * 200_000)) == (413, "too_large")
    assert refused(post(found.client, b"x" * 100_001)) == (413, "too_large")

    def endless():
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        yield from (b"x" * 10_000 for _ in range(50))

    chunked = {"content": endless(), "headers": {"Content-Type": "multipart/form-data; boundary=x"}}
    answer = found.client.post("/v1/detections", **chunked)
    assert refused(answer) == (413, "too_large")
    assert answer.headers["connection"] == "close"
    assert files_of(found.service) == []
    assert post(found.client, b"x" * 100_000).status_code == 202


def test_other_fields_count_too(serve):
    found = serve(max_upload_bytes=1000)
    answer = found.client.post("/v1/detections", files={"file": ("a.mp4", b"x")}, data={"note": "y" * 70_000})
    assert refused(answer) == (413, "too_large")


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"files": {"file": ("a.mp4", b"")}}, (422, "empty_file")),
        ({"files": {"film": ("a.mp4", b"x")}}, (422, "no_file")),
        ({"files": {"file": ("a.exe", b"x", "application/x-msdownload")}}, (415, "not_media")),
        ({"json": {"file": "x"}}, (415, "not_multipart")),
        ({}, (415, "not_multipart")),
    ],
)
def test_wrong_uploads(serve, kwargs, expected):
    found = serve()
    assert refused(found.client.post("/v1/detections", **kwargs)) == expected
    assert files_of(found.service) == []


def test_a_full_queue_says_when_to_come_again(serve):
    found = serve(max_queue=2)
    routes = [post(found.client).headers["location"] for _ in range(2)]
    answer = post(found.client)
    assert refused(answer) == (429, "queue_full")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "max_queue" in answer.json()["detail"]["message"]
    found.client.delete(routes[0])
    assert post(found.client).status_code == 202


def test_a_full_disk_is_a_named_answer(serve):
    answer = post(serve(min_free_bytes=2**60).client)
    assert refused(answer) == (507, "disk_full")
    assert "retry-after" in answer.headers


def test_a_disk_that_fills_up_meanwhile_is_the_same_answer(serve, monkeypatch):
    import errno

    from hashformer.service import uploads

    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    found = serve()
    monkeypatch.setattr(uploads, "_write_to_disk", no_room)
    assert refused(post(found.client)) == (507, "disk_full")
    assert files_of(found.service) == []


def test_a_queue_that_cannot_be_written_is_a_named_answer(serve):
    found = serve()
    found.service.queue._db.execute("PRAGMA query_only = ON")
    answer = post(found.client)
    assert refused(answer) == (503, "queue_unavailable")


def test_a_fault_of_the_service_tells_nothing_of_its_inside(serve, monkeypatch):
    found = serve()
    monkeypatch.setattr(found.service, "find", lambda _: {}["secret/path"])
    answer = found.client.get("/v1/detections/x")
    assert refused(answer) == (500, "internal")
    assert "secret" not in answer.text


def test_keys(serve):
    found = serve(api_keys=KEYS)
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {KEYS[0]}"}, {"X-Key": KEYS[0]}):
        answer = post(found.client, headers=header)
        assert refused(answer) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert refused(found.client.get("/v1/detections/x", headers={"Authorization": b"Bearer \xff\xfe"})) == (
        401,
        "unauthorized",
    )
    for key in KEYS:
        answer = post(found.client, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 202
        assert refused(found.client.get(answer.headers["location"])) == (401, "unauthorized")
        assert found.client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert refused(found.client.get("/metrics")) == (401, "unauthorized")
    health = found.client.get("/healthz").json()
    assert (health["limits"]["needs_key"], health["queued"]) == (True, 2)


def test_health_before_a_worker_has_loaded(serve):
    answer = serve().client.get("/healthz")
    assert answer.status_code == 503
    assert (answer.json()["status"], answer.json()["weights"]) == ("starting", None)


def test_metrics_count(serve):
    found = serve(max_queue=1)
    post(found.client)
    post(found.client)
    text = found.client.get("/metrics").text
    assert "hashformer_uploads_bytes_total 4.0" in text
    assert 'hashformer_rejected_total{reason="queue_full"} 1.0' in text
    assert 'hashformer_jobs{state="queued"} 1.0' in text
    assert "hashformer_queue_length 1.0" in text


@pytest.mark.parametrize("route", ["/", "/healthz", "/metrics", "/openapi.json", "/none", "/v1/detections/x"])
def test_every_answer_carries_the_careful_headers(serve, route):
    headers = serve().client.get(route).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [("PUT", "/v1/detections", 405), ("GET", "/v1/detections", 405), ("POST", "/healthz", 405), ("GET", "/docs", 404)],
)
def test_unknown_routes_and_methods_have_the_same_shape(serve, method, route, status):
    assert refused(serve().client.request(method, route))[0] == status


def test_the_description_names_every_answer(serve):
    description = serve().client.get("/openapi.json").json()
    answers = {
        f"{method} {route}": set(operation["responses"])
        for route, operations in description["paths"].items()
        for method, operation in operations.items()
    }
    assert answers == {
        "post /v1/detections": {"202", "400", "401", "408", "413", "415", "422", "429", "503", "507"},
        "get /v1/detections/{id}": {"200", "401", "404", "503"},
        "delete /v1/detections/{id}": {"204", "401", "404", "503"},
        "get /v1/detections/{id}/report": {"200", "401", "404", "409", "503"},
        "get /healthz": {"200", "503"},
        "get /metrics": {"200", "401", "503"},
    }
    assert description["components"]["schemas"]["Job"]["examples"][0]["state"] == "queued"
    assert "Document" in description["components"]["schemas"]
    assert "HTTPValidationError" not in description["components"]["schemas"]
