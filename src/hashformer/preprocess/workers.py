"""The same work on many things in a few processes that end with their parent."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

import cv2
import torch

from hashformer.errors import SetupError
from hashformer.preprocess.processes import end_with_parent

Settings = TypeVar("Settings")
Item = TypeVar("Item")
Result = TypeVar("Result")


def run_workers(
    make: Callable[[Settings], Callable[[Item], Result]], settings: Settings, items: Sequence[Item], *, workers: int
) -> Iterator[Result]:
    """Apply a function, which each process makes once, to all items.

    A script that calls this with several workers must guard its entry with `if __name__ == "__main__":`.

    Args:
        make: Makes the function; importable by name.
        settings: What it is made from.
        items: What it is applied to.
        workers: Processes; with one the work is done in this process.

    Yields:
        Results, in the order in which they are ready.

    Raises:
        SetupError: If a process dies.
    """
    if workers == 1 or len(items) < 2:
        function = make(settings) if items else None
        yield from (function(item) for item in items if function is not None)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(make, settings))
    rest = iter(items)
    try:
        running: set[Future[Result]] = {pool.submit(_apply, item) for item in islice(rest, 2 * workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(_apply, item) for item in islice(rest, len(done))}
            yield from (future.result() for future in done)
    except BrokenProcessPool:
        raise SetupError(
            "a worker process was killed. What is done is kept; run again, with fewer workers if memory is short."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_function: Callable[..., object] | None = None


def _begin(make: Callable[[Settings], Callable[[Item], Result]], settings: Settings) -> None:
    global _function  # noqa: PLW0603 -- the only place that a worker's own state can have
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too and ends the workers
    threading.Thread(target=end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    _function = make(settings)


def _apply(item: Item) -> Result:  # type: ignore[type-var]
    if _function is None:
        raise SetupError("the worker was not set up")
    return _function(item)  # type: ignore[return-value]
