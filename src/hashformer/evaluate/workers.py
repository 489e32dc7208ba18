"""Scoring in several processes of one machine; one that dies costs the file it was at."""

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Protocol, cast

import cv2
import torch

from hashformer.detector import Detector
from hashformer.errors import EvaluationError, HashFormerError
from hashformer.evaluate.parts import PartWriter
from hashformer.evaluate.record import FileScores
from hashformer.preprocess.pool import end_with_parent

MAX_STILLBORN = 3
"""Processes in a row that may die while they load the model."""


class Task(Protocol):
    """What a worker is to do with each file; see `scoring.ScoreTask`."""

    def detector(self) -> Detector:
        """Load the model."""
        ...

    def score(self, path: str, detector: Detector) -> FileScores:
        """Score one file."""
        ...


def score_in_processes(
    paths: Sequence[str], task: Task, folder: Path, *, workers: int, done: Callable[[], None]
) -> None:
    """Score files, each in the first process that is free.

    Args:
        paths: As the manifest has them.
        task: With what; must be picklable.
        folder: Where each process writes its part.
        workers: How many processes.
        done: Called after every file.

    Raises:
        HashFormerError: What a worker could not go on from.
        EvaluationError: If workers die before their first file.
    """
    pool = _Pool(paths, task, folder)
    try:
        with PartWriter(folder) as part:
            while pool.waiting or pool.workers:
                pool.fill(workers)
                for worker in pool.heard():
                    if pool.listen(worker, part):
                        done()
    finally:
        for worker in pool.workers.values():
            worker.process.terminate()
            worker.process.join()


@dataclass
class _Worker:
    """A process, and the file that it is at; None while it loads the model."""

    process: SpawnProcess
    connection: Connection
    path: str | None = None

    @property
    def how_ended(self) -> str:
        code = self.process.exitcode or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


class _Pool:
    def __init__(self, paths: Sequence[str], task: Task, folder: Path) -> None:
        self.waiting = deque(paths)
        self.workers: dict[Connection, _Worker] = {}
        self._task, self._folder, self._n_stillborn = task, folder, 0

    def fill(self, n_workers: int) -> None:
        """Start processes as long as there are files for them."""
        n_idle = sum(worker.path is None for worker in self.workers.values())
        for _ in range(min(n_workers - len(self.workers), len(self.waiting) - n_idle)):
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._task, self._folder), daemon=True)
            process.start()
            theirs.close()  # so that the death of the worker closes the pipe
            self.workers[ours] = _Worker(process, ours)

    def heard(self) -> list[_Worker]:
        """Workers that have something to say, or died."""
        return [self.workers[connection] for connection in cast("list[Connection]", wait(list(self.workers)))]

    def listen(self, worker: _Worker, part: PartWriter) -> bool:
        """Hear a worker and give it its next file; whether a file is done with."""
        try:
            said = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            return self._bury(worker, part)
        if isinstance(said, HashFormerError):
            raise said
        was_at = worker.path
        self._n_stillborn = 0
        worker.path = self.waiting.popleft() if self.waiting else None
        if worker.path is None:
            del self.workers[worker.connection]
            worker.connection.close()
            worker.process.join()
        else:
            self._send(worker, worker.path)
        return was_at is not None

    def _send(self, worker: _Worker, path: str) -> None:
        try:
            worker.connection.send(path)
        except BrokenPipeError:
            # It died between two files, which is noticed when it is heard; this one was never begun.
            self.waiting.appendleft(path)
            worker.path = None

    def _bury(self, worker: _Worker, part: PartWriter) -> bool:
        del self.workers[worker.connection]
        worker.process.join()
        if worker.path is not None:
            reason = f"the process that read it {worker.how_ended}"
            part.add(FileScores(path=worker.path, status="error", reason=reason))
            return True
        self._n_stillborn += 1
        if self._n_stillborn == MAX_STILLBORN:
            raise EvaluationError(
                f"a process {worker.how_ended} before its first file, {MAX_STILLBORN} times. Try fewer workers."
            )
        return False


def _serve(connection: Connection, task: Task, folder: Path) -> None:
    """What a worker does: load the model, then one file after another until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too and ends the workers
    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        with task.detector() as detector, PartWriter(folder) as part:
            connection.send("ready")
            while True:
                part.add(task.score(connection.recv(), detector))
                connection.send("done")
    except EOFError:
        return
    except HashFormerError as error:
        connection.send(error)
