"""One real server under attack: crafted files, crafted names, crafted requests; then a good file."""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from make_hostile import SECRET
from make_hostile_set import quick
from service_process import PATIENCE_S, Server

MAX_BYTES = 8_000_000
UPLOAD_S = 20
FORM = "multipart/form-data; boundary=edge"
MEMORY_MB = 120
"""What the server's own memory may grow by under attack."""


class Canary:
    """An address that nothing may ask, and a file that nothing may change."""

    def __init__(self, folder):
        self.file = folder / "canary.mp4"
        self.file.write_text(SECRET, encoding="ascii")
        self.port = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.port.getsockname()[1]}/canary"

    def was_asked(self):
        self.port.settimeout(0.01)
        try:
            self.port.accept()[0].close()
        except TimeoutError:
            return False
        return True


@pytest.fixture(scope="module")
def around(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def canary(around):
    watched = Canary(around)
    yield watched
    watched.port.close()


@pytest.fixture(scope="module")
def running(around, finder):
    limits = {"max_upload_bytes": MAX_BYTES, "max_duration_s": 60, "upload_timeout_s": UPLOAD_S, "max_queue": 500}
    server = Server(around / "work", worker_memory_bytes=1_500_000_000, **limits).wait_ready()
    server.peak_mb = peak_mb(server)
    yield server
    assert server.stop() == 0


def peak_mb(server):
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


@pytest.fixture(scope="module")
def outcomes(running, canary, tmp_path_factory):
    """All files at once: name -> the job at its end, and how it may end."""
    files = quick(tmp_path_factory.mktemp("media"), canary.address)
    with ThreadPoolExecutor(8) as clients:
        return dict(clients.map(lambda name: (name, (attack(running, name, files[name][0]), files[name][1])), files))


def attack(server, name, content):
    answer = server.client.post("/v1/detections", files={"file": (name, content)})
    assert answer.status_code == 202, (name, answer.text)
    return server.ended(answer.json()["id"])


def test_every_crafted_file_ends_as_foreseen(outcomes):
    ended = {name: (job["error"] or {"code": "done"})["code"] for name, (job, _) in outcomes.items()}
    assert {name: code for name, code in ended.items() if code not in outcomes[name][1]} == {}
    assert len(ended) >= 60


def test_every_failure_names_the_file_and_no_path(outcomes, running):
    for name, (job, _) in outcomes.items():
        if job["error"]:
            assert job["error"]["message"].startswith(f"{name}: ")
        assert str(running.work_dir) not in json.dumps(job)


def test_no_worker_had_to_be_replaced(outcomes, running):
    restarts = {name: n for name, n in running.metrics().items() if "worker_restarts" in name}
    assert not any(n for name, n in restarts.items() if "grown" not in name)


def test_nothing_that_a_file_points_to_was_opened(outcomes, running, canary):
    assert not canary.was_asked()
    for job, _ in outcomes.values():
        report = running.client.get(f"/v1/detections/{job['id']}/report")
        assert report.status_code == (200 if job["state"] == "done" else 409)
        for secret in (SECRET, "root:x:", "/bin/bash"):
            assert secret not in json.dumps(job) + report.text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"../canary.mp4", "canary.mp4"),
        (b"../../../../../../etc/passwd.mp4", "passwd.mp4"),
        (b"/etc/passwd.mp4", "passwd.mp4"),
        (b"..\\\\..\\\\canary.mp4", "canary.mp4"),
        (b"a\0b.mp4", None),
        (b"x" * 10_000 + b".mp4", None),
        (b"x" * 200_000 + b".mp4", None),
        ("a\u202e4pm.mp4".encode(), "a4pm.mp4"),
        (b"\xff\xfe\xed\xa0\x80.mp4", None),
        (b"a%0d%0aX-Evil: 1.mp4", "a%0d%0aX-Evil: 1.mp4"),
        (b"a\r\nX-Evil: 1.mp4", None),
        (b"<img src=x onerror=alert(1)>.mp4", "<img src=x onerror=alert(1)>.mp4"),
        (b"../uploads/.mp4", ".mp4"),
        (b"file:///etc/passwd.mp4", "passwd.mp4"),
        (b"|sh.mp4", "|sh.mp4"),
    ],
)
def test_a_name_is_shown_at_most(running, canary, name, shown):
    body = form(b'name="file"; filename="' + name + b'"', b"no film")
    answer = running.client.post("/v1/detections", content=body, headers={"Content-Type": FORM})
    assert answer.status_code in {202, 415, 422}, answer.text
    assert "x-evil" not in answer.headers
    if shown is not None or answer.status_code == 202:
        job = running.ended(answer.json()["id"])
        assert job["file"] == (shown or job["file"])
        assert len(job["file"]) <= 120
        assert job["file"].isprintable()
        assert job["error"]["code"] == "unreadable"
    assert canary.file.read_text() == SECRET


def form(disposition, content=b"no film", *, more=b"", edge=b"edge"):
    head = b"--" + edge + b"\r\nContent-Disposition: form-data; " + disposition + b"\r\n" + more + b"\r\n"
    return head + content + b"\r\n--" + edge + b"--\r\n"


ONE = form(b'name="file"; filename="a.mp4"')
OPEN = ONE.removesuffix(b"--edge--\r\n")
NOTE = OPEN.replace(b'file"; filename="a.mp4"', b'note"')


