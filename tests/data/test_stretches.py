"""Stretches: a part of a long file is read as if the whole were, and cheaply."""

import itertools

import numpy as np
import pytest

from hashformer.data.clips import cut
from hashformer.data.stretches import StretchReader
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import read_samples, write_samples
from make_corpus import CONFIG, INFO, moving_sample

N_FRAMES = 16 * 45


@pytest.fixture(scope="module")
def long_file(tmp_path_factory):
    """45 s, longer than the 250 frames between two key frames."""
    folder = tmp_path_factory.mktemp("prepared") / "long.mp4"
    source = Source(path="long.mp4", sha256="0" * 64, media=INFO)
    write_samples(folder, [moving_sample(N_FRAMES, 3)], source=source, settings=PrepareSettings.of(CONFIG))
    return folder


@pytest.mark.parametrize("from_frame", [-3, 0, 63, 64, 249, 250, 251, 266, 500, 501, N_FRAMES - 1])
def test_reading_from_a_frame_gives_what_reading_all_does(long_file, from_frame):
    whole = [sample for sample in read_samples(long_file) if sample.window.last_frame > from_frame]
    part = list(read_samples(long_file, from_frame=from_frame))
    assert [sample.window for sample in part] == [sample.window for sample in whole]
    for mine, yours in zip(part, whole, strict=True):
        np.testing.assert_array_equal(mine.waveform, yours.waveform)
        np.testing.assert_array_equal(mine.tracks[0].crops, yours.tracks[0].crops)
        np.testing.assert_array_equal(mine.tracks[0].landmarks, yours.tracks[0].landmarks)


def test_a_stretch_is_of_the_file_and_its_rest_another_moment(long_file):
    reader = StretchReader(CONFIG.clip, CONFIG.quality, span_s=3.0, context_samples=120)
    every = {clip.window.first_frame: clip for clip in cut(read_samples(long_file), CONFIG.clip, context_samples=120)}
    starts = set()
    for seed in range(6):
        stretch = reader.draw(long_file, np.random.default_rng(seed))
        window, rest = stretch.clip.window, stretch.rest.window
        assert (window.n_frames, rest.n_frames) == (48, 48)
        assert rest.last_frame == window.first_frame or rest.first_frame == window.last_frame
        starts.add(window.first_frame)
        inside = (f for f in itertools.count(window.first_frame) if f in every)
        first = next(inside)
        at = first - window.first_frame
        np.testing.assert_array_equal(stretch.clip.frames[at : at + 16], every[first].frames)
        sound = stretch.clip.waveform[at * 1000 : at * 1000 + 16_240]
        np.testing.assert_array_equal(sound, every[first].waveform)
    assert len(starts) > 3
