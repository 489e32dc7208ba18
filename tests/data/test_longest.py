"""The longest stretch of a prepared file: without a gap, from its middle, with the rest as another moment."""

import numpy as np
import pytest

from hashformer.data.longest import longest_stretch
from hashformer.errors import StoreError
from make_talker import same
from talkers import CONFIG, make_talkers


def stretch(root, *, max_s=4.0, **settings):
    (row,) = make_talkers(root, 1, **settings)
    return longest_stretch(root / row.path, CONFIG, max_s=max_s, context_samples=120)


def test_a_short_file_is_taken_whole(tmp_path):
    found = stretch(tmp_path, n_frames=40)
    assert (found.clip.window.first_frame, found.clip.window.n_frames) == (0, 40)
    assert len(found.clip.waveform) == 40 * 1000 + 240
    assert same(found.clip, found.rest)


def test_the_middle_of_a_long_one_and_the_rest(tmp_path):
    found = stretch(tmp_path, n_frames=97, max_s=2.0)
    assert (found.clip.window.first_frame, found.clip.window.n_frames) == (32, 32)
    assert (found.rest.window.first_frame, found.rest.window.last_frame) == (0, 32)


@pytest.mark.parametrize(("gaps", "window"), [(range(20, 24), (24, 60)), ((40,), (0, 40)), ((0, 1, 59), (2, 59))])
def test_gaps_divide(tmp_path, gaps, window):
    found = stretch(tmp_path, n_frames=60, gaps=gaps)
    assert (found.clip.window.first_frame, found.clip.window.last_frame) == window
    assert not np.isnan(found.clip.landmarks).any()
    assert found.clip.frames.any((1, 2, 3)).all()


def test_what_is_too_short_is_none(tmp_path):
    assert stretch(tmp_path / "a", n_frames=40, gaps=(14, 15, 29)) is None
    assert stretch(tmp_path / "b", n_frames=12) is None
    with pytest.raises(StoreError, match="is no prepared file"):
        longest_stretch(tmp_path, CONFIG, max_s=4.0, context_samples=120)


def test_sound_alone_and_silence(tmp_path):
    found = stretch(tmp_path / "a", n_frames=40, face=False)
    assert found.clip.frames is None
    assert len(found.clip.waveform) == 40 * 1000 + 240
    found = stretch(tmp_path / "b", n_frames=40, sound=False)
    assert found.clip.waveform is None
    assert found.clip.frames is not None
