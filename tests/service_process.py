"""A real server in a process of its own, and what tests do to it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

START = "from hashformer.cli.main import main; main()"
PATIENCE_S = 600
"""Machines that run tests may be busy; nothing here waits so long on an idle one."""


def start(work_dir, *options, **settings):
    """Start `hashformer serve` with the tiny preset; settings go in as variables."""
    given = {"work_dir": work_dir, "port": 0, "checkpoint": "tiny", "workers": 1, "min_free_bytes": 0, **settings}
    variables = {f"HASHFORMER_{name.upper()}": str(value) for name, value in given.items()}
    return subprocess.Popen(
        [sys.executable, "-c", START, "serve", *map(str, options)],
        env={**os.environ, "OMP_WAIT_POLICY": "passive", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(question, *, patience_s=PATIENCE_S):
    """Ask until the answer is true, and give it."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not true within {patience_s} s: {question}")


class Server:
    """A server that listens, and a client of it."""

    def __init__(self, work_dir, *options, **settings):
        self.work_dir = Path(work_dir)
        self.process = start(work_dir, *options, **settings)
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http://"), self.process.stderr.read()
        self.client = httpx.Client(base_url=self.address, timeout=PATIENCE_S)

    def post(self, path, name=None):
        with path.open("rb") as file:
            return self.client.post("/v1/detections", files={"file": (name or path.name, file)})

    def accept(self, path):
        """Post a file that must be accepted; its id."""
        answer = self.post(path)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def job(self, job_id):
        return self.client.get(f"/v1/detections/{job_id}").json()

    def wait(self, job_id, *states):
        """The job, once it is in one of the states."""
        return until(lambda: (job := self.job(job_id))["state"] in states and job)

    def ended(self, job_id):
        return self.wait(job_id, "done", "failed")

    def wait_ready(self):
        until(lambda: self.client.get("/healthz").status_code == 200)
        return self

    def metrics(self):
        lines = [line for line in self.client.get("/metrics").text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def workers(self):
        """Process ids of its workers."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        pids = [int(pid) for children in tasks for pid in children.read_text().split()]
        return [pid for pid in pids if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]

    def freeze(self):
        """Stop the one worker where it is, so that the next job runs for as long as wanted; its process id."""
        self.wait_ready()
        (pid,) = until(lambda: len(found := self.workers()) == 1 and found)
        os.kill(pid, signal.SIGSTOP)
        return pid

    def kill(self):
        self.process.kill()
        self._over()

    def stop(self):
        """Stop it as a service manager does; its exit code."""
        self.process.terminate()
        self._over()
        return self.process.returncode

    def _over(self):
        self.client.close()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()


def is_alive(pid):
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
