"""Mouth splice: lips of another moment, and nothing else of it."""

from dataclasses import replace

import numpy as np
import pytest

from hashformer.data.forge.lips import MIN_MISFIT, misfit, opening
from hashformer.data.forge.mouth import KINDS, mouth_splice
from hashformer.data.forge.pose import moved, moved_picture, similarity
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from make_talker import copy, face_points, same, talking_clip

GAPS = (3, 11)


def forge(clip, partner, seed=0):
    return mouth_splice(clip, partner, rng=np.random.default_rng(seed), sample_rate_hz=16_000)


@pytest.fixture(scope="module")
def clip():
    return talking_clip(24, gaps=GAPS)


@pytest.fixture(scope="module")
def partner():
    return talking_clip(30, first_frame=64, seed=9, gaps=(7,))


@pytest.mark.parametrize("seed", range(8))
def test_only_the_mouth_changes(clip, partner, seed):
    forged = forge(clip, partner, seed)
    outside = np.broadcast_to(forged.mask[:, None] == 0, clip.frames.shape)
    assert np.array_equal(forged.clip.frames[outside], clip.frames[outside])
    assert not forged.mask[list(GAPS)].any()
    seen = [index for index in range(24) if index not in GAPS]
    for index in seen:
        x, y = clip.landmarks[index, 14].astype(int)
        assert forged.mask[index, y, x] > 200
        x, y = clip.landmarks[index, 10].astype(int)
        assert forged.mask[index, y, x] == 0
    assert np.abs(forged.clip.frames.astype(int) - clip.frames).mean() > 0.3


def test_lips_move_as_the_partner_s(clip, partner):
    forged = forge(clip, partner)
    assert misfit(clip.landmarks, forged.clip.landmarks) >= MIN_MISFIT / 2
    assert np.array_equal(np.isnan(forged.clip.landmarks), np.isnan(clip.landmarks))
    upper = [33, 263, 168, 10]
    assert np.array_equal(forged.clip.landmarks[:, upper], clip.landmarks[:, upper], equal_nan=True)
    shown, own = opening(forged.clip.landmarks), opening(partner.landmarks)
    distances = [np.nanmean(np.abs(shown - np.roll(own, -first)[:24])) for first in range(7)]
    assert min(distances) < 0.03


def test_picture_and_sync_are_false_and_the_sound_is_kept(clip, partner):
    forged = forge(clip, partner)
    assert forged.kind == KINDS[0].name
    assert KINDS[0].partner == "moment"
    assert forged.labels(Window(2, 6, 16)) == {"video": 1, "audio": 0, "sync": 1, "overall": 1}
    assert np.array_equal(forged.clip.waveform, clip.waveform)
    assert set(forge(replace(clip, waveform=None), partner).spans) == {"video"}


def test_the_same_seed_gives_the_same_forgery_and_both_clips_stay(clip, partner):
    before = copy(clip), copy(partner)
    assert same(forge(clip, partner, 5).clip, forge(clip, partner, 5).clip)
    assert same(clip, before[0])
    assert same(partner, before[1])


def test_a_short_partner_is_read_to_and_fro(clip):
    forged = forge(clip, talking_clip(10, first_frame=80, seed=3))
    assert forged.clip.frames.shape == clip.frames.shape


def test_what_would_fit_or_is_missing_is_refused(clip):
    with pytest.raises(ForgeryError, match="partner is missing"):
        forge(clip, None)
    silent = replace(clip, landmarks=np.tile(clip.landmarks[:1], (24, 1, 1)))
    with pytest.raises(ForgeryError, match="would fit the sound"):
        forge(silent, replace(silent, window=Window(100, 24, 16)))
    turned = talking_clip(30, first_frame=64, seed=9)
    turned.landmarks[..., 0] = 64 + 0.4 * (turned.landmarks[..., 0] - 64)
    with pytest.raises(ForgeryError, match="look different ways"):
        forge(clip, turned)


def test_a_similarity_brings_points_home_and_pixels_with_them():
    points = face_points() * 60 + 64
    angle, scale = 0.3, 1.2
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = points @ turn.T + (5, -7)
    matrix = similarity(points, target)
    assert np.allclose(moved(points, matrix), target, atol=1e-3)
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[60:64, 70:74] = 255
    bright = np.argwhere(moved_picture(picture, matrix)[..., 0] > 127).mean(0)[::-1] + 0.5
    assert np.allclose(bright, moved(np.array([[72.0, 62.0]]), matrix)[0], atol=0.3)
