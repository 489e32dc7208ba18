"""Many files scored in worker processes: each is written when it is done, and an interrupted run goes on."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from hashformer.detector import Detector
from hashformer.detector.backend import load_backend
from hashformer.errors import MediaError, StoreError
from hashformer.evidence import N_CLIPS, explain_all
from hashformer.preprocess.lock import locked
from hashformer.preprocess.prepare import sha256_of
from hashformer.preprocess.processes import run_work
from hashformer.report.batch_page import PAGE_NAME, write_page
from hashformer.report.batch_record import TABLE_NAME, BatchNotes, Journal, Row, unchanged, write_table
from hashformer.report.document import make_document, write_json
from hashformer.report.html import write_html
from hashformer.report.wording import clock, verdict
from hashformer.results import Detection

Reports = Literal["all", "suspect", "none"]

_MAX_NAME_BYTES = 200
"""Of a file name, so that the endings of results and temporary files fit into the 255 that file systems allow."""
_MIN_PAUSE_S = 30.0


@dataclass(frozen=True)
class BatchJob:
    """A file, and the name, relative to the results' folder, that its results are given."""

    path: Path
    name: str


@dataclass(frozen=True, kw_only=True)
class BatchTask:
    """With what files are scored. It goes to every process as it is.

    Attributes:
        weights: A weight file, a released name or a preset.
        out: Folder of the results.
        options: Further arguments of `Detector` that decide a score, such as `device`.
        reports: Which files get an HTML report beside their JSON document.
        threads: Threads that each process computes with.
    """

    weights: str
    out: Path
    options: Mapping[str, Any]
    reports: Reports = "all"
    threads: int = 1

    @contextmanager
    def begin(self) -> Iterator[Callable[[BatchJob], Row]]:
        """Load the model."""
        torch.set_num_threads(self.threads)
        with Detector(self.weights, **self.options) as detector:
            yield lambda job: self._score(job, detector)

    def lost(self, job: BatchJob, how: str) -> Row:
        """The row of a file that killed its worker."""
        reason = f"the worker that read it {how}. Run again, with fewer workers if memory is short."
        return _row(Detection(path=job.name, status="error", reason=reason), job, threshold=1.0)

    def wants_report(self, row: Row) -> bool:
        """Whether a file's report is asked for."""
        return self.reports == "all" or (self.reports == "suspect" and row.kind == "fake")

    def _score(self, job: BatchJob, detector: Detector) -> Row:
        # A closer look is for the reader of a report.
        (detection,) = explain_all(detector, [job.path], n_clips=0 if self.reports == "none" else N_CLIPS)
        document = make_document([detection], settings=detector.config.model_dump(mode="json"))
        row = _row(detection, job, threshold=detector.config.timeline.threshold)
        result, report = f"{job.name}.json", f"{job.name}.report.html"
        try:
            stat = job.path.stat() if detection.status != "error" else None
            write_json(document, self.out / result)
            if self.wants_report(row):
                write_html(document, self.out / report)
        except OSError as error:
            raise StoreError(
                f"{self.out / job.name}: the results cannot be written: {error.strerror}. "
                "Make room, or name another folder, and run again: what is done is kept."
            ) from error
        return row.model_copy(
            update={
                "size_bytes": stat.st_size if stat else None,
                "modified_ns": stat.st_mtime_ns if stat else None,
                "result": result,
                "report": report if self.wants_report(row) else None,
            }
        )


@dataclass(frozen=True)
class Batch:
    """What became of the files: a row for each that was looked at, now or before."""

    rows: list[Row]
    n_before: int
    n_left: int


def batch_jobs(asked: Sequence[Path], files: Sequence[Path]) -> list[BatchJob]:
    """Name the results of files after their place under the folder that holds all that was asked for.

    Args:
        asked: Files and folders as the user named them.
        files: All files in them.
    """
    base = os.path.commonpath([os.path.abspath(path if path.is_dir() else path.parent) for path in asked])  # noqa: PTH100
    jobs: dict[str, BatchJob] = {}
    for file in files:
        relative = os.path.relpath(os.path.abspath(file), base)  # noqa: PTH100 -- links are kept
        # Bytes of a name that are no UTF-8 become escapes, which can be written.
        name = _shortened(os.fsencode(relative).decode(errors="backslashreplace"))
        jobs[name] = BatchJob(file.absolute(), name)
    return list(jobs.values())


