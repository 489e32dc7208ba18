"""Worker processes that outlive their accidents: one that dies costs the file it was at, not the run.

`concurrent.futures` gives up the whole pool when a process dies and cannot tell which file it was at.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, Protocol, TypeVar, cast

import cv2

from hashformer.errors import HashFormerError, SetupError

READY = "ready"
MAX_STILLBORN = 3
"""Workers in a row that may die while they load their models."""

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Job_contra = TypeVar("Job_contra", contravariant=True)
Answer_co = TypeVar("Answer_co", covariant=True)


class Work(Protocol[Job_contra, Answer_co]):
    """What workers do. It goes to every process as it is, so it must be picklable."""

    def begin(self) -> AbstractContextManager[Callable[[Job_contra], Answer_co]]:
        """Load what is needed, once in each process, and give the function that does a job."""
        ...

    def lost(self, job: Job_contra, how: str) -> Answer_co:
        """The answer for a job whose worker died over it; called in the parent.

        Args:
            job: Which.
            how: How the worker ended: "was killed by SIGKILL".
        """
        ...


def run_work(work: Work[Job, Answer], jobs: Iterator[Job], *, workers: int) -> Generator[Answer, None, None]:
    """Do jobs in worker processes.

    A script that calls this must guard its entry with `if __name__ == "__main__":`, since every
    worker is a fresh Python that imports the script.

    Args:
        work: What is done with each.
        jobs: One is taken when a worker is free for it.
        workers: How many processes, at least 1.

    Yields:
        Answers, in the order in which they are ready.

    Raises:
        HashFormerError: What a worker cannot go on from.
        SetupError: If workers die before their first job.
    """
    pool = _Pool(work, jobs)
    try:
        pool.fill(workers)
        while pool.workers:
            for worker in pool.heard():
                yield from pool.listen(worker)
            pool.fill(workers)
    finally:
        for worker in pool.workers.values():
            worker.process.terminate()
            worker.process.join()


@dataclass
class _Worker(Generic[Job]):
    """A process, and the job that it is at, or that waits for it to be ready."""

    process: SpawnProcess
    connection: Connection
    job: Job | None
    is_ready: bool = False

    @property
    def how_ended(self) -> str:
        code = self.process.exitcode or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


class _Pool(Generic[Job, Answer]):
    def __init__(self, work: Work[Job, Answer], jobs: Iterator[Job]) -> None:
        self.workers: dict[Connection, _Worker[Job]] = {}
        self._work, self._jobs, self._n_stillborn = work, jobs, 0
        self._again: list[Job] = []

    def fill(self, n_workers: int) -> None:
        """Start processes as long as there are jobs for them."""
        while len(self.workers) < n_workers and (job := self._next()) is not None:
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._work), daemon=True)
            process.start()
            theirs.close()  # so that the death of the worker closes the pipe
            self.workers[ours] = _Worker(process, ours, job)

    def heard(self) -> list[_Worker[Job]]:
        """Workers that have something to say, or died."""
        return [self.workers[connection] for connection in cast("list[Connection]", wait(list(self.workers)))]

    def listen(self, worker: _Worker[Job]) -> Iterator[Answer]:
        """Hear a worker and give it its next job."""
        try:
            said = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            yield from self._bury(worker)
            return
        if isinstance(said, HashFormerError):
            raise said
        if not worker.is_ready:
            worker.is_ready = True
            self._give(worker)
            return
        self._n_stillborn = 0
        worker.job = self._next()
        self._give(worker)
        yield cast("Answer", said)

    def _next(self) -> Job | None:
        return self._again.pop() if self._again else next(self._jobs, None)

    def _give(self, worker: _Worker[Job]) -> None:
        if worker.job is None:
            del self.workers[worker.connection]
            worker.connection.close()
            worker.process.join()
            return
        try:
            worker.connection.send(worker.job)
        except BrokenPipeError:
            # It died between two jobs, which is noticed when it is heard; this one was never begun.
            self._again.append(worker.job)
            worker.job = None

    def _bury(self, worker: _Worker[Job]) -> Iterator[Answer]:
        del self.workers[worker.connection]
        worker.process.join()
        if worker.job is not None and worker.is_ready:
            yield self._work.lost(worker.job, worker.how_ended)
            return
        if worker.job is not None:
            self._again.append(worker.job)
        self._n_stillborn += 1
        if self._n_stillborn == MAX_STILLBORN:
            raise SetupError(
                f"a worker {worker.how_ended} before its first file, {MAX_STILLBORN} times. Try fewer workers."
            )


def _serve(connection: Connection, work: Work[Any, Any]) -> None:
    """What a worker does: load the models, then one job after another until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too and ends the workers
    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    try:
        with work.begin() as do:
            connection.send(READY)
            while True:
                connection.send(do(connection.recv()))
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
