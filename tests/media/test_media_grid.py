"""The sampler of pictures: against a slow plain reference, and by the properties it must keep."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashformer.media.grid import TOLERANCE_S, Timed, on_grid

# Times in thousandths: where floats round is not what is tested.
steps = st.lists(st.integers(2, 2500), min_size=1, max_size=30)


def films(starts_ms, duration_ms):
    return [Timed(ms / 1000, duration_ms / 1000, k) for k, ms in enumerate(starts_ms)]


def plain_reference(film, *, fps, max_hold_s):
    """For every moment look through the whole film."""
    starts = [t.start_s for t in film]
    if starts[0] <= film[0].duration_s + TOLERANCE_S:
        starts[0] = 0.0
    end_s = starts[-1] + min(film[-1].duration_s, max_hold_s)
    shown = []
    moments = itertools.takewhile(lambda i: i / fps + TOLERANCE_S < end_s, itertools.count())
    for i in moments:
        begun = [k for k, start in enumerate(starts) if start <= i / fps + TOLERANCE_S]
        is_held = bool(begun) and (begun[-1] == len(film) - 1 or i / fps < starts[begun[-1]] + max_hold_s)
        shown.append((i, film[begun[-1]].item if is_held else None))
    return shown


@given(first=st.integers(0, 3000), steps=steps, fps=st.integers(1, 60), hold_ms=st.integers(50, 3000))
def test_agrees_with_the_plain_reference(first, steps, fps, hold_ms):
    film = films(itertools.accumulate([first, *steps]), 40)
    given_out = list(on_grid(film, fps=fps, max_hold_s=hold_ms / 1000))
    assert given_out == plain_reference(film, fps=fps, max_hold_s=hold_ms / 1000)


@given(starts=st.lists(st.integers(0, 5000), min_size=1, max_size=30), fps=st.integers(1, 60))
def test_indices_have_no_gap_and_items_never_go_back(starts, fps):
    out = list(on_grid(films(starts, 40), fps=fps, max_hold_s=1.0))
    assert [index for index, _ in out] == list(range(len(out)))
    items = [item for _, item in out if item is not None]
    assert items == sorted(items)


@pytest.mark.parametrize("rate", [8, 23.976, 25, 29.97, 50, 60])
@pytest.mark.parametrize("tick_s", [1e-3, 1 / 90_000, 1e-6])
def test_rounded_stamps_give_the_same_pictures_as_exact_ones(rate, tick_s):
    exact = [Timed(k / rate, 1 / rate, k) for k in range(200)]
    rounded = [t._replace(start_s=round(t.start_s / tick_s) * tick_s) for t in exact]
    for fps in (16, 25):
        late = dict(on_grid(rounded, fps=fps, max_hold_s=1.0))
        due = dict(on_grid(exact, fps=fps, max_hold_s=1.0))
        assert late == due or all(abs(late[i] - due[i]) <= 1 for i in due)


@pytest.mark.parametrize("rate", [8, 24, 25, 30, 60])
def test_a_grid_at_the_native_rate_gives_each_picture_once_despite_millisecond_stamps(rate):
    film = [Timed(round(k / rate, 3), round(1 / rate, 3), k) for k in range(500)]
    assert [item for _, item in on_grid(film, fps=rate, max_hold_s=1.0)] == list(range(500))


def test_holds_a_picture_for_no_longer_than_told():
    shown = [item for _, item in on_grid(films([0, 3000], 100), fps=10, max_hold_s=1.0)]
    assert shown == [0] * 10 + [None] * 20 + [1]


def test_a_start_within_one_picture_counts_as_the_start_of_the_file():
    assert next(on_grid(films([40, 80], 40), fps=10, max_hold_s=1.0)) == (0, 0)
    assert next(on_grid(films([400, 440], 40), fps=10, max_hold_s=1.0)) == (0, None)


def test_nothing_gives_nothing():
    assert list(on_grid([], fps=10, max_hold_s=1.0)) == []
