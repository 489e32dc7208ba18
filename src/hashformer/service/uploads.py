"""Uploads: from the wire to the disk piece by piece, within limits of size, time, number and disk."""

import errno
import math
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request

from hashformer.service.folder import WorkFolder
from hashformer.service.form import FileForm
from hashformer.service.refusals import RefusedError
from hashformer.service.settings import ServiceSettings

IDLE_S = 30.0
"""An upload of which nothing arrives for so long is given up."""
ENVELOPE_BYTES = 65_536
"""What a form may add to its file: boundaries, headers, small fields."""
WRITE_BYTES = 2**20
MAX_RETRY_S = 60
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class Upload:
    """A file that has arrived whole."""

    name: str
    size_bytes: int


class Gate:
    """Lets uploads in while there is room in the queue and on the disk. For one event loop.

    Args:
        settings: The limits.
        folder: Where uploads go.
        n_queued: Tells how many jobs wait.
        job_s: Tells how long a job takes at present, seconds.
    """

    def __init__(
        self, settings: ServiceSettings, folder: WorkFolder, *, n_queued: Callable[[], int], job_s: Callable[[], float]
    ) -> None:
        self._settings, self._folder = settings, folder
        self._n_queued, self._job_s = n_queued, job_s
        self._n_uploading = self._promised_bytes = 0

    @contextmanager
    def room(self, length: int | None) -> Iterator[None]:
        """Keep a place in the queue, and disk space, while a file comes in.

        Args:
            length: Bytes of the body, if the client states them.

        Raises:
            RefusedError: 413 if that is too much, 429 if the queue is full, 507 if the disk is.
        """
        limit = self._settings.max_upload_bytes
        if length is not None and length > limit + ENVELOPE_BYTES:
            raise too_large(limit)
        if self._n_queued() + self._n_uploading >= self._settings.max_queue:
            message = f"{self._settings.max_queue} files wait already, the limit (max_queue). Try again later."
            raise RefusedError(429, "queue_full", message, retry_after_s=self._retry_after_s())
        # What is not stated may be as long as is allowed.
        wanted = limit if length is None else length
        if self._folder.free_bytes() - self._promised_bytes - wanted < self._settings.min_free_bytes:
            raise disk_full(self._retry_after_s())
        self._n_uploading += 1
        self._promised_bytes += wanted
        try:
            yield
        finally:
            self._n_uploading -= 1
            self._promised_bytes -= wanted

    def _retry_after_s(self) -> int:
        return max(1, min(MAX_RETRY_S, math.ceil(self._job_s() / self._settings.workers)))


async def receive_file(request: Request, target: Path, settings: ServiceSettings) -> Upload:
    """Write the one file of a form to `target`. If it does not arrive whole, nothing is left there.

    Raises:
        RefusedError: 408 if it takes too long, 413 if it is too large, 415 or 422 if the form is not as it should be,
            507 if the disk is full.
    """
    form = FileForm(request.headers.get("content-type", ""))
    try:
        with target.open("xb") as file:
            size_bytes = await _receive(request, form, file, settings)
        name = form.finish()
        if not size_bytes:
            raise RefusedError(422, "empty_file", f"{name}: is empty (0 bytes). Copy or download it again.")
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise disk_full(MAX_RETRY_S) from error
        raise
    return Upload(name, size_bytes)


async def _receive(request: Request, form: FileForm, file: BinaryIO, settings: ServiceSettings) -> int:
    n_body = n_file = 0
    waiting = bytearray()
    async for chunk in _in_time(request, settings.upload_timeout_s):
        n_body += len(chunk)
        found = form.feed(chunk)
        n_file += len(found)
        if n_file > settings.max_upload_bytes or n_body > settings.max_upload_bytes + ENVELOPE_BYTES:
            raise too_large(settings.max_upload_bytes)
        if n_body - n_file > ENVELOPE_BYTES:  # thousands of tiny fields would cost as much time as the largest file
            message = f"the form holds more than {ENVELOPE_BYTES} bytes beside its file. Send the file alone."
            raise RefusedError(422, "bad_form", message)
        waiting += found
        if len(waiting) >= WRITE_BYTES:
            await to_thread.run_sync(file.write, bytes(waiting))
            waiting.clear()
    await to_thread.run_sync(_write_to_disk, file, bytes(waiting))
    return n_file


def _write_to_disk(file: BinaryIO, rest: bytes) -> None:
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())  # what is accepted outlives a power cut


async def _in_time(request: Request, limit_s: float) -> AsyncIterator[bytes]:
    stream = request.stream().__aiter__()
    deadline = anyio.current_time() + limit_s
    while True:
        try:
            with anyio.fail_after(min(IDLE_S, deadline - anyio.current_time())):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            message = f"the upload stopped for {IDLE_S:g} s or took longer than {limit_s:g} s (upload_timeout_s)."
            raise RefusedError(408, "upload_stalled", f"{message} Send it again.", close=True) from None
        except ClientDisconnect:  # nobody is there to read the answer
            raise RefusedError(400, "disconnected", "the client went away before the file was whole.") from None
        yield chunk


def too_large(limit: int) -> RefusedError:
    """The answer to a file above the limit of size."""
    message = f"the file is larger than the limit of {limit} bytes (max_upload_bytes). Send a shorter part of it."
    return RefusedError(413, "too_large", message)


def disk_full(retry_after_s: int) -> RefusedError:
    """The answer while the disk has no room for a file."""
    message = "the disk of the service is full (min_free_bytes). Try again when earlier results have been erased."
    return RefusedError(507, "disk_full", message, retry_after_s=retry_after_s)
