"""Clips: the right frames and the same seconds of sound, whatever the Samples were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.config import ClipConfig
from hashformer.data.clips import cut
from hashformer.errors import ConfigError
from hashformer.timebase import Window
from hashformer.types import FaceTrack, Sample

CONFIG = ClipConfig()
FPS, RATE_HZ = CONFIG.fps, CONFIG.sample_rate_hz
STEP = RATE_HZ // FPS


def track(track_id, window, seen):
    """Each frame's crop holds its own number, so that a shifted frame shows."""
    numbers = np.arange(window.first_frame, window.last_frame)
    there = np.isin(numbers, list(seen))
    landmarks = np.where(there[:, None, None], numbers[:, None, None], np.nan) * np.ones((1, 478, 2))
    return FaceTrack(
        track_id=track_id,
        window=window,
        crops=np.where(there, numbers % 251, 0)[:, None, None, None].astype(np.uint8) * np.ones((1, 3, 4, 4), np.uint8),
        landmarks=landmarks.astype(np.float32),
        boxes=landmarks[:, :2].reshape(-1, 4).astype(np.float32),
    )


def samples(n_frames, *, stretch=64, tracks=None, sound=True, silent_from=None):
    """Samples of a file whose sound at sample i is i."""
    tracks = {0: range(n_frames)} if tracks is None else tracks
    for first in range(0, n_frames, stretch):
        window = Window(first, min(stretch, n_frames - first), FPS)
        start, end = window.samples(RATE_HZ)
        numbers = np.arange(start, end)
        seen = [track(key, window, frames) for key, frames in tracks.items()]
        yield Sample(
            window=window,
            sample_rate_hz=RATE_HZ,
            waveform=numbers.astype(np.float32) if sound else None,
            waveform_present=(numbers < (silent_from or 10**9)) if sound else None,
            picture_present=np.ones(window.n_frames, np.bool_),
            tracks=tuple(face for face in seen if face.present.any()),
        )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.sampled_from([16, 32, 64, 1000]), st.integers(0, 300))
def test_every_clip_holds_just_its_frames_and_its_sound(n_frames, stretch, context):
    for clip in cut(samples(n_frames, stretch=stretch), CONFIG, context_samples=context):
        numbers = np.arange(clip.window.first_frame, clip.window.last_frame)
        there = numbers < n_frames
        assert np.array_equal(clip.frames[:, 0, 0, 0], np.where(there, numbers % 251, 0))
        assert np.array_equal(np.isnan(clip.landmarks[:, 0, 0]), ~there)
        if clip.waveform is not None:
            expected = np.arange(numbers[0] * STEP - context, (numbers[-1] + 1) * STEP + context)
            expected = np.where((expected >= 0) & (expected < n_frames * STEP), expected, 0)
            assert np.array_equal(clip.waveform, expected)


@pytest.mark.parametrize("stretch", [8, 16, 40, 64, 500])
def test_windows_do_not_depend_on_how_the_file_was_stretched(stretch):
    starts = [clip.window.first_frame for clip in cut(samples(150, stretch=stretch), CONFIG)]
    assert starts == [*range(0, 135, 8), 134]


def test_the_last_window_ends_where_the_file_ends():
    last = list(cut(samples(37), CONFIG))[-1]
    assert last.window.last_frame == 37


@pytest.mark.parametrize(("n_frames", "n_clips"), [(7, 0), (8, 1), (15, 1), (16, 1), (17, 2)])
def test_a_short_file_gives_one_window_or_none(n_frames, n_clips):
    assert len(list(cut(samples(n_frames), CONFIG))) == n_clips


def test_sound_that_is_too_short_is_absent_not_zero():
    clips = list(cut(samples(64, silent_from=20 * STEP), CONFIG))
    heard = [clip.window.first_frame for clip in clips if clip.waveform is not None]
    assert heard == [0]


def test_a_face_seen_for_half_a_window_counts():
    clips = list(cut(samples(64, tracks={0: range(16, 24)}), CONFIG))
    with_face = [clip.window.first_frame for clip in clips if clip.frames is not None]
    assert with_face == [8, 16]
    assert [clip.track_id for clip in clips if clip.frames is None] == [None] * (len(clips) - 2)


def test_a_face_seen_for_less_does_not():
    assert all(clip.frames is None for clip in cut(samples(64, tracks={0: range(16, 23)}), CONFIG))


def test_two_faces_give_two_clips_of_one_window_with_one_sound():
    first, second = list(cut(samples(16, tracks={3: range(16), 5: range(16)}), CONFIG))
    assert (first.track_id, second.track_id) == (3, 5)
    assert first.window == second.window
    assert np.array_equal(first.waveform, second.waveform)


def test_without_face_and_sound_there_is_no_clip():
    assert list(cut(samples(64, tracks={}, sound=False), CONFIG)) == []


def test_a_silent_film_gives_clips_without_sound():
    clips = list(cut(samples(32, sound=False), CONFIG))
    assert len(clips) == 3
    assert all(clip.waveform is None and clip.frames is not None for clip in clips)


def test_samples_of_other_rates_are_refused():
    with pytest.raises(ConfigError, match="16 fps and 16000 Hz do not fit clips of 8 fps"):
        list(cut(samples(64), ClipConfig(fps=8)))


def test_few_samples_are_held():
    """What is behind the window is let go: a file of any length needs the same memory."""
    import weakref

    alive = []

    def watched():
        for sample in samples(64 * 30):
            alive.append(weakref.ref(sample))
            yield sample

    most = max(sum(ref() is not None for ref in alive) for _ in cut(watched(), CONFIG))
    assert most <= 3