def run_batch(
    jobs: Sequence[BatchJob],
    task: BatchTask,
    *,
    workers: int,
    redo: bool = False,
    advance: Callable[[Row | None, int, int], None] = lambda row, done, total: None,
) -> Batch:
    """Score files; what an earlier run with the same weights and settings did is kept.

    `results.csv` and `index.html` are written anew every half minute, at the end, and when the user interrupts.
    Files that could not be read before are tried again.

    Args:
        jobs: The files.
        task: With what to score, and where to.
        workers: Processes.
        redo: Score everything again.
        advance: Told the row of each file, how many files are done and how many there are.

    Raises:
        StoreError: If another run is at work in the folder, it cannot be written, or it holds results of other
            weights or settings.
        WeightsError: If there are no such weights.
    """
    notes = _notes(task)
    with locked(task.out), Journal(task.out, notes, redo=redo) as journal:
        done = {job.name: row for job in jobs if (row := _kept(job, task, journal)) is not None}
        n_before = len(done)
        advance(None, n_before, len(jobs))
        overview = _Overview(jobs, task.out, notes)
        try:
            waiting = iter([job for job in jobs if job.name not in done])
            with closing(run_work(task, waiting, workers=workers)) as rows:
                for row in rows:
                    journal.add(row)
                    done[row.name] = row
                    advance(row, len(done), len(jobs))
                    overview.now_and_then(done)
        except KeyboardInterrupt:
            pass
        finally:
            overview.write(done)
    return Batch([done[job.name] for job in jobs if job.name in done], n_before, len(jobs) - len(done))


class _Overview:
    """Table and page of all files, written while the batch runs, in a small part of its time."""

    def __init__(self, jobs: Sequence[BatchJob], out: Path, notes: BatchNotes) -> None:
        self._names, self._out, self._notes = [job.name for job in jobs], out, notes
        self._due_s = time.monotonic()

    def now_and_then(self, done: Mapping[str, Row]) -> None:
        if time.monotonic() >= self._due_s:
            self.write(done)

    def write(self, done: Mapping[str, Row]) -> None:
        started_s = time.monotonic()
        rows = [done[name] for name in self._names if name in done]
        try:
            write_table(rows, self._out / TABLE_NAME)
            write_page(rows, self._out / PAGE_NAME, notes=self._notes, n_left=len(self._names) - len(rows))
        except OSError as error:
            raise StoreError(
                f"{self._out}: the results cannot be written: {error.strerror}. Make room and run again: "
                "what is done is kept."
            ) from error
        ended_s = time.monotonic()
        self._due_s = ended_s + max(_MIN_PAUSE_S, 20 * (ended_s - started_s))


def _notes(task: BatchTask) -> BatchNotes:
    judge = load_backend(task.weights, backend=task.options.get("backend", "torch")).judge
    return BatchNotes(weights=judge.info, options=dict(task.options), threshold=judge.config.timeline.threshold)


def _kept(job: BatchJob, task: BatchTask, journal: Journal) -> Row | None:
    """The row of a file that was scored before and has not changed since; by content where its time differs."""
    row = journal.rows.get(job.name)
    if row is None or row.status == "error" or row.result is None or not (task.out / row.result).is_file():
        return None
    if task.wants_report(row) and (row.report is None or not (task.out / row.report).is_file()):
        return None
    if unchanged(row, job.path):
        return row
    try:
        stat = job.path.stat()
        if stat.st_size != row.size_bytes or sha256_of(job.path) != row.sha256:
            return None
    except (OSError, MediaError):
        return None
    row = row.model_copy(update={"modified_ns": stat.st_mtime_ns})
    journal.add(row)
    return row


def _row(detection: Detection, job: BatchJob, *, threshold: float) -> Row:
    said = verdict(detection, threshold)
    suspect = [f"{clock(segment.start_s)}–{clock(segment.end_s)} {segment.modality}" for segment in detection.segments]
    return Row.of(detection, name=job.name, suspect=suspect, said=said)


def _shortened(name: str) -> str:
    """A relative path whose parts are short enough to be given an ending; a hash keeps them apart."""
    return "/".join(_shortened_part(part) for part in name.split("/"))


def _shortened_part(part: str) -> str:
    whole = part.encode()
    if len(whole) <= _MAX_NAME_BYTES:
        return part
    digest = hashlib.sha256(whole).hexdigest()[:16]
    return f"{whole[: _MAX_NAME_BYTES - 17].decode(errors='ignore')}-{digest}"
