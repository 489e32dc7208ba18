"""One worker process as the server sees it: start, talk, watch, end."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from hashformer.service.jobs import Job
from hashformer.service.messages import Report, Task, receive, send
from hashformer.service.worker import WorkerSettings, work

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_GOODBYE_S = 10.0
"""A process that has not ended by then hangs in the kernel; it is left behind."""


@dataclass
class WorkerProcess:
    """A worker: its process, its pipe, and the job that it is at.

    Attributes:
        process: The process.
        connection: The server's end of the pipe.
        job: What it works at.
        is_ready: Whether it has loaded the detector.
        progress: Share of the job that it has told.
        loaded_bytes: Memory that it took before its first job.
        since: When it took the job, by the monotonic clock.
    """

    process: SpawnProcess
    connection: Connection
    job: Job | None = None
    is_ready: bool = False
    progress: float = 0.0
    loaded_bytes: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a job."""
        return self.is_ready and self.job is None

    @property
    def busy_s(self) -> float:
        """How long it has been at its job, or at loading, in seconds."""
        return time.monotonic() - self.since

    @property
    def how_ended(self) -> str:
        """In words, for a process that has ended."""
        code = self.process.exitcode or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def give(self, job: Job, task: Task) -> None:
        """Have it work at a job."""
        self.job, self.progress, self.since = job, 0.0, time.monotonic()
        with contextlib.suppress(BrokenPipeError):  # one that has just died is noticed when it is heard
            send(self.connection, task)

    def hear(self) -> Report:
        """What it has to say.

        Raises:
            EOFError: If it has died.
            GarbledError: If it talks nonsense.
        """
        return receive(self.connection, Report.model_validate_json)

    def kill(self) -> None:
        """End it now; it holds nothing that must be saved."""
        self.process.kill()
        self.process.join(_GOODBYE_S)
        self.connection.close()

    def bury(self) -> None:
        """It has closed its pipe, so it is at its end: let it reach it, so that its exit code tells how."""
        self.process.join(_GOODBYE_S)
        self.kill()

    def memory_bytes(self) -> int:
        """Memory that is its alone, in bytes; 0 where the system does not tell."""
        if sys.platform != "linux":
            return 0
        try:
            _, resident, shared, *_ = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()
        except (OSError, ValueError):  # it has just ended
            return 0
        return (int(resident) - int(shared)) * _PAGE_BYTES


def start_worker(settings: WorkerSettings) -> WorkerProcess:
    """Start a worker; it says when it is ready."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, settings), daemon=True, name="hashformer-worker")
    process.start()
    theirs.close()  # so that the death of the worker closes the pipe
    return WorkerProcess(process, ours)
