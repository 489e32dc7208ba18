"""The queue: its order, every way that a job can go, and that it survives."""

import sqlite3
import time

import pytest

from hashformer.errors import StoreError
from hashformer.service.jobs import JobQueue


@pytest.fixture
def path(tmp_path):
    return tmp_path / "queue.sqlite"


@pytest.fixture
def queue(path):
    opened = JobQueue(path, keep_s=100)
    yield opened
    opened.close()


def add(queue, *names):
    return [queue.add(name, file=f"{name}.mp4", suffix=".mp4", size_bytes=7) for name in names]


def test_first_come_first_served(queue):
    a, b, c = add(queue, "a", "b", "c")
    assert [queue.position(job) for job in (a, b, c)] == [1, 2, 3]
    assert queue.claim().id == "a"
    assert queue.position(queue.get("a")) is None
    assert queue.position(queue.get("c")) == 2
    assert queue.counts() == {"queued": 2, "running": 1, "done": 0, "failed": 0}
    assert [queue.claim().id, queue.claim().id, queue.claim()] == ["b", "c", None]


def test_a_job_is_finished_once(queue):
    add(queue, "a")
    assert not queue.finish("a"), "it does not run yet"
    queue.claim()
    assert queue.finish("a")
    assert not queue.finish("a")
    assert not queue.fail("a", "late", "too late")
    job = queue.get("a")
    assert (job.state, job.error_code) == ("done", None)
    assert job.expires == pytest.approx(time.time() + 100, abs=5)


def test_after_one_death_a_job_is_tried_again_before_all_others(queue):
    add(queue, "a", "b")
    queue.claim()
    assert queue.died("a", "was killed").state == "queued"
    assert queue.claim().id == "a"
    job = queue.died("a", "was killed by SIGKILL")
    assert (job.state, job.error_code) == ("failed", "worker_died")
    assert "a.mp4: the worker that read it was killed by SIGKILL, 2 times" in job.error_message
    assert queue.claim().id == "b"


def test_a_stop_of_the_server_does_not_count_as_an_attempt(queue):
    add(queue, "a")
    for _ in range(10):
        assert queue.claim().attempts == 1
        queue.give_back("a")
    assert queue.recover(max_attempts=1) == []


def test_a_killed_server_takes_its_jobs_up_again_but_not_for_ever(path):
    add(first := JobQueue(path, keep_s=100), "a", "b")
    first.claim()
    first.close()
    for _ in range(2):
        again = JobQueue(path, keep_s=100)
        assert [job.state for job in again.recover(max_attempts=3)] == ["queued"]
        assert again.claim().id == "a"
        again.close()
    last = JobQueue(path, keep_s=100)
    (job,) = last.recover(max_attempts=3)
    assert (job.state, job.error_code) == ("failed", "interrupted")
    assert "ended 3 times" in job.error_message
    assert last.claim().id == "b"
    last.close()


def test_an_erased_job_is_not_finished(queue):
    add(queue, "a")
    queue.claim()
    assert queue.delete("a").state == "running"
    assert not queue.finish("a")
    assert queue.died("a", "was killed") is None
    assert queue.get("a") is None
    assert queue.delete("a") is None


def test_what_has_ended_expires_and_what_waits_does_not(path):
    queue = JobQueue(path, keep_s=0.01)
    add(queue, "a", "b", "c")
    queue.claim()
    queue.finish("a")
    queue.claim()
    queue.fail("b", "unreadable", "no")
    time.sleep(0.05)
    assert [job.id for job in queue.expired()] == ["a", "b"]
    queue.close()


def test_erased_names_leave_the_file(path):
    queue = JobQueue(path, keep_s=1)
    queue.add("a", file="a-very-private-name.mp4", suffix=".mp4", size_bytes=1)
    assert any(b"very-private" in file.read_bytes() for file in path.parent.iterdir())
    queue.delete("a")
    queue.tidy()
    assert not any(b"very-private" in file.read_bytes() for file in path.parent.iterdir())
    queue.close()


def test_a_queue_of_a_newer_version_is_left_alone(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="version 99, this program reads 1"):
        JobQueue(path, keep_s=1)


def test_a_damaged_queue_is_told(path):
    path.write_bytes(b"this is no database, and long enough to be sure of it" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        JobQueue(path, keep_s=1)
