"""From pictures with times of their own to a regular grid of moments: what was on display at each."""

from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

TOLERANCE_S = 0.0011
"""How late a time stamp may be and still count as on time. Containers round to 1 ms, both the stamp and the
start that it is counted from; and 1.1 ms is well below the time between two frames."""


class Timed(NamedTuple, Generic[T]):
    """Something that is on display from `start_s` for `duration_s`, if nothing takes its place."""

    start_s: float
    duration_s: float
    item: T


def on_grid(timed: Iterable[Timed[T]], *, fps: int, max_hold_s: float) -> Iterator[tuple[int, T | None]]:
    """Say for every moment i / fps which item is on display.

    An item is displayed from its start until the next one starts, but for `max_hold_s` at most, and the
    last for its own duration. A start that lies before that of the item ahead of it counts as the same.
    A first item that starts later than 0 by no more than its own duration counts as starting at 0.

    Args:
        timed: Items in the order of their display.
        fps: Moments a second.
        max_hold_s: After so long without a new item, nothing is on display.

    Yields:
        The index i = 0, 1, 2, … without a gap, and the item or None.
    """
    index, current = 0, None
    for item in timed:
        following = _settled(item, current)
        while index / fps + TOLERANCE_S < following.start_s:
            yield index, _shown(current, index / fps, max_hold_s)
            index += 1
        current = following
    if current is None:
        return
    end_s = current.start_s + min(current.duration_s, max_hold_s)
    while index / fps + TOLERANCE_S < end_s:
        yield index, current.item
        index += 1


def _settled(timed: Timed[T], before: Timed[T] | None) -> Timed[T]:
    if before is not None:
        return timed._replace(start_s=max(timed.start_s, before.start_s))
    is_at_start = timed.start_s <= timed.duration_s + TOLERANCE_S
    return timed._replace(start_s=0.0) if is_at_start else timed


def _shown(current: Timed[T] | None, time_s: float, max_hold_s: float) -> T | None:
    if current is None or time_s >= current.start_s + max_hold_s:
        return None
    return current.item
