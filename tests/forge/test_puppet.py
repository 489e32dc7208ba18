"""A still that speaks: identity frozen, landmarks those of what is shown, lips that fit or do not."""

from dataclasses import replace

import numpy as np
import pytest

from hashformer.data.forge.base import Span
from hashformer.data.forge.driving import Gains, driven, opening, travel
from hashformer.data.forge.inside import Inside
from hashformer.data.forge.puppet import KINDS, animated_still, puppet
from hashformer.data.forge.regions import LIPS_INNER, LOWER_LIP, RIGID, UPPER_LIP
from hashformer.data.forge.shown import shown
from hashformer.errors import ForgeryError
from make_talker import talking_clip

GAPS = (4, 5, 11)
RATE_HZ = 16_000
AS_IT_IS = Gains(1.0, 1.0, 0.0)
BOTH = pytest.mark.parametrize("forge", [puppet, animated_still])


@pytest.fixture(scope="module")
def clip():
    return talking_clip(20, size_px=96, first_frame=8, gaps=GAPS)


@pytest.fixture(scope="module")
def other():
    return talking_clip(9, size_px=64, seed=3, gaps=(0,))


def _forge(forge, clip, other, seed=0):
    return forge(clip, other, rng=np.random.default_rng(seed), sample_rate_hz=RATE_HZ)


@BOTH
def test_gaps_stay_and_all_else_is_forged(forge, clip, other):
    forged, gaps = _forge(forge, clip, other), list(GAPS)
    assert (forged.clip.frames[gaps] == clip.frames[gaps]).all()
    assert np.isnan(forged.clip.landmarks[gaps]).all()
    assert not forged.mask[gaps].any()
    assert (np.delete(forged.mask, gaps, 0) == 255).all()
    assert np.isfinite(np.delete(forged.clip.landmarks, gaps, 0)).all()
    assert (forged.clip.frames.shape, forged.clip.frames.dtype) == (clip.frames.shape, np.uint8)
    assert forged.clip.landmarks.dtype == np.float32


@BOTH
def test_a_seed_decides_every_byte(forge, clip, other):
    def run(seed):
        made = _forge(forge, clip, other, seed)
        return made.clip.frames.tobytes() + made.clip.landmarks.tobytes()

    assert run(1) == run(1)
    assert run(1) != run(2)


@BOTH
def test_the_real_clips_stay_as_they_are(forge, clip, other):
    before = [array.copy() for c in (clip, other) for array in (c.frames, c.landmarks, c.boxes, c.waveform)]
    _forge(forge, clip, other)
    after = [array for c in (clip, other) for array in (c.frames, c.landmarks, c.boxes, c.waveform)]
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True))


def test_a_puppet_is_out_of_sync_and_an_animated_still_is_not(clip, other):
    whole = (Span(0.5, 1.75),)
    assert _forge(puppet, clip, other).spans == {"video": whole, "audio": (), "sync": whole}
    assert _forge(animated_still, clip, None).spans == {"video": whole, "audio": (), "sync": ()}
    silent = replace(clip, waveform=None)
    assert _forge(puppet, silent, other).spans == {"video": whole}
    assert _forge(puppet, clip, other).labels(clip.window)["sync"] == 1


@BOTH
def test_the_face_is_one_frame_of_the_clip_throughout(forge, clip, other):
    """With other people in all frames but one, only that one can be seen."""
    frames = np.zeros_like(clip.frames)
    for index in range(20):
        frames[index] = 10 * index
    made = _forge(forge, replace(clip, frames=frames), other).clip.frames
    seen = [index for index in range(20) if index not in GAPS]
    stills = {int(np.median(made[index])) for index in seen}
    assert len(stills) == 1
    assert stills.pop() // 10 in seen


@BOTH
def test_errors_say_why(forge, clip, other):
    with pytest.raises(ForgeryError, match="no face"):
        _forge(forge, replace(clip, frames=None, landmarks=None), other)
    with pytest.raises(ForgeryError, match="of 20 frames"):
        _forge(forge, replace(clip, landmarks=np.full_like(clip.landmarks, np.nan)), other)


def test_a_puppet_needs_a_driver(clip, other):
    with pytest.raises(ForgeryError, match="partner is missing"):
        _forge(puppet, clip, None)
    with pytest.raises(ForgeryError, match="boxes"):
        _forge(puppet, clip, replace(other, boxes=None))


