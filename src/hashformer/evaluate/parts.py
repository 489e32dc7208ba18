"""What is scored so far, on disk: one line for each file, written as soon as it is known.

A process that is killed loses the file it was at and no other. Each process writes parts of its own, so that
none waits for another; the table is made from all of them.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from hashformer.cache import atomic_path
from hashformer.errors import EvaluationError
from hashformer.evaluate.record import FileScores
from hashformer.evaluate.table import TableNotes

PARTS_NAME = "parts"
_NOTES_NAME = "scoring.json"


@dataclass(frozen=True)
class Place:
    """Where in the parts a file's line begins, and what became of the file."""

    part: Path
    offset: int
    status: str


class PartWriter:
    """Appends files to a part of its own. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{secrets.token_hex(8)}.jsonl"
        self._file: TextIO | None = None

    def add(self, scored: FileScores) -> None:
        """Keep a file; it is on disk when this returns."""
        try:
            if self._file is None:
                self._file = self._path.open("w", encoding="utf-8")
            self._file.write(scored.model_dump_json() + "\n")
            self._file.flush()
        except OSError as error:
            raise EvaluationError(
                f"{self._path}: cannot be written ({error.strerror}). Make room and run again; what is done is kept."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def open_parts(out: Path, notes: TableNotes) -> Path:
    """The folder of parts under `out`, begun or taken up again.

    Raises:
        EvaluationError: If what is there was scored with other weights or settings, or of another manifest.
    """
    folder = out / PARTS_NAME
    path = folder / _NOTES_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with atomic_path(path) as temporary:
                temporary.write_text(notes.model_dump_json(indent=1), encoding="utf-8")
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: cannot be written or read ({error}). Name another output folder.") from error
    now = json.loads(notes.model_dump_json())
    if other := [name for name in now if before.get(name) != now[name]]:
        was = {name: _short(before.get(name)) for name in other}
        raise EvaluationError(
            f"{out}: holds scores made with another {', '.join(other)} ({was[other[0]]}, now {_short(now[other[0]])}). "
            f"Name another output folder, or delete {folder} to score every file again."
        )
    return folder


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def finished(folder: Path) -> dict[str, Place]:
    """Every file that the parts hold, by its path.

    A line that a kill cut short is passed over. Of a file that failed and was tried again, the answer counts.
    """
    found: dict[str, Place] = {}
    for part in sorted(folder.rglob("*.jsonl")):
        offset = 0
        with part.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    record = json.loads(line)
                    known = found.get(record["path"])
                    if known is None or known.status == "error":
                        found[record["path"]] = Place(part, offset, record["status"])
                offset += len(line)
    return found


def read_back(places: Iterator[Place]) -> Iterator[FileScores]:
    """The files at these places, one at a time."""
    files: dict[Path, TextIO] = {}
    try:
        for place in places:
            if place.part not in files:
                files[place.part] = place.part.open(encoding="utf-8", newline="\n")
            files[place.part].seek(place.offset)
            yield FileScores.model_validate_json(files[place.part].readline())
    finally:
        for file in files.values():
            file.close()
