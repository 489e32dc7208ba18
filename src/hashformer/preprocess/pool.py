"""Files prepared in worker processes of this machine."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from hashformer.config import Config
from hashformer.faces.follow import FaceFinder
from hashformer.preprocess.prepare import Job, Outcome, prepare_file
from hashformer.preprocess.processes import run_work


def run_pool(jobs: Iterator[Job], config: Config, *, workers: int) -> Generator[Outcome, None, None]:
    """Prepare files in worker processes, each of which loads the face models once.

    A script that calls this must guard its entry with `if __name__ == "__main__":`.

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
    return run_work(_Preparing(config), jobs, workers=workers)


@dataclass(frozen=True)
class _Preparing:
    config: Config

    @contextmanager
    def begin(self) -> Iterator[Callable[[Job], Outcome]]:
        with FaceFinder(self.config.faces) as finder:
            yield partial(prepare_file, config=self.config, finder=finder)

    def lost(self, job: Job, how: str) -> Outcome:
        reason = f"the worker that read it {how}. Run again, with fewer workers if memory is short."
        return Outcome(name=job.name, status="failed", reason=reason)
