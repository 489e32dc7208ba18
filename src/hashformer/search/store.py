"""The index on disk: one SQLite file, so that adding is all or nothing, and reading goes on meanwhile."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import ValidationError

from hashformer.errors import StoreError
from hashformer.results import WeightsInfo
from hashformer.search.codes import FileCodes, StreamCodes
from hashformer.search.profile import Chance, Profile

FILE_NAME = "index.sqlite"
VERSION = 1
BUSY_S = 60.0
"""How long one process waits for another that writes, which takes milliseconds."""
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, name TEXT NOT NULL, duration_s REAL NOT NULL,
    window_s REAL NOT NULL, added TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS codes (
    file_id INTEGER NOT NULL REFERENCES files(id) ON DELETE CASCADE, stream TEXT NOT NULL,
    starts BLOB NOT NULL, tracks BLOB NOT NULL, codes BLOB NOT NULL, PRIMARY KEY (file_id, stream)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Entry:
    """A known file as it is listed."""

    sha256: str
    name: str
    duration_s: float
    n_windows: int
    added: str


class Store:
    """An index folder. A context manager; several processes may have it open.

    Args:
        folder: Where it lies.
        weights: Whose codes it holds, or is to hold; None takes those that it has.
        profile: For an index that is made now; one that is there keeps its own.
        create: Make it if it is not there.

    Raises:
        StoreError: If it is not there, damaged, cannot be written, or holds codes of other weights.
    """

    def __init__(
        self, folder: Path, *, weights: WeightsInfo | None = None, profile: Profile | None = None, create: bool = False
    ) -> None:
        self._path = folder / FILE_NAME
        if create and weights is not None:
            folder.mkdir(parents=True, exist_ok=True)
        elif not self._path.is_file():
            raise StoreError(f"{folder}: holds no index. `hashformer index add FILES --index {folder}` makes one.")
        with self._saying():
            self._db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
            self._db.execute("PRAGMA foreign_keys = ON")
            if create and weights is not None:
                self._create(weights, profile or Profile())
        try:
            self.weights, self.profile = self._read_facts()
            if weights is not None:
                self._refuse_others(weights)
        except StoreError:
            self._db.close()
            raise

    def add(self, files: Sequence[FileCodes]) -> int:
        """Add files, all or none; those that are there already stay as they are.

        Returns:
            How many are new.
        """
        with self._writing():
            return sum(self._add(file) for file in files)

    def remove(self, sha256: str) -> Entry:
        """Remove the file whose SHA-256 begins so.

        Raises:
            StoreError: If there is none, or more than one.
        """
        found = [entry for entry in self.entries() if sha256 and entry.sha256.startswith(sha256.lower())]
        if len(found) != 1:
            few = "no file" if not found else f"{len(found)} files"
            raise StoreError(f"{sha256!r}: {few} of that SHA-256; `hashformer index list` shows them.")
        with self._writing():
            self._db.execute("DELETE FROM files WHERE sha256 = ?", (found[0].sha256,))
        return found[0]

    def entries(self) -> list[Entry]:
        """What is in it, in the order of adding."""
        with self._saying():
            rows = self._db.execute(
                "SELECT sha256, name, duration_s, coalesce(max(length(starts)) / 4, 0), added "
                "FROM files LEFT JOIN codes ON file_id = id GROUP BY id ORDER BY id"
            ).fetchall()
        return [Entry(*row) for row in rows]

    def known(self, sha256: str) -> bool:
        """Whether a file is in it."""
        with self._saying():
            return self._db.execute("SELECT 1 FROM files WHERE sha256 = ?", (sha256,)).fetchone() is not None

    def read(self) -> list[FileCodes]:
        """All files with their codes, in the order of adding: one state, however many are added meanwhile."""
        with self._saying():
            rows = self._db.execute(
                "SELECT sha256, name, duration_s, window_s, stream, starts, tracks, codes "
                "FROM files LEFT JOIN codes ON file_id = id ORDER BY id, stream"
            ).fetchall()
        return list(_files(rows))

    @property
    def chance(self) -> Chance | None:
        """What was measured on the index's own files, if it was."""
        with self._saying():
            row = self._db.execute("SELECT value FROM facts WHERE name = 'chance'").fetchone()
        return Chance.model_validate_json(row[0]) if row else None

    def keep_chance(self, chance: Chance) -> None:
        """Keep what was measured on the index's own files."""
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO facts VALUES ('chance', ?)", (chance.model_dump_json(),))

    def _create(self, weights: WeightsInfo, profile: Profile) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            facts = {
                "version": str(VERSION),
                "weights": weights.model_dump_json(),
                "profile": profile.model_dump_json(),
            }
            # Of two processes that make one index at once, the first decides.
            self._db.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?)", facts.items())
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _read_facts(self) -> tuple[WeightsInfo, Profile]:
        with self._saying():
            facts = dict(self._db.execute("SELECT name, value FROM facts").fetchall())
        try:
            if facts["version"] != str(VERSION):
                raise StoreError(
                    f"{self._path}: is of version {facts['version']}, this program reads {VERSION}. "
                    "Add the files to a new index."
                )
            return WeightsInfo.model_validate_json(facts["weights"]), Profile.model_validate_json(facts["profile"])
        except (KeyError, ValidationError) as error:
            raise StoreError(f"{self._path}: is no index of this program ({error}). Name another folder.") from error

    def _refuse_others(self, weights: WeightsInfo) -> None:
        ours = self.weights
        if weights.sha256 != ours.sha256:
            raise StoreError(
                f"{self._path.parent}: holds codes of weights {ours.name} ({ours.sha256[:12]}); codes of "
                f"{weights.name} ({weights.sha256[:12]}) cannot be compared with them. Name those weights with "
                "--checkpoint, or another folder with --index and add the files again."
            )

    def _add(self, file: FileCodes) -> int:
        added = datetime.now(UTC).isoformat(timespec="seconds")
        row = self._db.execute(
            "INSERT INTO files (sha256, name, duration_s, window_s, added) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (sha256) DO NOTHING RETURNING id",
            (file.sha256, file.name, file.duration_s, file.window_s, added),
        ).fetchone()
        if row is None:
            return 0
        self._db.executemany(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?)",
            [
                (row[0], stream, _bytes(part.starts_s, "<f4"), _bytes(part.tracks, "<i4"), _bytes(part.codes, "u1"))
                for stream, part in file.streams.items()
            ],
        )
        return 1

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._saying():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _saying(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._path}: the index cannot be read or written ({error}). Check the disk and the rights, or name "
                "another folder with --index."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()


def _bytes(array: np.ndarray, kind: str) -> bytes:
    return np.ascontiguousarray(array, kind).tobytes()


def _files(rows: Iterable[tuple[str, str, float, float, str | None, bytes, bytes, bytes]]) -> Iterator[FileCodes]:
    last: tuple[str, str, float, float] | None = None
    streams: dict[str, StreamCodes] = {}
    for sha256, name, duration_s, window_s, stream, starts, tracks, codes in rows:
        head = sha256, name, duration_s, window_s
        if head != last:
            if last is not None:
                yield _file(last, streams)
            last, streams = head, {}
        if stream is not None:
            times = np.frombuffer(starts, "<f4")
            streams[stream] = StreamCodes(
                starts_s=times,
                tracks=np.frombuffer(tracks, "<i4"),
                codes=np.frombuffer(codes, np.uint8).reshape(len(times), -1),
            )
    if last is not None:
        yield _file(last, streams)


def _file(head: tuple[str, str, float, float], streams: dict[str, StreamCodes]) -> FileCodes:
    sha256, name, duration_s, window_s = head
    return FileCodes(sha256=sha256, name=name, duration_s=duration_s, window_s=window_s, streams=streams)
