"""A real server with a real detector: from upload to report, and everything in it that may die."""

import json
import os
import signal
from pathlib import Path

import jsonschema
import pytest

from hashformer.report.document import json_schema
from service_process import Server, is_alive, start, until


@pytest.fixture(scope="module")
def running(tmp_path_factory, finder):
    """One server for all tests of this file; what they break they leave mended."""
    server = Server(tmp_path_factory.mktemp("service") / "work").wait_ready()
    yield server
    assert server.stop() == 0


def test_from_upload_to_report(running, talking):
    job = running.ended(running.accept(talking))
    assert (job["state"], job["progress"], job["position"], job["error"]) == ("done", 1.0, None, None)
    assert job["created"] <= job["started"] <= job["finished"] < job["expires"]
    jsonschema.validate(job["result"], json_schema())
    (file,) = job["result"]["files"]
    assert (file["path"], file["status"], file["weights"]["trained"]) == ("talking.mp4", "scored", False)
    answer = running.client.get(f"/v1/detections/{job['id']}/report")
    assert answer.status_code == 200
    assert "talking.mp4" in answer.text
    assert file["sha256"] in answer.text
    assert str(running.work_dir) not in answer.text + json.dumps(job)
    assert "sandbox" in answer.headers["content-security-policy"]


def test_the_upload_is_erased_with_the_end_of_the_work_and_the_result_when_asked(running, voice):
    job = running.ended(running.accept(voice))
    left = [path for path in running.work_dir.rglob("*") if job["id"] in path.name]
    assert left == [running.work_dir / "results" / job["id"]]
    assert running.client.delete(f"/v1/detections/{job['id']}").status_code == 204
    assert not left[0].exists()
    assert running.client.get(f"/v1/detections/{job['id']}/report").status_code == 404


def test_what_is_no_media_fails_with_its_name_and_no_path(running, no_film):
    job = running.ended(running.accept(no_film))
    assert (job["state"], job["result"]) == ("failed", None)
    assert job["error"] == {
        "code": "unreadable",
        "message": "bad.mp4: is not a video or sound file, or its beginning is damaged.",
    }
    assert running.client.get(f"/v1/detections/{job['id']}/report").status_code == 409


def test_a_large_upload_is_never_in_memory(running, tmp_path):
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(200_000_000)
    before = peak_mb(running.process.pid)
    job = running.ended(running.accept(large))
    assert (job["size_bytes"], job["error"]["code"]) == (200_000_000, "unreadable")
    assert peak_mb(running.process.pid) < before + 40


def peak_mb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def test_it_says_that_it_is_ready_and_with_what(running):
    health = running.client.get("/healthz").json()
    assert (health["status"], health["workers"], health["weights"]["name"][:4]) == ("ready", 1, "tiny")


def test_a_second_server_on_the_folder_is_refused(running):
    second = start(running.work_dir)
    out, err = second.communicate(timeout=300)
    assert second.returncode != 0
    assert out == ""
    assert f"another run is at work here (process {running.process.pid}" in err


def test_a_running_job_is_erased_and_its_worker_replaced(running, voice):
    before = running.freeze()
    first, second = running.accept(voice), running.accept(voice)
    running.wait(first, "running")
    assert running.job(second)["position"] == 1
    assert running.client.delete(f"/v1/detections/{first}").status_code == 204
    assert running.ended(second)["state"] == "done"
    assert not is_alive(before)
    assert running.metrics()['hashformer_worker_restarts_total{reason="cancelled"}'] == 1
    assert not [path for path in running.work_dir.rglob("*") if first in path.name]


@pytest.mark.slow
def test_a_file_at_which_a_worker_dies_is_tried_again_and_then_given_up(running, voice):
    worker = running.freeze()
    job_id, other = running.accept(voice), running.accept(voice)
    running.wait(job_id, "running")
    os.kill(worker, signal.SIGKILL)
    until(lambda: running.workers() not in ([], [worker]))
    running.freeze()
    running.wait(job_id, "running")
    os.kill(*running.workers(), signal.SIGKILL)
    job = running.ended(job_id)
    assert (job["state"], job["error"]["code"]) == ("failed", "worker_died")
    assert "was killed by SIGKILL, 2 times" in job["error"]["message"]
    assert running.ended(other)["state"] == "done"


def test_a_file_at_which_a_worker_dies_once_is_done(running, voice):
    worker = running.freeze()
    job_id = running.accept(voice)
    running.wait(job_id, "running")
    os.kill(worker, signal.SIGKILL)
    assert running.ended(job_id)["state"] == "done"


@pytest.mark.slow
def test_killed_then_told_to_stop_a_server_finishes_what_it_accepted(server, voice):
    first = server()
    worker = first.freeze()
    ids = [first.accept(voice) for _ in range(3)]
    first.wait(ids[0], "running")
    first.kill()
    until(lambda: not is_alive(worker))
    for folder in ("uploads", "parts", "attempts", "results"):
        (first.work_dir / folder / "orphan").write_text("left by a power cut")

    second = server()
    assert not list(second.work_dir.rglob("orphan"))
    worker = second.freeze()
    second.wait(ids[0], "running")
    assert [second.job(job_id)["position"] for job_id in ids[1:]] == [1, 2]
    assert second.stop() == 0
    assert not is_alive(worker)

    # It was begun twice, but only the kill counts; and what is kept for three seconds is then gone.
    third = server(max_attempts=2, keep_s=3)
    assert [third.ended(job_id)["state"] for job_id in ids] == ["done"] * 3
    until(lambda: third.client.get(f"/v1/detections/{ids[1]}").status_code == 404)
    until(lambda: not list((third.work_dir / "results").iterdir()))
