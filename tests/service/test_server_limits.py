"""A real server at its limits: time, memory, length, weights that cannot be loaded, endless uploads."""

import pytest

from make_media import sound_only
from service_process import start, until


def endless():
    yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    while True:
        yield b"x" * 65_536


@pytest.mark.slow
def test_files_that_take_too_long_or_last_too_long(server, voice, tmp_path):
    running = server(job_timeout_s=6, max_duration_s=5, max_upload_bytes=2_000_000)
    long = sound_only(tmp_path / "long.wav", duration_s=6.0)
    job = running.ended(running.accept(long))
    assert job["error"]["code"] == "too_long"
    assert job["error"]["message"].startswith("long.wav: lasts 6.0 s, above the limit of 5 s (max_duration_s)")
    running.freeze()
    job = running.ended(running.accept(voice))
    assert job["error"]["code"] == "timeout"
    assert "longer than the limit of 6 s (job_timeout_s)" in job["error"]["message"]
    assert running.metrics()['hashformer_worker_restarts_total{reason="timeout"}'] == 1
    # An upload without end and without a stated length is cut, and leaves nothing.
    answer = running.client.post(
        "/v1/detections", content=endless(), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, answer.json()["detail"]["code"]) == (413, "too_large")
    assert not list((running.work_dir / "parts").iterdir())


@pytest.mark.slow
def test_a_file_that_takes_too_much_memory_fails_by_name(server, tmp_path, man):
    import cv2

    from make_faces import film

    pictures = [cv2.resize(picture, (4480, 3584)) for picture in man[:4]]
    large = film(tmp_path / "large.mp4", pictures)
    running = server(worker_memory_bytes=700_000_000)
    job = running.ended(running.accept(large))
    assert (job["state"], job["error"]["code"]) == ("failed", "memory")
    assert "above the limit of 700000000" in job["error"]["message"]
    assert running.metrics()['hashformer_worker_restarts_total{reason="memory"}'] == 1
    until(lambda: running.client.get("/healthz").json()["workers"] == 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"checkpoint": "nothing.safetensors"}, "nothing.safetensors: no such weight file"),
        ({"worker_memory_bytes": "200MB"}, "Raise worker_memory_bytes = 200000000"),
    ],
)
def test_a_server_whose_workers_cannot_load_ends_and_says_why(tmp_path, settings, told):
    process = start(tmp_path / "work", **settings)
    _, err = process.communicate(timeout=600)
    assert process.returncode != 0
    assert told in err


def test_an_address_that_is_taken_is_told(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(tmp_path / "work", port=taken.getsockname()[1])
        _, err = process.communicate(timeout=300)
    assert process.returncode != 0
    assert "Name another --host or --port" in err
