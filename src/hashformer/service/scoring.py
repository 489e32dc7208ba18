"""Inside a worker: one detector, loaded once, and one file after another."""

import errno
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import torch

from hashformer.detector import Detector
from hashformer.errors import MediaError
from hashformer.evidence import explain
from hashformer.media import probe
from hashformer.report.document import make_document, write_json
from hashformer.report.html import write_html
from hashformer.results import Detection
from hashformer.service.folder import REPORT, RESULT
from hashformer.service.messages import MAX_TEXT, Report, Task, receive, send
from hashformer.service.worker import WorkerSettings

TELL_EVERY_S = 0.25


class TooLongError(MediaError):
    """The media lasts longer than the service takes."""


def score_tasks(connection: Connection, settings: WorkerSettings) -> None:
    """Say that the detector is loaded, then score file after file.

    Raises:
        EOFError: When the server closes the pipe.
        HashFormerError: If the detector cannot be loaded.
    """
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(1)
    with Detector(settings.checkpoint, device=settings.device, backend=settings.backend) as detector:
        send(connection, Report(kind="ready", weights=detector.weights))
        while True:
            task = receive(connection, Task.model_validate_json)
            send(connection, _score(detector, task, settings.max_duration_s, _Teller(connection, task.id)))


class _Teller:
    """Tells the server how far a file is, at times."""

    def __init__(self, connection: Connection, job_id: str) -> None:
        self._connection, self._job_id = connection, job_id
        self._told_at = 0.0

    def __call__(self, done_s: float, total_s: float | None) -> None:
        now = time.monotonic()
        if total_s and now - self._told_at >= TELL_EVERY_S:
            self._told_at = now
            progress = min(1.0, max(0.0, done_s / total_s))
            send(self._connection, Report(kind="progress", id=self._job_id, progress=progress))


def _score(
    detector: Detector, task: Task, max_duration_s: float, tell: Callable[[float, float | None], None]
) -> Report:
    def watch(done_s: float, total_s: float | None) -> None:
        # The container's word is not enough: one may say a second and go on for hours.
        _check_duration(task.path, done_s, max_duration_s)
        tell(done_s, total_s)

    try:
        _check_duration(task.path, probe(Path(task.path)).duration_s, max_duration_s)
        detection = explain(detector, task.path, progress=watch)
        _check_duration(task.path, detection.duration_s, max_duration_s)
    except MediaError as error:
        code = "too_long" if isinstance(error, TooLongError) else "unreadable"
        message = str(error).replace(task.path, task.file)[:MAX_TEXT]
        return Report(kind="failed", id=task.id, code=code, message=message)
    try:
        _write(detector, detection.model_copy(update={"path": task.file}), Path(task.folder))
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        message = f"{task.file}: the result could not be written: the disk of the service is full. Try again later."
        return Report(kind="failed", id=task.id, code="disk_full", message=message)
    return Report(kind="done", id=task.id, timings_s=detection.timings_s)


def _check_duration(path: str, duration_s: float | None, limit_s: float) -> None:
    if duration_s is not None and duration_s > limit_s:
        raise TooLongError(
            f"{path}: lasts {duration_s:.1f} s, above the limit of {limit_s:g} s (max_duration_s). Send a part of it."
        )


def _write(detector: Detector, detection: Detection, folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True)
    document = make_document([detection], settings=detector.config.model_dump(mode="json"))
    write_json(document, folder / RESULT)
    write_html(document, folder / REPORT)
