"""Real processes: killed runs and workers lose nothing but the file that they were at."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hashformer.config import load_config
from hashformer.errors import SetupError
from hashformer.preprocess import processes
from hashformer.preprocess.lock import LOCK_NAME
from hashformer.preprocess.run import preprocess_files
from make_faces import film, scene

CONFIG = load_config("tiny")
SCRIPT = """
import sys
from pathlib import Path
from hashformer.config import load_config
from hashformer.preprocess.run import preprocess_files

if __name__ == "__main__":
    base, out = map(Path, sys.argv[1:])
    summary = preprocess_files(sorted(base.iterdir()), base, out, config=load_config("tiny"), workers=2)
    print(summary.n_done, summary.n_skipped, len(summary.failures))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, man):
    """Six films of some seconds, so that a run can be caught in the middle."""
    base = tmp_path_factory.mktemp("raw")
    pictures = [scene(picture, [(20, 40, 1.8)]) for picture in man]
    for k in range(6):
        film(base / f"film {k}.mp4", (pictures[k:] + pictures)[:20])
    return base


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "prepare_all.py"
    path.write_text(SCRIPT)
    return path


def start(script, base, out):
    command = [sys.executable, str(script), str(base), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(condition, *, timeout_s=120):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def tree(out):
    files = [path for path in out.rglob("*") if path.is_file() and path.name != LOCK_NAME]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
def test_a_killed_run_is_taken_up_and_ends_in_the_same_bytes(corpus, script, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    process = start(script, corpus, out)
    wait_for(lambda: list(out.glob("*/sample.json")) and list(out.glob(".*.partial")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = len(list(out.glob("*/sample.json")))
    assert 1 <= done < 6
    for folder in out.glob("film*"):  # what is visible is whole
        assert (folder / "sample.json").is_file()

    assert start(script, corpus, out).communicate()[0].split() == [str(6 - done), str(done), "0"]
    assert start(script, corpus, whole).communicate()[0].split() == ["6", "0", "0"]
    assert tree(out) == tree(whole)
    assert not list(out.glob(".*.partial"))

    started = time.perf_counter()
    summary = preprocess_files(sorted(corpus.iterdir()), corpus, out, config=CONFIG, workers=2)
    assert time.perf_counter() - started < 1
    assert (summary.n_done, summary.n_skipped) == (0, 6)


@pytest.mark.slow
def test_a_run_beside_a_running_one_is_refused(corpus, script, tmp_path):
    first = start(script, corpus, tmp_path / "out")
    wait_for((tmp_path / "out" / "failures.csv").is_file)
    command = [sys.executable, str(script), str(corpus), str(tmp_path / "out")]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode != 0
    assert f"another run is at work here (process {first.pid} on" in second.stderr
    assert first.communicate()[0].split() == ["6", "0", "0"]


@pytest.mark.slow
def test_a_worker_that_dies_costs_the_file_that_it_was_at(corpus, tmp_path):
    partial = tmp_path / ".film 1.mp4.partial"

    def kill():
        wait_for(partial.exists)
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGSEGV)

    killer = threading.Thread(target=kill)
    killer.start()
    files = sorted(corpus.iterdir())[:3]
    summary = preprocess_files(files, corpus, tmp_path, config=CONFIG)
    killer.join()
    assert summary.n_done == 2
    ((name, reason),) = summary.failures
    assert name == "film 1.mp4"
    assert "was killed by SIGSEGV" in reason
    assert multiprocessing.active_children() == []
    assert preprocess_files(files, corpus, tmp_path, config=CONFIG).n_done == 1
    assert not partial.exists()


@pytest.mark.slow
def test_workers_that_cannot_start_end_the_run(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_serve", len)  # which fails at once
    with pytest.raises(SetupError, match="ended with exit code 1 before its first file, 3 times"):
        preprocess_files(sorted(corpus.iterdir()), corpus, tmp_path, config=CONFIG, workers=2)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_ray_prepares_the_same_bytes(corpus, tmp_path):
    pytest.importorskip("ray")
    files = sorted(corpus.iterdir())[:4]
    for engine in ("local", "ray"):
        summary = preprocess_files(files, corpus, tmp_path / engine, config=CONFIG, workers=2, engine=engine)
        assert (summary.n_done, len(summary.failures)) == (4, 0)
    assert tree(tmp_path / "ray") == tree(tmp_path / "local")


@pytest.mark.slow
def test_a_ray_actor_that_dies_costs_the_file_that_it_was_at(corpus, tmp_path):
    pytest.importorskip("ray")
    partial = tmp_path / ".film 1.mp4.partial"

    def kill():
        wait_for(partial.exists)
        for pid in descendants(os.getpid()):
            if "ray::Preparer" in command_of(pid):
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    files = sorted(corpus.iterdir())[:3]
    summary = preprocess_files(files, corpus, tmp_path, config=CONFIG, engine="ray")
    killer.join()
    assert summary.n_done == 2
    ((name, reason),) = summary.failures
    assert name == "film 1.mp4"
    assert "the Ray actor that read it failed" in reason


def command_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def descendants(pid):
    """Processes that a process started, and those that they started."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [*children, *(grandchild for child in children for grandchild in descendants(child))]
