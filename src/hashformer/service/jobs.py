"""The queue: one SQLite file that survives its server, and every step that a job can take."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hashformer.errors import StoreError

State = Literal["queued", "running", "done", "failed"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed")
MAX_DEATHS = 2
"""Workers that may die at one file: after the first it is tried once more."""
_VERSION = 1
_TABLE = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'queued',
    file TEXT NOT NULL,
    suffix TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    expires REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    error_code TEXT,
    error_message TEXT
);
CREATE INDEX jobs_by_state ON jobs (state, number);
"""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A row of the queue.

    Attributes:
        number: Its place in the order of arrival.
        id: What the client knows it by.
        state: Where it stands.
        file: The client's name of the file, for show.
        suffix: Of the upload on disk.
        size_bytes: Of the upload.
        created: When it was accepted, seconds since 1970, UTC, as all times here.
        started: When a worker took it last.
        finished: When it was done or failed.
        expires: When it is erased.
        attempts: How often it was begun.
        deaths: How many workers died at it.
        error_code: Why it failed, for programs.
        error_message: Why it failed, for people.
    """

    number: int
    id: str
    state: State
    file: str
    suffix: str
    size_bytes: int
    created: float
    started: float | None
    finished: float | None
    expires: float | None
    attempts: int
    deaths: int
    error_code: str | None
    error_message: str | None


class JobQueue:
    """All jobs of one work folder. Safe to call from several threads of the one server that holds the folder.

    Args:
        path: The SQLite file; made if it is not there.
        keep_s: How long a job is kept after its end.

    Raises:
        StoreError: If the file is no queue, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path, *, keep_s: float) -> None:
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._has_deleted = False
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # what was accepted outlives a power cut
            self._db.execute("PRAGMA secure_delete = ON")  # erased names leave the file
            self._make_table(path)
        except sqlite3.Error as error:
            raise StoreError(f"{path}: the queue cannot be opened ({error}). Move it away to start anew.") from error

    def _make_table(self, path: Path) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN; {_TABLE} PRAGMA user_version = {_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise StoreError(
                f"{path}: is a queue of version {version}, this program reads {_VERSION}. "
                "Name another --work-dir, or move the file away."
            )

    def add(self, job_id: str, *, file: str, suffix: str, size_bytes: int) -> Job:
        """Take a complete upload into the queue, at its end."""
        return self._one(
            "INSERT INTO jobs (id, file, suffix, size_bytes, created) VALUES (?, ?, ?, ?, ?) RETURNING *",
            (job_id, file, suffix, size_bytes, time.time()),
        )

    def get(self, job_id: str) -> Job | None:
        """The job, or None if there is none (any more)."""
        return self._maybe("SELECT * FROM jobs WHERE id = ?", (job_id,))

    def position(self, job: Job) -> int | None:
        """Its place in the queue: 1 is next; None if it does not wait."""
        with self._step() as db:
            count = "SELECT COUNT(*) FROM jobs WHERE state = 'queued' AND number <= ?"
            return int(db.execute(count, (job.number,)).fetchone()[0]) if job.state == "queued" else None

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        with self._step() as db:
            found = dict(db.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state").fetchall())
        return {state: int(found.get(state, 0)) for state in STATES}

    def in_state(self, state: State) -> list[Job]:
        """All jobs in a state, in the order of arrival."""
        return self._all("SELECT * FROM jobs WHERE state = ? ORDER BY number", (state,))

    def claim(self) -> Job | None:
        """Take the next job out of the queue for a worker."""
        return self._maybe(
            "UPDATE jobs SET state = 'running', attempts = attempts + 1, started = ? WHERE number = "
            "(SELECT MIN(number) FROM jobs WHERE state = 'queued') RETURNING *",
            (time.time(),),
        )

    def give_back(self, job_id: str) -> None:
        """Put a running job back into its place, as if it had not been begun: the server is told to stop."""
        self._change(
            "UPDATE jobs SET state = 'queued', attempts = attempts - 1, started = NULL "
            "WHERE id = ? AND state = 'running'",
            (job_id,),
        )

    def died(self, job_id: str, how: str) -> Job | None:
        """A worker died at a job: try once more, then fail it. None if the job was erased meanwhile."""
        job = self._maybe(
            "UPDATE jobs SET state = 'queued', deaths = deaths + 1, started = NULL "
            "WHERE id = ? AND state = 'running' RETURNING *",
            (job_id,),
        )
        if job is not None and job.deaths >= MAX_DEATHS:
            message = f"{job.file}: the worker that read it {how}, {job.deaths} times. The file may be made to do harm."
            self._end(job_id, "queued", "failed", ("worker_died", message))
            return self.get(job_id)
        return job

    def finish(self, job_id: str) -> bool:
        """The result of a running job is there. False if the job was erased meanwhile."""
        return self._end(job_id, "running", "done", (None, None))

    def fail(self, job_id: str, code: str, message: str) -> bool:
        """A running job cannot be done. False if the job was erased meanwhile."""
        return self._end(job_id, "running", "failed", (code, message))

    def recover(self, *, max_attempts: int) -> list[Job]:
        """Take up the jobs that a killed server had at work; those that were begun too often fail.

        Returns:
            The jobs, as they are now.
        """
        running = self.in_state("running")
        for job in running:
            if job.attempts >= max_attempts:
                message = f"{job.file}: the server ended {job.attempts} times while at it; max_attempts allows no more."
                self.fail(job.id, "interrupted", message)
            else:
                self._change("UPDATE jobs SET state = 'queued', started = NULL WHERE id = ?", (job.id,))
        return [found for job in running if (found := self.get(job.id)) is not None]

    def delete(self, job_id: str) -> Job | None:
        """Forget a job, in whatever state; returned as it was, or None if there is none."""
        self._has_deleted = True
        return self._maybe("DELETE FROM jobs WHERE id = ? RETURNING *", (job_id,))

    def expired(self) -> list[Job]:
        """Jobs whose time is over."""
        return self._all("SELECT * FROM jobs WHERE expires <= ?", (time.time(),))

    def tidy(self) -> None:
        """Fold SQLite's log into the file if rows were deleted, since the log still holds them."""
        if self._has_deleted:
            with self._step() as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._has_deleted = False

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _end(self, job_id: str, before: State, after: State, error: tuple[str | None, str | None]) -> bool:
        now = time.time()
        return self._change(
            "UPDATE jobs SET state = ?, finished = ?, expires = ?, error_code = ?, error_message = ? "
            "WHERE id = ? AND state = ?",
            (after, now, now + self._keep_s, *error, job_id, before),
        )

    @contextmanager
    def _step(self) -> Iterator[sqlite3.Connection]:
        # One connection: a step is one statement, which is a transaction by itself.
        with self._lock:
            yield self._db

    def _all(self, statement: str, values: tuple[Any, ...]) -> list[Job]:
        with self._step() as db:
            cursor = db.execute(statement, values)
            rows, names = cursor.fetchall(), [column[0] for column in cursor.description]
        return [Job(**dict(zip(names, row, strict=True))) for row in rows]

    def _maybe(self, statement: str, values: tuple[Any, ...]) -> Job | None:
        return next(iter(self._all(statement, values)), None)

    def _one(self, statement: str, values: tuple[Any, ...]) -> Job:
        (job,) = self._all(statement, values)
        return job

    def _change(self, statement: str, values: tuple[Any, ...]) -> bool:
        with self._step() as db:
            return db.execute(statement, values).rowcount > 0
