"""How long each stage takes: one accumulator that is passed along."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

T = TypeVar("T")


class Stopwatch:
    """Adds up wall-clock seconds by stage. Stages may run in several threads at once: their seconds then overlap."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = Lock()
        self._start = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        """Seconds since it was made: less than the sum of the stages where they overlap."""
        return time.perf_counter() - self._start

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block as part of stage `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            took_s = time.perf_counter() - start
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + took_s

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Pass `items` on; the time that it takes to get each counts as stage `name`."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
