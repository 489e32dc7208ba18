"""`hashformer detect --workers N`: many files in processes, each written when it is done."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hashformer.errors import StoreError

if TYPE_CHECKING:
    from hashformer.report.batch import Batch
    from hashformer.report.batch_record import Row

SHOWN = 20
"""Files that could not be read that are printed; all are in results.csv."""


@dataclass(frozen=True, kw_only=True)
class BatchAsked:
    """What the user asked for.

    Attributes:
        named: Files and folders as they were named.
        files: All files in them.
        checkpoint: The weights.
        options: Of the detector.
        out: Folder of the results.
        workers: Processes; 0 for one on each core.
        reports: Which files get an HTML report.
        redo: Score again what was scored before.
    """

    named: Sequence[Path]
    files: Sequence[Path]
    checkpoint: str
    options: Mapping[str, Any]
    out: Path
    workers: int
    reports: Literal["all", "suspect", "none"]
    redo: bool


def detect_batch(asked: BatchAsked, words: Console) -> None:
    """Run the batch, print what became of it, and leave with the exit code of `detect`."""
    from hashformer.report.batch import BatchTask, batch_jobs, run_batch

    n_cores = os.cpu_count() or 1
    jobs = batch_jobs(asked.named, asked.files)
    workers = max(1, min(asked.workers or n_cores, len(jobs)))
    task = BatchTask(
        weights=asked.checkpoint,
        out=asked.out,
        options=asked.options,
        reports=asked.reports,
        threads=max(1, n_cores // workers),
    )
    columns = (
        *(TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()),
        *(TimeElapsedColumn(), TimeRemainingColumn()),
    )
    with Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as bar:
        shown = bar.add_task("Scoring", total=len(jobs))

        def advance(row: "Row | None", n_done: int, total: int) -> None:
            bar.update(shown, completed=n_done, total=total, description=Path(row.name).name if row else "Scoring")

        try:
            batch = run_batch(jobs, task, workers=workers, redo=asked.redo, advance=advance)
        except OSError as error:
            raise StoreError(f"{asked.out}: cannot be written ({error.strerror}). Name another folder.") from error
    _tell(batch, asked.out, words)


def _tell(batch: "Batch", out: Path, words: Console) -> None:
    failed = [row for row in batch.rows if row.status == "error"]
    if batch.n_before:
        words.print(f"Scored by an earlier run, and not changed since: {batch.n_before:,} of {len(batch.rows):,} files")
    for row in failed[:SHOWN]:
        words.print(f"{row.name}: {row.reason}", soft_wrap=True, markup=False)
    if len(failed) > SHOWN:
        words.print(f"and {len(failed) - SHOWN:,} more")
    typer.echo(_summary(batch))
    typer.echo(f"{out / 'index.html'} and {out / 'results.csv'} list them")
    if batch.n_left:
        words.print(f"Interrupted: {batch.n_left:,} files wait; the same command goes on where it stopped.")
        raise typer.Exit(130)
    if failed:
        raise typer.Exit(1)


def _summary(batch: "Batch") -> str:
    counts = Counter(row.verdict for row in batch.rows)
    listed = ", ".join(f"{number:,} {verdict.lower()}" for verdict, number in counts.most_common())
    return f"{len(batch.rows):,} files: {listed or 'none'}"
