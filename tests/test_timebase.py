"""Seconds, frames and samples agree, whatever the rates."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashformer.timebase import Window, frame_index, frame_time_s, n_frames_covering, sample_index, windows


@given(st.integers(0, 10**7), st.integers(1, 120))
def test_a_frame_index_survives_the_way_through_seconds(index, fps):
    assert frame_index(frame_time_s(index, fps), fps) == index


@given(st.integers(0, 10**8), st.integers(8_000, 48_000))
def test_a_sample_index_survives_the_way_through_seconds(index, rate_hz):
    assert sample_index(index / rate_hz, rate_hz) == index


@given(st.integers(0, 10**6), st.integers(1, 64), st.integers(1, 120))
def test_picture_and_sound_of_a_window_cover_the_same_seconds(first, n_frames, fps):
    window = Window(first, n_frames, fps)
    start, end = window.samples(16_000)
    assert start / 16_000 == pytest.approx(window.start_s, abs=0.5 / 16_000)
    assert end / 16_000 == pytest.approx(window.end_s, abs=1 / 16_000)


def test_consecutive_whole_second_windows_leave_no_sample_out():
    spans = [window.samples(16_000) for window in windows(30 * 60, window_frames=30, stride_frames=30, fps=30)]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))


def test_windows_slide_by_the_stride_and_end_before_the_end():
    starts = [window.first_frame for window in windows(40, window_frames=16, stride_frames=8, fps=16)]
    assert starts == [0, 8, 16, 24]


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (1, 0)])
def test_a_window_without_length_is_refused(window, stride):
    with pytest.raises(ValueError, match="at least one frame"):
        list(windows(10, window_frames=window, stride_frames=stride, fps=16))


@pytest.mark.parametrize(("n_samples", "n_frames"), [(0, 0), (1, 1), (1000, 1), (1001, 2), (16_000, 16)])
def test_frames_that_sound_reaches_into(n_samples, n_frames):
    assert n_frames_covering(n_samples, 16_000, 16) == n_frames
