"""Blended faces: what is not masked stays to the bit, one draw for a clip, truth as it is."""

from dataclasses import replace

import numpy as np
import pytest

from hashformer.data.forge.base import Span
from hashformer.data.forge.blend import KINDS, cross_blend, face_blend, to_and_fro
from hashformer.data.forge.hull import Hull, blended, filled
from hashformer.data.forge.regions import HULLS
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from make_talker import talking_clip

GAPS = (4, 5, 11)
RATE_HZ = 16_000
BOTH = pytest.mark.parametrize("forge", [face_blend, cross_blend])


@pytest.fixture(scope="module")
def clip():
    return talking_clip(20, size_px=96, first_frame=8, gaps=GAPS)


@pytest.fixture(scope="module")
def other():
    return talking_clip(9, size_px=96, seed=3, gaps=(0,))


def _forge(forge, clip, other, seed=0):
    return forge(clip, other, rng=np.random.default_rng(seed), sample_rate_hz=RATE_HZ)


def _bytes(forged):
    return forged.clip.frames.tobytes() + forged.mask.tobytes() + forged.clip.landmarks.tobytes()


@BOTH
@pytest.mark.parametrize("seed", range(8))
def test_what_is_not_masked_stays_to_the_bit(forge, clip, other, seed):
    forged = _forge(forge, clip, other, seed)
    outside = np.broadcast_to(forged.mask[:, None] == 0, clip.frames.shape)
    assert outside.mean() > 0.1
    assert (forged.clip.frames[outside] == clip.frames[outside]).all()
    changed = (forged.clip.frames != clip.frames).any(1)
    seen = [index for index in range(20) if index not in GAPS]
    assert changed[seen].any((1, 2)).all()
    assert changed[seen][forged.mask[seen] > 0.6 * forged.mask.max()].mean() > 0.3


@BOTH
def test_gaps_stay_gaps(forge, clip, other):
    forged = _forge(forge, clip, other)
    gaps = list(GAPS)
    assert (forged.clip.frames[gaps] == clip.frames[gaps]).all()
    assert not forged.mask[gaps].any()
    assert np.isnan(forged.clip.landmarks[gaps]).all()
    assert not np.isnan(np.delete(forged.clip.landmarks, gaps, 0)).any()


@BOTH
def test_a_seed_decides_every_byte(forge, clip, other):
    first = _bytes(_forge(forge, clip, other, 1))
    assert first == _bytes(_forge(forge, clip, other, 1))
    assert first != _bytes(_forge(forge, clip, other, 2))


@BOTH
def test_the_real_clips_stay_as_they_are(forge, clip, other):
    before = [array.copy() for c in (clip, other) for array in (c.frames, c.landmarks, c.boxes, c.waveform)]
    _forge(forge, clip, other)
    after = [array for c in (clip, other) for array in (c.frames, c.landmarks, c.boxes, c.waveform)]
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True))


@BOTH
def test_the_picture_is_false_and_the_lips_still_fit(forge, clip, other):
    forged = _forge(forge, clip, other)
    assert forged.spans == {"video": (Span(0.5, 1.75),), "audio": (), "sync": ()}
    assert forged.labels(clip.window) == {"video": 1, "audio": 0, "sync": 0, "overall": 1}
    assert (forged.clip.window, forged.kind) == (clip.window, forge.__name__)
    assert np.array_equal(forged.clip.waveform, clip.waveform)
    silent = _forge(forge, replace(clip, waveform=None), other)
    assert set(silent.spans) == {"video"}


@BOTH
def test_shapes_and_types_stay(forge, clip, other):
    forged = _forge(forge, clip, other)
    assert (forged.clip.frames.shape, forged.clip.frames.dtype) == (clip.frames.shape, np.uint8)
    assert forged.clip.frames.flags.c_contiguous
    assert (forged.clip.landmarks.shape, forged.clip.landmarks.dtype) == (clip.landmarks.shape, np.float32)
    assert (forged.mask.shape, forged.mask.dtype) == ((20, 96, 96), np.uint8)