@pytest.mark.parametrize(
    ("content_type", "body", "answered"),
    [
        ("application/json", b"{}", (415, "not_multipart")),
        ("video/mp4", b"no film", (415, "not_multipart")),
        ("multipart/form-data", ONE, (415, "not_multipart")),
        (FORM, form(b'name="file"; filename="a.txt"', more=b"Content-Type: text/plain\r\n"), (415, "not_media")),
        (FORM, form(b'name="file"; filename="a.mp4.exe"'), (415, "not_media")),
        (FORM, form(b'name="file"; filename="a.mp4"', more=b"Content-Type: text/html\r\n"), (202, None)),
        (FORM, b"", (422, "no_file")),
        (FORM, b"--edge--\r\n", (422, "no_file")),
        (FORM, form(b'name="file"'), (422, "no_file")),
        (FORM, form(b'name="video"; filename="a.mp4"'), (422, "no_file")),
        (FORM, form(b'name="file"; filename="a.mp4"', b""), (422, "empty_file")),
        (FORM, OPEN + ONE, (422, "several_files")),
        (FORM, NOTE * 100 + ONE, (202, None)),
        (FORM, OPEN, (422, "bad_form")),
        (FORM, b"\x16\x03\x01" * 1000, (422, "bad_form")),
        (FORM, form(b'name="file"', more=b"X: " + b"y" * 10**6 + b"\r\n"), (422, "bad_form")),
        (FORM, form(b'name="file"', more=b"X: y\r\n" * 10**5), (422, "bad_form")),
        (FORM, NOTE * 20_000 + ONE, (422, "bad_form")),
        (FORM, form(b'name="note"', b"x" * 10**6), (422, "bad_form")),
        (FORM, form(b'name="note"', b"\r\n--edg" * 10**5), (422, "bad_form")),
        (f"multipart/form-data; boundary={'x' * 5000}", b"", (422, "bad_form")),
        (FORM, form(b'name="file"; filename="a.mp4"', b"x" * (MAX_BYTES + 1)), (413, "too_large")),
        (FORM, form(b'name="file"; filename="a.mp4"', b"\r\n--edg" * 10**5), (202, None)),
    ],
)  # fmt: skip
def test_crafted_forms(running, content_type, body, answered):
    answer = running.client.post("/v1/detections", content=body, headers={"Content-Type": content_type})
    code = None if answer.status_code == 202 else answer.json()["detail"]["code"]
    assert (answer.status_code, code) == answered
    if code is not None:
        assert len(answer.json()["detail"]["message"]) > 20


POST = b"POST /v1/detections HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"\0" * 100_000,
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n\r\n",
        GET + b"X: " + b"y" * 10**6 + b"\r\n\r\n",
        GET + b"X: y\r\n" * 10**5 + b"\r\n",
        GET + b"X\0: y\r\n\r\n",
        b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/detections/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/detections/%2e%2e%2f%2e%2e%2fqueue.sqlite/report HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /v1/detections/%00%ff%ed%a0%80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 1e9\r\n\r\n",
        POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        POST + b"Content-Length: 10\r\nContent-Length: 20\r\n\r\n",
        POST + b"Connection: close\r\nContent-Length: 99999999999\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        POST + b"Transfer-Encoding: gzip\r\n\r\n",
    ],
)  # fmt: skip
def test_crafted_requests(running, sent):
    statuses = raw(running, sent)
    assert all(400 <= status < 500 for status in statuses), statuses
    assert running.client.get("/healthz").status_code == 200


def raw(server, sent, *, patience_s=PATIENCE_S):
    """Send bytes as they are; the statuses of all answers until the server closes."""
    host, port = server.address.removeprefix("http://").split(":")
    answers = b""
    with socket.create_connection((host, int(port)), timeout=patience_s) as line:
        try:
            line.sendall(sent)
            while piece := line.recv(65_536):
                answers += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answers)]


def test_a_refused_body_is_not_taken_for_a_request(running):
    hidden = b"DELETE /v1/detections/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    text = POST.replace(b"multipart/form-data", b"text/plain")
    after = GET + b"Connection: close\r\n\r\n"
    assert raw(running, text + f"Content-Length: {len(hidden)}\r\n\r\n".encode() + hidden + after) == [415, 200]


def test_uploads_without_end_and_uploads_without_haste(running):
    def endless():
        yield OPEN.removesuffix(b"\r\n")
        while True:
            yield b"x" * 65_536

    def slow():
        yield OPEN.removesuffix(b"\r\n")
        while True:
            time.sleep(0.5)
            yield b"x"

    def post(body, length=None):
        headers = {"Content-Type": FORM} | ({} if length is None else {"Content-Length": length})
        answer = running.client.post("/v1/detections", content=body, headers=headers)
        return answer.status_code, answer.json()["detail"]["code"]

    with ThreadPoolExecutor(4) as clients:
        slow_ones = [clients.submit(post, slow()), clients.submit(post, slow(), "1000000")]
        assert clients.submit(post, endless()).result() == (413, "too_large")
        assert [one.result() for one in slow_ones] == [(408, "upload_stalled")] * 2


def test_in_the_end_all_is_as_it_was(outcomes, running, canary, voice):
    """Last in the file: what the attacks above have left behind."""
    job = running.ended(running.accept(voice))
    assert job["state"] == "done"
    assert {path.name for path in canary.file.parent.iterdir()} == {"canary.mp4", "work"}
    work = running.work_dir
    assert {path.name for path in work.iterdir() if path.is_dir()} == {"uploads", "results", "parts", "attempts"}
    assert all(re.fullmatch("[0-9a-f]{32}", path.name) for path in (work / "results").iterdir())
    assert not [path for name in ("uploads", "parts", "attempts") for path in (work / name).iterdir()]
    assert canary.file.read_text() == SECRET
    assert not canary.was_asked()
    assert peak_mb(running) < running.peak_mb + MEMORY_MB
    assert not any(n for name, n in running.metrics().items() if 'reason="internal"' in name)
