"""Many files to prepared folders: in parallel, resumable, and none is lost without a word."""

import csv
import errno
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hashformer.cache import atomic_path
from hashformer.config import Config
from hashformer.errors import StoreError
from hashformer.preprocess.lock import locked
from hashformer.preprocess.pool import run_pool
from hashformer.preprocess.prepare import Job, Outcome, prepare_file, prepared_before
from hashformer.preprocess.ray_engine import run_ray
from hashformer.preprocess.record import PrepareSettings
from hashformer.preprocess.store import DiskFullError

__all__ = ["Outcome", "Summary", "folder_of", "prepare_file", "preprocess_files"]

FAILURES_NAME, NO_FACE_NAME = "failures.csv", "no_face.csv"

Engine = Literal["local", "ray"]


@dataclass
class Summary:
    """What became of every file that was asked for.

    Attributes:
        n_files: How many were asked for.
        n_done: Prepared by this run.
        n_skipped: Prepared before, from the same content with the same settings.
        failures: Name and reason of each file that could not be prepared.
        no_face: Names of prepared files with a picture but no face; their sound is there.
        n_sound_only: Prepared files without a picture.
        media_s: Seconds of media that this run prepared.
        elapsed_s: Seconds that it took.
    """

    n_files: int
    n_done: int = 0
    n_skipped: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    no_face: list[str] = field(default_factory=list)
    n_sound_only: int = 0
    media_s: float = 0.0
    elapsed_s: float = 0.0

    @property
    def coverage(self) -> float:
        """Share of the files that are prepared now."""
        return (self.n_done + self.n_skipped) / self.n_files if self.n_files else 1.0

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        if outcome.status == "failed":
            self.failures.append((outcome.name, outcome.reason))
            return
        if outcome.status == "done":
            self.n_done += 1
            self.media_s += outcome.media_s
        else:
            self.n_skipped += 1
        if not outcome.has_picture:
            self.n_sound_only += 1
        elif not outcome.n_tracks:
            self.no_face.append(outcome.name)


def preprocess_files(  # noqa: PLR0913 - each is one plain property of the run
    files: Iterable[Path],
    base_dir: Path,
    output_dir: Path,
    *,
    config: Config,
    workers: int = 1,
    engine: Engine = "local",
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Summary:
    """Prepare files and mirror the tree that they lie in: `base_dir/a/b.mp4` becomes `output_dir/a/b.mp4/`.

    What an earlier run prepared from the same content with the same settings is skipped. A file that
    cannot be prepared is a row of `failures.csv`; one that shows no face is prepared with its sound and
    is a row of `no_face.csv`. A run may be killed at any moment: the next goes on where it ended.

    Args:
        files: Media files under `base_dir`.
        base_dir: Top folder of the corpus.
        output_dir: Top folder of the result; may not lie in `base_dir`.
        config: Rates and faces.
        workers: Files at work at once, at least 1.
        engine: `local` for processes of this machine, `ray` for a cluster whose machines share both folders.
        on_outcome: Called for each file when it is known what became of it.

    Returns:
        What became of every file.

    Raises:
        ValueError: If `workers` is below 1.
        StoreError: If another run is at work on `output_dir`, it lies in `base_dir`, or a file does not.
        DiskFullError: If the disk is full; what is done is kept.
        SetupError: If the engine, or the face models in its workers, cannot be started.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    _check_apart(base_dir, output_dir)
    jobs = _jobs(files, base_dir, output_dir)
    summary, started = Summary(n_files=len(jobs)), time.perf_counter()
    with locked(output_dir), _listing(output_dir, summary) as list_failure:
        waiting = _waiting(jobs, PrepareSettings.of(config))
        for outcome in _outcomes(waiting, config, workers, engine):
            if outcome.status == "disk_full":
                n_kept = summary.n_done + summary.n_skipped
                raise DiskFullError(f"{outcome.reason} {n_kept} of {len(jobs)} files are prepared and kept; run again.")
            summary.add(outcome)
            if outcome.status == "failed":
                list_failure(outcome)
            if on_outcome is not None:
                on_outcome(outcome)
        summary.elapsed_s = time.perf_counter() - started
    return summary


def folder_of(file: Path, base_dir: Path, output_dir: Path) -> Path:
    """Where a file of a corpus is prepared: at its own place in the mirrored tree, under its own full name.

    Raises:
        StoreError: If the file does not lie under `base_dir`.
    """
    relative = os.path.relpath(file.absolute(), base_dir.absolute())
    if relative.startswith(os.pardir):
        raise StoreError(f"{file}: does not lie in {base_dir}. Name the folder that holds all files.")
    return output_dir / relative


def _jobs(files: Iterable[Path], base_dir: Path, output_dir: Path) -> list[Job]:
    jobs: dict[Path, Job] = {}
    for file in files:
        folder = folder_of(file, base_dir, output_dir)
        # Bytes of a name that are no UTF-8 become escapes, which can be written.
        name = os.fsencode(folder.relative_to(output_dir).as_posix()).decode(errors="backslashreplace")
        jobs[folder] = Job(file.absolute(), name, folder.absolute())
    return list(jobs.values())


def _check_apart(base_dir: Path, output_dir: Path) -> None:
    if output_dir.resolve().is_relative_to(base_dir.resolve()):
        raise StoreError(f"{output_dir}: lies in {base_dir}, where it would be taken for media. Name another folder.")


def _waiting(jobs: Sequence[Job], settings: PrepareSettings) -> Generator[Job | Outcome, None, None]:
    """The files that need work, and the outcome of those that plainly need none."""
    for job in jobs:
        record = prepared_before(job, settings, by_content=False)
        yield job if record is None else Outcome.of(job, "skipped", record)


def _outcomes(waiting: Iterable[Job | Outcome], config: Config, workers: int, engine: Engine) -> Iterator[Outcome]:
    """Skipped files as they are met, and those that the engine prepared, whichever comes first."""
    skipped: list[Outcome] = []

    def jobs() -> Iterator[Job]:
        for entry in waiting:
            if isinstance(entry, Outcome):
                skipped.append(entry)
            else:
                yield entry

    run = run_ray if engine == "ray" else run_pool
    with closing(run(jobs(), config, workers=workers)) as prepared:
        for outcome in prepared:
            yield outcome
            yield from skipped
            skipped.clear()
    yield from skipped


@contextmanager
def _listing(folder: Path, summary: Summary) -> Iterator[Callable[[Outcome], None]]:
    """Keep `failures.csv` up to date: a row at once for each failure, and all in order at the end."""
    path = folder / FAILURES_NAME

    def append(outcome: Outcome) -> None:
        with _writing(path), path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([outcome.name, outcome.reason])

    def write_all() -> None:
        _write_rows(path, ("path", "reason"), sorted(summary.failures))
        _write_rows(folder / NO_FACE_NAME, ("path",), [(name,) for name in sorted(summary.no_face)])

    write_all()
    try:
        yield append
    except KeyboardInterrupt:
        write_all()
        raise
    write_all()


def _write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with _writing(path), atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFullError(f"{path}: the disk is full. Free space and run again; what is done is kept.") from error
        raise StoreError(f"{path}: cannot be written ({error.strerror}). Name another folder.") from error
