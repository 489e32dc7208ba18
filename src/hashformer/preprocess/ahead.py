"""Let a stage work ahead of the one that takes from it: a thread, a bounded queue, the same order, the same errors."""

from collections.abc import Generator, Iterable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_S = 0.05
"""How soon a thread that waits for room in its queue notices that nobody takes from it any more."""


class _End:
    """What comes after the last item; the error, if that is why there are no more."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Worker(Generic[T]):
    """Takes items in a thread of its own and queues them."""

    def __init__(self, items: Iterable[T], n_ahead: int) -> None:
        self._items = items
        self._queue: Queue[T | _End] = Queue(n_ahead)
        self._stop = Event()
        # A daemon, so that a process that is interrupted need not wait for a decoder.
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        error: BaseException | None = None
        iterator = iter(self._items)
        try:
            for item in iterator:
                if not self._put(item):
                    break
        except BaseException as raised:  # noqa: BLE001 -- handed on as it is to whoever takes the items
            error = raised
        finally:
            # Here and not where it is dropped: a generator's files and decoders belong to the thread that used them.
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        self._put(_End(error))

    def _put(self, item: "T | _End") -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except Full:
                continue
            return True
        return False

    def take(self) -> "T | _End":
        return self._queue.get()

    def stop(self) -> None:
        """Have the thread end, and wait until it has."""
        self._stop.set()
        while self._thread.is_alive():
            with suppress(Empty):
                self._queue.get_nowait()
            self._thread.join(_POLL_S)


def ahead(items: Iterable[T], *, n: int) -> Generator[T, None, None]:
    """Pass `items` on in order, taken in a thread of their own.

    Args:
        items: Taken and, if it is a generator, closed in that thread alone.
        n: At most so many wait to be taken; one more may be in the making. 0: no thread, each is taken when asked for.

    Yields:
        The same items. What taking one of them raises is raised here, in its place. When this generator is closed
        early, the thread ends after the item that it is at.
    """
    if n == 0:
        yield from items
        return
    worker = _Worker(items, n)
    try:
        while not isinstance(item := worker.take(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        worker.stop()
