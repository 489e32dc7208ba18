"""Many uploads from many clients at once: what is accepted, lost or answered twice, and how memory goes.

python benchmarks/service_load.py --uploads 200 --clients 20 --checkpoint tiny --kill-worker --kill-server
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from hashformer.assets import SAMPLE_CLIP, asset_path
from hashformer.media.video import frames
from hashformer.media.writer import write_audio, write_video

START = "from hashformer.cli.main import main; main()"
FPS, RATE_HZ = 16, 16_000
POLL_S = 0.5
STATES = ("queued", "running", "done", "failed")


@dataclass
class Count:
    """What clients and watcher saw. Every entry of a client is its own, so no lock is needed."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    n_full: int = 0
    n_unanswered: int = 0
    memory_mb: list[tuple[float, float]] = field(default_factory=list)


def make_clips(folder: Path, *, one_film_in: int) -> list[Path]:
    """Clips of 1 to 3 seconds, each a file of its own bytes: some a man speaking with a sound, the others sound."""
    pictures = [frame.rgb for frame in frames(asset_path(SAMPLE_CLIP), fps=FPS) if frame.rgb is not None]
    clips = []
    for number in range(3 * one_film_in):
        n_pictures = FPS * (1 + number % 3)
        times = np.arange(RATE_HZ * n_pictures // FPS) / RATE_HZ
        waveform = (0.1 * np.sin(2 * np.pi * (150 + 9 * number) * times)).astype(np.float32)
        if number % one_film_in:
            clips.append(folder / f"clip-{number}.wav")
            write_audio(clips[-1], waveform, sample_rate_hz=RATE_HZ)
        else:
            clips.append(folder / f"clip-{number}.mp4")
            write_video(clips[-1], pictures[number : number + n_pictures], fps=FPS, waveform=waveform)
    return clips


class Server:
    """The server under load: started, killed, started again on the same folder and port."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self._words = [
            *("--port", str(self.port), "--work-dir", str(folder / "work")),
            *("--workers", str(options.workers), "--checkpoint", options.checkpoint),
        ]
        self._environ = {**os.environ, "HASHFORMER_MAX_QUEUE": str(options.max_queue)}
        self._environ |= {"HASHFORMER_MIN_FREE_BYTES": "0", "HASHFORMER_MAX_ATTEMPTS": "5"}
        self.start()

    def start(self) -> None:
        """Start it and wait until it can work."""
        command = [sys.executable, "-c", START, "serve", *self._words]
        self.process = subprocess.Popen(command, env=self._environ, stdout=subprocess.DEVNULL)
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60) as client:
            while True:
                try:
                    if client.get("/healthz").status_code == 200:
                        return
                except httpx.TransportError:
                    if self.process.poll() is not None:
                        raise SystemExit("the server ended while it started") from None
                time.sleep(0.2)

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        pids = [int(pid) for task in Path(f"/proc/{self.process.pid}/task").glob("*/children") for pid in _words(task)]
        return [pid for pid in pids if b"spawn_main" in _bytes(Path(f"/proc/{pid}/cmdline"))]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # the process has just ended
        return b""


def _words(path: Path) -> list[str]:
    return _bytes(path).decode().split()


def _resident_mb(pid: int) -> float:
    statm = _words(Path(f"/proc/{pid}/statm"))
    return int(statm[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if statm else 0.0


def hand_in(client: httpx.Client, clip: Path, name: str, count: Count) -> str:
    """Post one file until it is accepted; its job."""
    while True:
        try:
            with clip.open("rb") as file:
                answer = client.post("/v1/detections", files={"file": (name, file)})
        except httpx.TransportError:  # the server was killed at it: whether it was accepted nobody knows
            count.n_unanswered += 1
            time.sleep(POLL_S)
            continue
        if answer.status_code == 202:
            return str(answer.json()["id"])
        if answer.status_code not in {429, 503, 507}:
            raise SystemExit(f"{name}: {answer.status_code} {answer.text}")
        count.n_full += 1
        time.sleep(min(2.0, float(answer.headers["retry-after"])))


def ask(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job, or `{"state": "lost"}`; a server that is away is waited for."""
    while True:
        try:
            answer = client.get(f"/v1/detections/{job_id}")
        except httpx.TransportError:
            time.sleep(POLL_S)
            continue
        return dict(answer.json()) if answer.status_code == 200 else {"state": "lost", "status": answer.status_code}


def one_client(port: int, work: list[tuple[str, Path]], count: Count) -> None:
    """Hand in files one after another without waiting for results, then wait for all of them."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
        ids = {name: hand_in(client, clip, name, count) for name, clip in work}
        for name, job_id in ids.items():
            while (job := ask(client, job_id))["state"] in {"queued", "running"}:
                time.sleep(POLL_S)
            count.jobs[job_id] = {"name": name, **job}


def watch(server: Server, count: Count, over: threading.Event) -> None:
    """Note the memory of server and workers until it is over."""
    while not over.wait(0.5):
        workers = sum(_resident_mb(pid) for pid in server.workers())
        count.memory_mb.append((_resident_mb(server.process.pid), workers))


def harm(server: Server, options: argparse.Namespace, count: Count, over: threading.Event) -> None:
    """Kill a worker when a third of the work is done, and the server when half of it is."""
    if options.kill_worker and _wait_for(options.uploads // 3, server, over):
        os.kill(server.workers()[0], signal.SIGKILL)
        print("killed a worker")
    if options.kill_server and _wait_for(options.uploads // 2, server, over):
        server.process.kill()
        server.process.wait()
        print("killed the server")
        server.start()


def _wait_for(n_ended: int, server: Server, over: threading.Event) -> bool:
    while not over.wait(0.2):
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
            lines = client.get("/metrics").text.splitlines()
        jobs = dict(line.rsplit(" ", 1) for line in lines if line.startswith("hashformer_jobs{"))
        _, running, done, failed = (float(jobs[f'hashformer_jobs{{state="{state}"}}']) for state in STATES)
        if done + failed >= n_ended and running and server.workers():
            return True
    return False


def summary(count: Count, again: dict[str, dict[str, Any]], seconds: float) -> dict[str, Any]:
    """The numbers of the run."""
    states = [job["state"] for job in count.jobs.values()]
    errors = [job["error"]["code"] for job in count.jobs.values() if job.get("error")]
    names = [job["name"] for job in count.jobs.values()]
    third = max(1, len(count.memory_mb) // 3)
    parts = {"start": count.memory_mb[:third], "middle": count.memory_mb[third:-third], "end": count.memory_mb[-third:]}
    changed = [job_id for job_id, job in count.jobs.items() if job["finished"] != again[job_id].get("finished")]
    wrong = [j for j in count.jobs.values() if j["state"] == "done" and j["result"]["files"][0]["path"] != j["name"]]
    return {
        "accepted": len(count.jobs),
        "done": states.count("done"),
        "failed by name": {code: errors.count(code) for code in sorted(set(errors))},
        "lost": states.count("lost"),
        "answered twice or otherwise": len(changed) + len(wrong) + len(names) - len(set(names)),
        "429 retried": count.n_full,
        "posts without an answer": count.n_unanswered,
        "seconds": round(seconds, 1),
        "memory MB, median (server, workers)": {
            part: [round(statistics.median(column)) for column in zip(*rows, strict=True)]
            for part, rows in parts.items()
            if rows
        },
        "memory MB, peak (server, workers)": [round(max(column)) for column in zip(*count.memory_mb, strict=True)],
    }


def run(
    server: Server, work: list[tuple[str, Path]], options: argparse.Namespace, count: Count
) -> tuple[dict[str, dict[str, Any]], float]:
    """Put the load on; all jobs as they are told a second time, and the seconds that it took."""
    over = threading.Event()
    helpers = [threading.Thread(target=watch, args=(server, count, over), daemon=True)]
    helpers += [threading.Thread(target=harm, args=(server, options, count, over), daemon=True)]
    for helper in helpers:
        helper.start()
    start = time.monotonic()
    with ThreadPoolExecutor(options.clients) as clients:
        shares = [work[number :: options.clients] for number in range(options.clients)]
        list(clients.map(lambda share: one_client(server.port, share, count), shares))
    seconds = time.monotonic() - start
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        again = {job_id: ask(client, job_id) for job_id in count.jobs}
    over.set()
    for helper in helpers:
        helper.join()
    return again, seconds


def main() -> None:
    """Run it and print the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--max-queue", type=int, default=100)
    parser.add_argument("--one-film-in", type=int, default=1, help="of so many uploads; the others are sound")
    parser.add_argument("--checkpoint", default="small")
    parser.add_argument("--kill-worker", action="store_true")
    parser.add_argument("--kill-server", action="store_true")
    options = parser.parse_args()
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(Path(folder), one_film_in=options.one_film_in)
        chosen = [clips[number % len(clips)] for number in range(options.uploads)]
        work = [(f"upload-{number}{clip.suffix}", clip) for number, clip in enumerate(chosen)]
        server = Server(Path(folder), options)
        try:
            again, seconds = run(server, work, options, count)
        finally:
            server.process.terminate()
            server.process.wait()
    print(json.dumps(summary(count, again, seconds), indent=2))


if __name__ == "__main__":
    main()