def test_a_driver_of_the_same_face_gives_back_its_own_landmarks(clip):
    landmarks = clip.landmarks[shown(clip, name="clip").seen]
    moved = driven(landmarks[3], landmarks, 3, AS_IT_IS, size_px=96)
    assert np.abs(moved - landmarks).max() < 0.05


def test_motion_is_taken_over_in_this_faces_size(clip):
    small = clip.landmarks[shown(clip, name="clip").seen] / 2 + 10
    still = clip.landmarks[0]
    moved = driven(still, small, 0, AS_IT_IS, size_px=96)
    assert np.abs(moved - clip.landmarks[shown(clip, name="clip").seen]).max() < 0.05


def test_without_gains_nothing_moves(clip):
    landmarks = clip.landmarks[shown(clip, name="clip").seen]
    moved = driven(landmarks[0], landmarks, 0, Gains(0, 0, 0), size_px=96)
    assert np.allclose(moved, landmarks[0], atol=1e-4)


def test_pose_is_limited_and_lips_do_not_cross(clip):
    still = clip.landmarks[0]
    wild = np.stack([still, still + 40, still])
    wild[2, UPPER_LIP, 1] += 30
    moved = driven(still, wild, 0, AS_IT_IS, size_px=96)
    assert np.abs(moved[1, RIGID] - still[RIGID]).max() <= 0.06 * 96 + 1e-3
    assert (opening(moved, UPPER_LIP, LOWER_LIP) >= 0).all()
    assert (moved[:, LOWER_LIP, 1] - moved[:, UPPER_LIP, 1]).min() >= -1e-3


def test_the_background_goes_against_the_head():
    boxes = np.zeros((9, 4), np.float32)
    boxes[:, 2:] = 50, 60
    assert not travel(boxes, 100.0, 1.0, size_px=224).any()
    boxes[:, [0, 2]] += np.arange(9, dtype=np.float32)[:, None]
    way = travel(boxes, 100.0, 0.5, size_px=224)
    assert np.allclose(np.diff(way[3:6, 0]), -1.0)  # one pixel of a face of 50 px is two of one of 100, halved
    assert np.allclose(way[:, 1], 0)
    boxes[:, [0, 2]] *= 100
    assert np.abs(travel(boxes, 100.0, 1.0, size_px=224)).max() <= 0.15 * 224 + 1e-3


def test_an_open_mouth_is_filled_and_a_closed_one_left(clip):
    face = shown(clip, name="clip")
    gaps = opening(face.landmarks[face.seen], UPPER_LIP, LOWER_LIP)
    closed, wide = face.seen[gaps.argmin()], face.seen[gaps.argmax()]
    inside = Inside.draw(face, int(closed), np.random.default_rng(0))
    grey = np.full((96, 96, 3), 128, np.uint8)
    assert (inside.put_into(grey, face.landmarks[closed]) == grey).all()
    filled = inside.put_into(grey, face.landmarks[wide])
    assert (grey == 128).all()
    _, columns = np.nonzero((filled != grey).any(-1))
    lips = face.landmarks[wide, LIPS_INNER]
    assert columns.min() >= lips[:, 0].min() - 3
    assert columns.max() <= lips[:, 0].max() + 3
    middle = tuple(np.rint(lips.mean(0)[::-1] - 0.5).astype(int))
    assert np.abs(filled[middle].astype(int) - face.frames[wide][middle]).max() < 40


def test_a_mouth_that_is_never_open_is_painted_dark(clip):
    shut = clip.landmarks.copy()
    shut[:, LOWER_LIP] = shut[:, UPPER_LIP]
    face = shown(replace(clip, landmarks=shut, frames=np.full_like(clip.frames, 150)), name="clip")
    inside = Inside.draw(face, 0, np.random.default_rng(0))
    wide = clip.landmarks[0].copy()
    wide[LOWER_LIP, 1] += 12
    filled = inside.put_into(face.frames[0], wide)
    below = np.rint(wide[LOWER_LIP].mean(0) - (0, 3)).astype(int)
    assert filled[below[1], below[0]].mean() < 100


def test_kinds_say_what_they_need():
    assert [(kind.name, kind.partner, set(kind.needs)) for kind in KINDS] == [
        ("puppet", "other", {"picture"}),
        ("animated_still", "none", {"picture"}),
    ]
    assert all(kind.make.__name__ == kind.name for kind in KINDS)
