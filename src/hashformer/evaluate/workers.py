"""Scoring in several processes of one machine; one that dies costs the file it was at."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from hashformer.detector import Detector
from hashformer.evaluate.parts import PartWriter
from hashformer.evaluate.record import FileScores
from hashformer.preprocess.processes import run_work


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
        SetupError: If workers die before their first file.
    """
    with PartWriter(folder) as part, closing(run_work(_Scoring(task, folder), iter(paths), workers=workers)) as scored:
        for lost in scored:
            if lost is not None:
                part.add(lost)
            done()


@dataclass(frozen=True)
class _Scoring:
    """Scores go to the worker's own part; only those of a file that killed its worker come to the parent."""

    task: Task
    folder: Path

    @contextmanager
    def begin(self) -> Iterator[Callable[[str], FileScores | None]]:
        torch.set_num_threads(1)
        with self.task.detector() as detector, PartWriter(self.folder) as part:

            def score(path: str) -> None:
                part.add(self.task.score(path, detector))

            yield score

    def lost(self, job: str, how: str) -> FileScores:
        return FileScores(path=job, status="error", reason=f"the process that read it {how}")
