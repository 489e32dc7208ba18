"""Narrowing: every stream keeps just the seconds asked for, and the sound its context."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.data.forge.narrow import narrow
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from hashformer.types import Clip

RATE_HZ = 16_000


def numbered(window, *, context=120, picture=True, sound=True):
    """A clip whose every frame and sample holds its own number in the file."""
    numbers = np.arange(window.first_frame, window.last_frame)
    first, last = window.samples(RATE_HZ)
    of_frames = numbers.astype(np.float32)
    return Clip(
        window=window,
        track_id=0 if picture else None,
        frames=(numbers % 251).astype(np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 4), np.uint8)
        if picture
        else None,
        landmarks=of_frames[:, None, None] * np.ones((1, 478, 2), np.float32) if picture else None,
        boxes=of_frames[:, None] * np.ones((1, 4), np.float32) if picture else None,
        waveform=np.arange(first - context, last + context).astype(np.float32) if sound else None,
        context_samples=context if sound else 0,
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 90), st.integers(2, 60), st.data(), st.sampled_from([0, 120]))
def test_every_stream_keeps_just_its_seconds(first, n_frames, data, context):
    clip = numbered(Window(first, n_frames, 16), context=context)
    start = data.draw(st.integers(first, first + n_frames - 1))
    window = Window(start, data.draw(st.integers(1, first + n_frames - start)), 16)
    kept = narrow(clip, window, sample_rate_hz=RATE_HZ)
    numbers = np.arange(window.first_frame, window.last_frame)
    assert kept.window == window
    assert np.array_equal(kept.frames[:, 0, 0, 0], numbers % 251)
    assert np.array_equal(kept.landmarks[:, 5, 1], numbers)
    assert np.array_equal(kept.boxes[:, 2], numbers)
    first_sample, last_sample = window.samples(RATE_HZ)
    assert np.array_equal(kept.waveform, np.arange(first_sample - context, last_sample + context))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 50), st.integers(2, 40), st.data())
def test_the_sound_is_as_long_as_its_window_where_a_frame_is_no_whole_number_of_samples(first, n_frames, data):
    clip = numbered(Window(first, n_frames, 24))
    start = data.draw(st.integers(first, first + n_frames - 1))
    window = Window(start, first + n_frames - start, 24)
    kept = narrow(clip, window, sample_rate_hz=RATE_HZ)
    first_sample, last_sample = window.samples(RATE_HZ)
    assert len(kept.waveform) == last_sample - first_sample + 2 * 120
    assert abs(kept.waveform[120] - first_sample) <= 1


def test_what_is_missing_stays_missing_and_nothing_is_shared():
    sound_alone = narrow(numbered(Window(0, 16, 16), picture=False), Window(2, 8, 16), sample_rate_hz=RATE_HZ)
    assert sound_alone.frames is None
    assert sound_alone.track_id is None
    clip = numbered(Window(0, 16, 16), sound=False)
    kept = narrow(clip, Window(0, 16, 16), sample_rate_hz=RATE_HZ)
    assert kept.waveform is None
    kept.frames[:] = 99
    assert clip.frames.max() == 15


@pytest.mark.parametrize("window", [Window(3, 8, 16), Window(10, 7, 16), Window(4, 0, 16), Window(4, 4, 25)])
def test_a_window_that_is_not_within_the_clip_is_refused(window):
    with pytest.raises(ForgeryError, match="do not lie within"):
        narrow(numbered(Window(4, 12, 16)), window, sample_rate_hz=RATE_HZ)
