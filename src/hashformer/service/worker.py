"""The first steps of a worker process: tame it, then have it score. Light, since the server imports it too."""

import contextlib
import ctypes
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hashformer.errors import HashFormerError
from hashformer.service.messages import MAX_TEXT, Report, send
from hashformer.system import keep_freed_memory, share_cores

if sys.platform == "linux":
    import resource

NICENESS = 5
"""So that the server answers while all cores score."""
HARD_LIMIT = 1.5
"""The kernel's limit, as a multiple of the memory at which the server ends the worker: it refuses the one
allocation that would come too fast to be seen. Below it a decoder that got no memory would call the file broken."""
_PR_SET_PDEATHSIG = 1


class WorkerSettings(BaseModel):
    """What a worker is told when it starts."""

    model_config = ConfigDict(frozen=True)

    checkpoint: str
    device: str
    backend: Literal["torch", "onnxruntime"]
    threads: int
    memory_bytes: int
    max_duration_s: float


def work(connection: Connection, settings: WorkerSettings) -> None:
    """Load the detector, then score what comes through the pipe until it closes."""
    # Ctrl-C and a service manager signal the whole group; the server hears it too and ends the workers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _tame(settings.memory_bytes)
    share_cores()
    keep_freed_memory()
    from hashformer.service.scoring import score_tasks  # noqa: PLC0415 -- the server must stay light

    try:
        score_tasks(connection, settings)
    except (EOFError, BrokenPipeError):  # the server has ended
        return
    except HashFormerError as error:
        send(connection, Report(kind="broken", message=str(error)[:MAX_TEXT]))


def _tame(memory_bytes: int) -> None:
    """Be the first to go when the machine runs short: of processor time, of memory, of a living server."""
    os.nice(NICENESS)
    if sys.platform != "linux":
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash at a private film leaves no copy of it
    # Data, not address space: libraries map gigabytes that they never touch.
    limit = round(HARD_LIMIT * memory_bytes)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    with contextlib.suppress(OSError):  # in a container /proc may be read-only
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")
    # A server that is killed closes the pipe, which a worker hears only between two words.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
