"""One run on an output folder at a time."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hashformer.errors import StoreError

LOCK_NAME = ".hashformer.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process.

    The system frees the lock when its process ends, however it ends, so none is ever stale.

    Raises:
        StoreError: If another run holds it, or the folder cannot be made.
    """
    path = folder / LOCK_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror}). Name another folder.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise StoreError(
                f"{folder}: another run is at work here ({holder}). Wait for it, or name another folder."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
