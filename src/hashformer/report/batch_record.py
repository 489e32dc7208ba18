"""What a batch remembers of each file, and the journal by which an interrupted one goes on."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from hashformer.cache import atomic_path
from hashformer.errors import StoreError
from hashformer.report.wording import Verdict, VerdictKind, visible
from hashformer.results import Detection, Status, WeightsInfo
from hashformer.version import __version__

JOURNAL_NAME = ".hashformer-batch.jsonl"
TABLE_NAME = "results.csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins so is computed by spreadsheets, and file names are hostile input."""


class BatchNotes(BaseModel):
    """What decides every score of a batch; the first line of its journal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hashformer_version: str = __version__
    weights: WeightsInfo
    options: dict[str, Any]
    threshold: float

    def other_than(self, made: "BatchNotes") -> str | None:
        """How these differ from those that results were made with; None if they do not."""
        if self.weights.sha256 != made.weights.sha256:
            theirs, ours = made.weights, self.weights
            return f"weights {theirs.name} ({theirs.sha256[:12]}), now {ours.name} ({ours.sha256[:12]})"
        if self.hashformer_version != made.hashformer_version:
            return f"version {made.hashformer_version}, now {self.hashformer_version}"
        if self.options != made.options:
            return f"settings {made.options}, now {self.options}"
        return None


class Row(BaseModel):
    """One file of a batch.

    Attributes:
        name: Relative to the folder that all files of the batch lie in; its results are named after it.
        kind: Of the verdict.
        verdict: In words.
        size_bytes: Of the file when it was read; None if it could not be.
        modified_ns: Its modification time, nanoseconds.
        result: The document, relative to the folder of results; None for a file without one.
        report: The HTML report, likewise.
        suspect: Segments in words: "0:01.0–0:04.0 video".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    path: str
    kind: VerdictKind
    verdict: str
    status: Status
    reason: str | None = None
    score: float | None = None
    video: float | None = None
    audio: float | None = None
    sync: float | None = None
    suspect: list[str] = []
    n_faces: int = 0
    duration_s: float | None = None
    warnings: list[str] = []
    sha256: str | None = None
    size_bytes: int | None = None
    modified_ns: int | None = None
    result: str | None = None
    report: str | None = None

    @classmethod
    def of(cls, detection: Detection, *, name: str, suspect: list[str], said: Verdict) -> Self:
        """A row with what an answer says."""
        scores = detection.scores
        return cls(
            name=name,
            kind=said.kind,
            verdict=said.words,
            path=detection.path,
            status=detection.status,
            reason=detection.reason,
            score=detection.score,
            video=scores.video,
            audio=scores.audio,
            sync=scores.sync,
            suspect=suspect,
            n_faces=len(detection.tracks),
            duration_s=detection.duration_s,
            warnings=detection.warnings,
            sha256=detection.sha256,
        )


class Journal:
    """A line for each file that is done, on disk as soon as it is; a context manager.

    Args:
        folder: Of the results.
        notes: What the scores are made with now.
        redo: Forget what was done before.

    Raises:
        StoreError: If the folder cannot be written, or what was done before was done with something else.
    """

    def __init__(self, folder: Path, notes: BatchNotes, *, redo: bool = False) -> None:
        self._path = folder / JOURNAL_NAME
        self.rows: dict[str, Row] = {}
        if not redo and self._path.is_file():
            self._read(notes)
        # Written anew: a line that a kill tore, and all that later ones replace, are gone.
        self._write_all(notes)
        self._file: IO[str] = self._path.open("a", encoding="utf-8")

    def add(self, row: Row) -> None:
        """Keep a row; it replaces an earlier one of the same name.

        Raises:
            StoreError: If it cannot be written.
        """
        self.rows[row.name] = row
        try:
            self._file.write(row.model_dump_json() + "\n")
            self._file.flush()
        except OSError as error:
            raise StoreError(
                f"{self._path}: cannot be written ({error.strerror}). Make room and run again; what is done is kept."
            ) from error

    def _read(self, notes: BatchNotes) -> None:
        head, *lines = self._path.read_text(encoding="utf-8").splitlines() or [""]
        folder = self._path.parent
        try:
            made = BatchNotes.model_validate_json(head)
        except ValidationError:
            raise StoreError(
                f"{self._path}: is damaged or of another version, so it is not known what was done. "
                "Pass --redo to score all files again, or name another folder with --out."
            ) from None
        if (difference := notes.other_than(made)) is not None:
            raise StoreError(
                f"{folder}: holds results of {difference}. Name another folder with --out, or pass --redo to score "
                "all files again."
            )
        for line in lines:
            row = _parsed(line)
            if row is not None:
                self.rows[row.name] = row

    def _write_all(self, notes: BatchNotes) -> None:
        with atomic_path(self._path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(f"{line.model_dump_json()}\n" for line in (notes, *self.rows.values()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _parsed(line: str) -> Row | None:
    """The row of a line; None for one that a kill tore, whose file is then done again."""
    try:
        return Row.model_validate_json(line)
    except ValidationError:
        return None


COLUMNS = (
    *(
        "file",
        "status",
        "verdict",
        "score",
        "video",
        "audio",
        "sync",
        "suspect",
        "faces",
        "duration_s",
        "reason",
        "warnings",
    ),
    *("sha256", "size_bytes", "result", "report"),
)


def write_table(rows: Iterable[Row], path: Path) -> None:
    """Write `results.csv`: a line for each file, in the order given; no cell is a formula to a spreadsheet."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([cell(value) for value in _cells(row)] for row in rows)


def _cells(row: Row) -> Sequence[object]:
    scores = (row.score, row.video, row.audio, row.sync)
    return (
        *(row.name, row.status, row.verdict, *scores, "; ".join(row.suspect), row.n_faces, row.duration_s),
        *(row.reason, "; ".join(row.warnings), row.sha256, row.size_bytes, row.result, row.report),
    )


def cell(value: object) -> object:
    """A value as a cell: text that a spreadsheet would compute begins with an apostrophe, as OWASP advises."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def unchanged(row: Row, path: Path) -> bool:
    """Whether a file still has the size and the modification time that it was read with."""
    try:
        stat = os.stat(path)  # noqa: PTH116 -- the name may hold bytes that are no text
    except OSError:
        return False
    return (row.size_bytes, row.modified_ns) == (stat.st_size, stat.st_mtime_ns)
