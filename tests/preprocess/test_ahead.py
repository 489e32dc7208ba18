"""Working ahead: order, errors, bounds, and threads that end."""

import threading
import time

import pytest

from hashformer.preprocess.ahead import ahead


def counted(n, taken, closed=None):
    try:
        for i in range(n):
            taken.append(i)
            yield i
    finally:
        if closed is not None:
            closed.append(threading.current_thread())


def test_the_order_is_kept():
    assert list(ahead(range(1000), n=3)) == list(range(1000))


def test_no_more_than_the_bound_is_taken_ahead():
    taken = []
    items = ahead(counted(50, taken), n=2)
    next(items)
    time.sleep(0.3)
    # One handed out, two that wait, one in the hand of the thread.
    assert len(taken) == 4
    items.close()


def test_work_goes_on_while_the_taker_is_busy():
    taken = []
    items = ahead(counted(3, taken), n=5)
    next(items)
    deadline = time.monotonic() + 5
    while len(taken) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert taken == [0, 1, 2]
    assert list(items) == [1, 2]


def test_an_error_comes_after_the_items_before_it():
    def broken():
        yield from range(3)
        raise KeyError("the fourth")

    items = ahead(broken(), n=8)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="the fourth"):
        next(items)


def test_leaving_early_ends_the_thread_and_closes_the_source_there():
    n_threads, closed = threading.active_count(), []
    items = ahead(counted(10**9, [], closed), n=2)
    assert [next(items) for _ in range(5)] == list(range(5))
    items.close()
    assert threading.active_count() == n_threads
    (thread,) = closed
    assert thread is not threading.main_thread()


def test_nothing_starts_before_the_first_item_is_asked_for():
    taken = []
    ahead(counted(5, taken), n=2)
    assert taken == []