@BOTH
def test_a_clip_without_a_face_is_refused(forge, clip, other):
    with pytest.raises(ForgeryError, match="no face"):
        _forge(forge, replace(clip, frames=None, landmarks=None), other)
    with pytest.raises(ForgeryError, match="no face"):
        _forge(forge, replace(clip, landmarks=None), other)
    nowhere = replace(clip, landmarks=np.full_like(clip.landmarks, np.nan))
    with pytest.raises(ForgeryError, match="0 of 20 frames"):
        _forge(forge, nowhere, other)


def test_a_swap_needs_a_partner_that_looks_the_same_way(clip, other):
    with pytest.raises(ForgeryError, match="partner is missing"):
        _forge(cross_blend, clip, None)
    turned = replace(other, landmarks=other.landmarks.copy())
    turned.landmarks[:, 4, 0] += 0.4 * 96
    with pytest.raises(ForgeryError, match="different sides"):
        _forge(cross_blend, clip, turned)


def test_a_swap_shows_the_partner_in_this_clips_colours(clip, other):
    red = replace(other, frames=np.stack([np.full((9, 96, 96), level, np.uint8) for level in (200, 20, 20)], 1))
    forged = _forge(cross_blend, clip, red)
    inside = forged.mask > 0.95 * forged.mask.max()
    shown = np.moveaxis(forged.clip.frames, 1, -1)[inside].mean(0)
    assert np.ptp(shown) < 90  # not the 180 between red and green of the partner


def test_a_partner_of_other_crops_fits(clip):
    forged = _forge(cross_blend, clip, talking_clip(5, size_px=64, seed=2))
    assert forged.clip.frames.shape == clip.frames.shape


def test_a_short_list_is_played_to_and_fro():
    assert to_and_fro(np.array([3, 5, 6]), 8).tolist() == [3, 5, 6, 5, 3, 5, 6, 5]
    assert to_and_fro(np.array([3, 5, 6]), 3, start=2).tolist() == [6, 5, 3]
    assert to_and_fro(np.array([7]), 3).tolist() == [7, 7, 7]
    assert to_and_fro(np.array([1, 2]), 4, start=1).tolist() == [2, 1, 2, 1]


@pytest.mark.parametrize("region", HULLS)
def test_a_hull_lies_about_its_landmarks(clip, region):
    hull = Hull.draw(np.random.default_rng(0), region=region, ratios=(0.5, 0.5))
    mask = hull.mask(clip.landmarks[0], 96)
    rows, columns = np.nonzero(mask)
    middle = (clip.landmarks[0, HULLS[region]].min(0) + clip.landmarks[0, HULLS[region]].max(0)) / 2
    assert np.abs(np.array([columns.mean(), rows.mean()]) + 0.5 - middle).max() < 10
    assert mask.max() <= 128
    assert 0 < (mask > 0).mean() < 0.9


def test_a_square_is_filled_and_mixed_exactly():
    mask = filled(np.float32([[4, 4], [8, 4], [8, 8], [4, 8]]), 12)
    assert (mask[4:8, 4:8] == 255).all()
    assert not mask[[0, 1, 10, 11]].any()
    old = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    new = 255 - old
    mask = np.tile(np.array([0, 1, 64, 127, 128, 200, 254, 255], np.uint8), (8, 1))
    share = mask[..., None] / 255
    mixed = blended(old, new, mask)
    assert np.abs(mixed - (old * (1 - share) + new * share)).max() <= 0.51
    assert (mixed[:, 0] == old[:, 0]).all()
    assert (mixed[:, 7] == new[:, 7]).all()


def test_kinds_say_what_they_need():
    assert [(kind.name, kind.partner, set(kind.needs)) for kind in KINDS] == [
        ("face_blend", "none", {"picture"}),
        ("cross_blend", "other", {"picture"}),
    ]
    assert all(kind.make.__name__ == kind.name for kind in KINDS)


def test_spans_reach_over_the_window_of_the_clip(clip, other):
    moved = replace(clip, window=Window(160, 20, 16))
    assert _forge(face_blend, moved, other).spans["video"] == (Span(10.0, 11.25),)
