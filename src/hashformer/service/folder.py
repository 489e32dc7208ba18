"""The work folder: where uploads and results lie. Every name in it is made here, none comes from a client."""

import contextlib
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from hashformer.errors import StoreError

RESULT, REPORT = "result.json", "report.html"


class WorkFolder:
    """Paths inside one folder, and their erasure.

    Args:
        root: The folder; made if it is not there, for this user alone.

    Raises:
        StoreError: If it cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.uploads, self.results = self.root / "uploads", self.root / "results"
        self._parts, self._attempts = self.root / "parts", self.root / "attempts"
        try:
            for folder in (self.root, self.uploads, self.results, self._parts, self._attempts):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be written ({error.strerror}). Name another --work-dir.") from error

    @property
    def queue(self) -> Path:
        """The file of the queue."""
        return self.root / "queue.sqlite"

    def new_part(self) -> Path:
        """A path for an upload that is not complete yet."""
        return self._parts / secrets.token_hex(16)

    def upload(self, job_id: str, suffix: str) -> Path:
        """Where the complete upload of a job lies."""
        return self.uploads / f"{job_id}{suffix}"

    def attempt(self, job_id: str, number: int) -> Path:
        """Where a worker writes; nobody reads there before it is done."""
        return self._attempts / f"{job_id}-{number}"

    def result(self, job_id: str) -> Path:
        """The JSON document of a job that is done."""
        return self.results / job_id / RESULT

    def report(self, job_id: str) -> Path:
        """The HTML report of a job that is done."""
        return self.results / job_id / REPORT

    def publish(self, job_id: str, number: int) -> None:
        """Make what a worker wrote the result of its job.

        Raises:
            StoreError: If the worker did not write both files.
        """
        attempt, target = self.attempt(job_id, number), self.results / job_id
        if not all((attempt / name).is_file() for name in (RESULT, REPORT)):
            raise StoreError(f"{attempt}: the worker said that it was done and wrote no {RESULT} and {REPORT}")
        _remove(target)
        attempt.rename(target)

    def drop_upload(self, job_id: str, suffix: str) -> None:
        """Erase what was uploaded."""
        self.upload(job_id, suffix).unlink(missing_ok=True)

    def drop_attempt(self, job_id: str, number: int) -> None:
        """Erase what a worker left half done."""
        _remove(self.attempt(job_id, number))

    def drop_result(self, job_id: str) -> None:
        """Erase result and report."""
        _remove(self.results / job_id)

    def drop_orphans(self, *, uploads: Iterable[str], results: Iterable[str]) -> int:
        """Erase everything that belongs to no job.

        Args:
            uploads: Names in `uploads` that stay.
            results: Names in `results` that stay.

        Returns:
            How many entries were erased.
        """
        kept = {self.uploads: set(uploads), self.results: set(results), self._parts: set(), self._attempts: set()}
        orphans = [entry for folder, names in kept.items() for entry in folder.iterdir() if entry.name not in names]
        for entry in orphans:
            _remove(entry)
        return len(orphans)

    def free_bytes(self) -> int:
        """Disk space that is left for this user."""
        return shutil.disk_usage(self.root).free


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
