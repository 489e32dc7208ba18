"""The service without its web: folder, queue, workers, limits, and what can be done with a job."""

import json
import logging
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hashformer.service.folder import WorkFolder
from hashformer.service.jobs import Job, JobQueue
from hashformer.service.keys import KeyRing
from hashformer.service.metrics import Gauges, Metrics
from hashformer.service.pool import Pool
from hashformer.service.refusals import RefusedError
from hashformer.service.schemas import job_answer
from hashformer.service.settings import ServiceSettings
from hashformer.service.uploads import Gate, Upload
from hashformer.version import __version__

logger = logging.getLogger(__name__)


class Service:
    """All parts of one server. Make one only while holding the lock of the work folder.

    Args:
        settings: Everything that can be set.
        on_end: Called when the workers cannot go on; `pool.error` then says why.

    Raises:
        ConfigError: If an API key is unfit.
        StoreError: If the work folder or its queue cannot be used.
    """

    def __init__(self, settings: ServiceSettings, *, on_end: Callable[[], None]) -> None:
        self.settings = settings
        self.keys = KeyRing(settings.all_keys())
        self.folder = WorkFolder(settings.work_dir)
        self.queue = JobQueue(self.folder.queue, keep_s=settings.keep_s)
        self.metrics = Metrics()
        self.pool = Pool(settings, self.folder, queue=self.queue, metrics=self.metrics, on_end=on_end)
        self.gate = Gate(
            settings, self.folder, n_queued=lambda: self.queue.counts()["queued"], job_s=lambda: self.pool.job_s
        )
        self.metrics.read(self._gauges, lambda: {str(state): n for state, n in self.queue.counts().items()})

    def start(self) -> None:
        """Take up what an earlier server left, then start the workers."""
        for job in self.queue.recover(max_attempts=self.settings.max_attempts):
            logger.warning("job %s was at work when the server ended; it is %s", job.id, job.state)
        waiting, done = self.queue.in_state("queued"), self.queue.in_state("done")
        self.folder.drop_orphans(
            uploads=[self.folder.upload(job.id, job.suffix).name for job in waiting],
            results=[job.id for job in done],
        )
        self.pool.start()

    def stop(self) -> None:
        """End the workers; what they were at is taken up at the next start."""
        self.pool.stop()
        self.queue.close()

    def accept(self, part: Path, upload: Upload, suffix: str) -> Job:
        """Make an upload that has arrived whole a job."""
        job_id = uuid.uuid4().hex
        # First the file, then the row: a kill in between leaves an orphan, never a job without its file.
        part.rename(self.folder.upload(job_id, suffix))
        job = self.queue.add(job_id, file=upload.name, suffix=suffix, size_bytes=upload.size_bytes)
        self.metrics.accepted(upload.size_bytes)
        self.pool.wake()
        return job

    def answer(self, job: Job) -> dict[str, Any]:
        """A job as the client sees it, with its result if it is done."""
        result = None
        if job.state == "done":
            try:
                result = json.loads(self.folder.result(job.id).read_text(encoding="utf-8"))
            except FileNotFoundError:  # erased since the row was read
                raise _unknown(job.id) from None
        return job_answer(job, progress=self.pool.progress(job.id), position=self.queue.position(job), result=result)

    def find(self, job_id: str) -> Job:
        """The job of this name.

        Raises:
            RefusedError: 404 if there is none, or none any more.
        """
        job = self.queue.get(job_id)
        if job is None:
            raise _unknown(job_id)
        return job

    def report(self, job_id: str) -> str:
        """The HTML report of a job.

        Raises:
            RefusedError: 404 if there is no such job, 409 if it is not done.
        """
        job = self.find(job_id)
        if job.state != "done":
            raise RefusedError(409, "not_done", f"job {job.id} is {job.state}; there is a report when it is done.")
        try:
            return self.folder.report(job.id).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise _unknown(job_id) from None

    def erase(self, job_id: str) -> None:
        """Forget a job with its upload, result and report; a running one is ended.

        Raises:
            RefusedError: 404 if there is none.
        """
        job = self.queue.delete(job_id)
        if job is None:
            raise _unknown(job_id)
        self.folder.drop_upload(job.id, job.suffix)
        self.folder.drop_result(job.id)
        self.pool.wake()

    def health(self) -> dict[str, Any]:
        """What `schemas.Health` describes."""
        counts, settings = self.queue.counts(), self.settings
        return {
            "status": "ready" if self.pool.n_ready else "starting",
            "version": __version__,
            "workers": self.pool.n_ready,
            "workers_wanted": settings.workers,
            "queued": counts["queued"],
            "running": counts["running"],
            "weights": None if self.pool.weights is None else self.pool.weights.model_dump(mode="json"),
            "limits": {
                "max_upload_bytes": int(settings.max_upload_bytes),
                "max_duration_s": settings.max_duration_s,
                "keep_s": settings.keep_s,
                "needs_key": self.keys.is_needed,
            },
        }

    def _gauges(self) -> Gauges:
        return {
            "queue_length": self.queue.counts()["queued"],
            "workers_ready": self.pool.n_ready,
            "workers_memory_bytes": self.pool.memory_bytes(),
            "disk_free_bytes": self.folder.free_bytes(),
        }


def _unknown(job_id: str) -> RefusedError:
    return RefusedError(404, "not_found", f"there is no job {job_id[:64]!r}: it was never there, or has been erased.")
