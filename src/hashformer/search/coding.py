"""Many files coded in worker processes: one that cannot be read, or kills its worker, costs itself alone."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from hashformer.errors import MediaError
from hashformer.preprocess.processes import run_work
from hashformer.search.coder import Coder
from hashformer.search.codes import FileVectors


@dataclass(frozen=True, kw_only=True)
class Coded:
    """What became of a file: its vectors, or why there are none."""

    path: Path
    file: FileVectors | None = None
    reason: str = ""


def code_files(
    paths: Sequence[Path], weights: str, *, device: str = "cpu", workers: int = 1, threads: int = 1
) -> Generator[Coded, None, None]:
    """Code files in processes.

    Args:
        paths: Media files.
        weights: A weight file, a released name or a preset.
        device: Where the model runs.
        workers: Processes.
        threads: Threads that each computes with.

    Yields:
        One answer for each file, in the order in which they are ready.

    Raises:
        HashFormerError: What a worker cannot go on from: the weights or the face models cannot be loaded.
    """
    return run_work(_Coding(weights, device, threads), iter(paths), workers=workers)


@dataclass(frozen=True)
class _Coding:
    weights: str
    device: str
    threads: int

    @contextmanager
    def begin(self) -> Iterator[Callable[[Path], Coded]]:
        torch.set_num_threads(self.threads)
        with Coder(self.weights, device=self.device) as coder:

            def code(path: Path) -> Coded:
                try:
                    file = coder.code(path)
                except MediaError as error:
                    return Coded(path=path, reason=str(error))
                if not file.streams:
                    return Coded(path=path, reason=f"{path}: no face and no sound in it is good enough to be coded")
                return Coded(path=path, file=file)

            yield code

    def lost(self, job: Path, how: str) -> Coded:
        return Coded(path=job, reason=f"{job}: the worker that read it {how}. Run again, with fewer workers.")
