"""Worker processes that outlive their accidents: one that dies costs the file it was at, not the run.

`concurrent.futures` gives up the whole pool when a process dies and cannot tell which file it was at.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

import cv2

from hashformer.config import Config
from hashformer.errors import HashFormerError, SetupError
from hashformer.faces.follow import FaceFinder
from hashformer.preprocess.prepare import Job, Outcome, prepare_file

READY = "ready"
MAX_STILLBORN = 3
"""Workers in a row that may die while they load the face models."""


def run_pool(jobs: Iterator[Job], config: Config, *, workers: int) -> Generator[Outcome, None, None]:
    """Prepare files in worker processes, each of which loads the face models once.

    A script that calls this must guard its entry with `if __name__ == "__main__":`, since every
    worker is a fresh Python that imports the script.

    Args:
        jobs: The files; one is taken when a worker is free for it.
        config: Rates and faces.
        workers: How many processes, at least 1.

    Yields:
        Outcomes, in the order in which they are ready.

    Raises:
        HashFormerError: If a worker cannot load the face models.
        SetupError: If workers die before their first file.
    """
    job = next(jobs, None)
    pool: dict[Connection, _Worker] = {}
    n_stillborn = 0
    try:
        while job is not None or pool:
            while job is not None and len(pool) < workers:
                worker, job = _start(config, job), next(jobs, None)
                pool[worker.connection] = worker
            for connection in _ready(pool):
                worker = pool[connection]
                if (outcome := worker.receive()) is not None:
                    n_stillborn = 0
                    yield outcome
                if worker.is_dead:
                    del pool[connection]
                    if worker.job is not None:
                        n_stillborn = _count_stillborn(n_stillborn, worker)
                        again = _start(config, worker.job)
                        pool[again.connection] = again
                elif worker.job is None and job is not None:
                    worker.give(job)
                    job = next(jobs, None)
                elif worker.job is None:
                    del pool[connection]
                    worker.stop()
    finally:
        for worker in pool.values():
            worker.process.terminate()
            worker.process.join()


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    job: Job | None
    is_ready: bool = False

    @property
    def is_dead(self) -> bool:
        return self.process.exitcode is not None

    @property
    def how_ended(self) -> str:
        code = self.process.exitcode or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def receive(self) -> Outcome | None:
        """An outcome, if the worker has one to tell. Its death while it is at a file is one too."""
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            if self.job is None or not self.is_ready:
                return None
            name, self.job = self.job.name, None
            reason = f"the worker that read it {self.how_ended}. Run again, with fewer workers if memory is short."
            return Outcome(name=name, status="failed", reason=reason)
        if isinstance(message, HashFormerError):
            raise message
        if message == READY:
            self.is_ready = True
            self.give(self.job)
            return None
        self.job = None
        return cast("Outcome", message)

    def give(self, job: Job | None) -> None:
        self.job = job
        with contextlib.suppress(BrokenPipeError):  # a worker that has just died is noticed when it is heard
            self.connection.send(job)

    def stop(self) -> None:
        self.connection.close()
        self.process.join()


def _ready(pool: dict[Connection, _Worker]) -> list[Connection]:
    return cast("list[Connection]", wait(list(pool)))


def _count_stillborn(n_before: int, worker: _Worker) -> int:
    if n_before + 1 == MAX_STILLBORN:
        raise SetupError(
            f"a worker {worker.how_ended} before its first file, {MAX_STILLBORN} times. Try fewer workers."
        )
    return n_before + 1


def _start(config: Config, job: Job) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, config), daemon=True)
    process.start()
    theirs.close()  # so that the death of the worker closes the pipe
    return _Worker(process, ours, job)


def _serve(connection: Connection, config: Config) -> None:
    """What a worker does: load the models, then one file after another until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too and ends the workers
    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    try:
        with FaceFinder(config.faces) as finder:
            connection.send(READY)
            while True:
                connection.send(prepare_file(connection.recv(), config, finder))
    except EOFError:
        return
    except HashFormerError as error:
        connection.send(error)


def end_with_parent() -> None:
    """End this worker as soon as its parent ends, however it ends; meant for a thread of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        # At once: a worker that went on would write beside the run that takes up the work.
        os._exit(1)
