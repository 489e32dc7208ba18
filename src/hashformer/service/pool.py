"""Keeps the workers at work: gives jobs, notes answers, ends what takes too long, too much or is unwanted."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import wait

from hashformer.errors import HashFormerError, SetupError, StoreError
from hashformer.results import WeightsInfo
from hashformer.service.folder import WorkFolder
from hashformer.service.jobs import Job, JobQueue
from hashformer.service.messages import GarbledError, Report, Task
from hashformer.service.metrics import Metrics
from hashformer.service.process import WorkerProcess, start_worker
from hashformer.service.settings import ServiceSettings
from hashformer.service.worker import WorkerSettings

logger = logging.getLogger(__name__)

WATCH_S = 0.2
"""How often memory, time and erased jobs are looked at."""
CLEAN_EVERY_S = 5.0
MAX_STILLBORN = 3
"""Workers in a row that may die while they load the detector."""
LOAD_TIMEOUT_S = 600.0
GUESS_S = 10.0
"""Seconds that a job takes, before one was measured."""


class Pool:
    """Worker processes, and the one thread that looks after them.

    Args:
        settings: Number of workers and their limits.
        folder: Where uploads and results lie.
        queue: Where jobs come from.
        metrics: Told what happens.
        on_end: Called when the thread ends by itself; `error` then says why.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        folder: WorkFolder,
        *,
        queue: JobQueue,
        metrics: Metrics,
        on_end: Callable[[], None],
    ) -> None:
        self._settings, self._folder, self._queue = settings, folder, queue
        self._metrics, self._on_end = metrics, on_end
        self._workers: list[WorkerProcess] = []
        self._ear, self._mouth = Pipe(duplex=False)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hashformer-pool")
        self._n_stillborn = 0
        self._cleaned_at = 0.0
        self.job_s = GUESS_S
        self.weights: WeightsInfo | None = None
        self.error: HashFormerError | None = None

    @property
    def n_ready(self) -> int:
        """Workers that have loaded the detector."""
        return sum(worker.is_ready for worker in list(self._workers))

    def memory_bytes(self) -> int:
        """Memory of all workers."""
        return sum(worker.memory_bytes() for worker in list(self._workers))

    def progress(self, job_id: str) -> float:
        """Share that is done of a running job."""
        at_work = [(worker.job, worker.progress) for worker in list(self._workers)]
        return next((progress for job, progress in at_work if job is not None and job.id == job_id), 0.0)

    def start(self) -> None:
        """Start the thread, which starts the workers."""
        self._thread.start()

    def wake(self) -> None:
        """Have the thread look at the queue now: there is a new job, or one is gone."""
        self._mouth.send_bytes(b"!")

    def stop(self) -> None:
        """End the workers; what they were at goes back into the queue."""
        self._stopping.set()
        self.wake()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set() and self.error is None:
                self._round()
        finally:
            for worker in self._workers:
                worker.kill()
            jobs = [worker.job for worker in self._workers if worker.job is not None]
            self._workers = []
            if not self._stopping.is_set():
                self.error = self.error or SetupError("the workers cannot be looked after any more; the log says why.")
                self._on_end()
            for job in jobs:
                self._queue.give_back(job.id)

    def _round(self) -> None:
        try:
            self._fill()
            self._listen()
            self._watch()
            self._clean()
        except (sqlite3.Error, OSError):
            # A full disk, most likely. What was left half done is taken up again when there is room: `_watch`.
            logger.exception("the queue or the work folder cannot be used at the moment")
            self._stopping.wait(1.0)

    def _fill(self) -> None:
        """As many workers as are wanted, and a job for each that waits."""
        while len(self._workers) < self._settings.workers:
            self._workers.append(start_worker(_worker_settings(self._settings)))
        for worker in self._workers:
            if worker.is_idle and (job := self._queue.claim()) is not None:
                self._give(worker, job)

    def _give(self, worker: WorkerProcess, job: Job) -> None:
        self._folder.drop_attempt(job.id, job.attempts)
        path = self._folder.upload(job.id, job.suffix)
        target = self._folder.attempt(job.id, job.attempts)
        worker.give(job, Task(id=job.id, path=str(path), file=job.file, folder=str(target)))

    def _listen(self) -> None:
        by_connection = {worker.connection: worker for worker in self._workers}
        for connection in wait([self._ear, *by_connection], timeout=WATCH_S):
            if connection is self._ear:
                self._ear.recv_bytes()
                continue
            worker = next(worker for worker in self._workers if worker.connection is connection)
            try:
                self._note(worker, worker.hear())
            except EOFError:
                self._bury(worker)
            except GarbledError as error:
                worker.kill()
                logger.warning("a worker said what is %s", error)
                self._bury(worker)

    def _note(self, worker: WorkerProcess, report: Report) -> None:
        if report.kind == "ready":
            worker.is_ready, self.weights = True, report.weights
            worker.loaded_bytes = worker.memory_bytes()
            self._n_stillborn = 0
        elif report.kind == "broken":
            self.error = SetupError(report.message)
        elif worker.job is None or report.id != worker.job.id:
            raise GarbledError(f"about a job that is not its own: {report.kind}")
        elif report.kind == "progress":
            worker.progress = report.progress
        else:
            self._end(worker, worker.job, report)

    def _end(self, worker: WorkerProcess, job: Job, report: Report) -> None:
        """A worker has come to the end of its job, well or not."""
        worker.job = None
        self.job_s += 0.2 * (worker.busy_s - self.job_s)
        self._metrics.took(report.timings_s)
        if report.kind == "failed":
            self._fail(job, report.code, report.message)
            return
        try:
            self._folder.publish(job.id, job.attempts)
        except StoreError:
            logger.exception("job %s", job.id)
            self._died(job, "wrote no result")
            return
        if self._queue.finish(job.id):
            self._folder.drop_upload(job.id, job.suffix)
            self._metrics.ended("done")
        else:  # erased in the meantime
            self._folder.drop_result(job.id)

    def _fail(self, job: Job, code: str, message: str) -> None:
        self._folder.drop_attempt(job.id, job.attempts)
        self._folder.drop_upload(job.id, job.suffix)
        if self._queue.fail(job.id, code, message):
            self._metrics.ended(code)

    def _bury(self, worker: WorkerProcess, *, reason: str = "died") -> None:
        """A worker is gone: another takes its place in the next round; its job is tried again or fails."""
        worker.bury()
        self._workers.remove(worker)
        self._metrics.replaced(reason)
        if worker.job is not None:
            self._died(worker.job, worker.how_ended)
        elif not worker.is_ready:
            self._n_stillborn += 1
            if self._n_stillborn == MAX_STILLBORN:
                self.error = SetupError(
                    f"a worker {worker.how_ended} while it loaded the detector, {MAX_STILLBORN} times. "
                    f"Raise worker_memory_bytes = {int(self._settings.worker_memory_bytes)} if that is too little, "
                    "or try fewer workers if the machine has too little."
                )

    def _died(self, job: Job, how: str) -> None:
        logger.warning("a worker %s at job %s", how, job.id)
        self._folder.drop_attempt(job.id, job.attempts)
        after = self._queue.died(job.id, how)
        if after is None or after.state == "failed":
            self._folder.drop_upload(job.id, job.suffix)
        if after is not None and after.state == "failed":
            self._metrics.ended("worker_died")

    def _watch(self) -> None:
        """End workers whose job is over its limits, or was erased."""
        running = {job.id for job in self._queue.in_state("running")}
        for lost in running - {worker.job.id for worker in self._workers if worker.job is not None}:
            self._queue.give_back(lost)
        for worker in list(self._workers):
            job, settings = worker.job, self._settings
            if job is None:
                self._watch_idle(worker)
            elif job.id not in running:
                self._interrupt(worker, job, "cancelled", "")
            elif worker.busy_s > settings.job_timeout_s:
                limit = f"took longer than the limit of {settings.job_timeout_s:g} s (job_timeout_s)"
                self._interrupt(worker, job, "timeout", f"{job.file}: {limit}. Send a shorter part of it.")
            elif (memory := worker.memory_bytes()) > settings.worker_memory_bytes:
                limit = f"took {memory} bytes of memory, above the limit of {settings.worker_memory_bytes}"
                way_out = "(worker_memory_bytes). Send a smaller picture."
                self._interrupt(worker, job, "memory", f"{job.file}: {limit} {way_out}")

    def _watch_idle(self, worker: WorkerProcess) -> None:
        room = self._settings.worker_memory_bytes - worker.loaded_bytes
        if not worker.is_ready and worker.busy_s > LOAD_TIMEOUT_S:
            worker.kill()
            self._bury(worker, reason="load")
        elif worker.is_ready and worker.memory_bytes() > worker.loaded_bytes + room // 2:
            # What earlier files left behind must not count against the next.
            worker.kill()
            self._bury(worker, reason="grown")

    def _interrupt(self, worker: WorkerProcess, job: Job, code: str, message: str) -> None:
        # Not tried again: the limit was the file's doing, and would be once more.
        worker.job = None
        worker.kill()
        self._bury(worker, reason=code)
        self._fail(job, code, message)

    def _clean(self) -> None:
        """Erase what has been kept long enough."""
        if time.monotonic() - self._cleaned_at < min(CLEAN_EVERY_S, self._settings.keep_s):
            return
        self._cleaned_at = time.monotonic()
        for job in self._queue.expired():
            self._queue.delete(job.id)
            self._folder.drop_result(job.id)
        self._queue.tidy()


def _worker_settings(settings: ServiceSettings) -> WorkerSettings:
    return WorkerSettings(
        checkpoint=settings.checkpoint,
        device=settings.device,
        backend=settings.backend,
        threads=max(1, (os.cpu_count() or 1) // settings.workers),
        memory_bytes=settings.worker_memory_bytes,
        max_duration_s=settings.max_duration_s,
    )
