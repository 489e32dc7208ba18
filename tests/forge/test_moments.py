"""Cuts and repeated frames: where they begin and end, and that only these frames change."""

from dataclasses import replace

import numpy as np
import pytest

from hashformer.data.forge.moments import KINDS, REPEAT_S, frame_repeat, temporal_splice
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from make_talker import copy, same, talking_clip


def splice(clip, partner, seed=0):
    return temporal_splice(clip, partner, rng=np.random.default_rng(seed), sample_rate_hz=16_000)


def repeat(clip, seed=0):
    return frame_repeat(clip, None, rng=np.random.default_rng(seed), sample_rate_hz=16_000)


@pytest.fixture(scope="module")
def clip():
    return talking_clip(32, first_frame=16, gaps=(2,))


@pytest.fixture(scope="module")
def partner():
    return talking_clip(28, first_frame=96, seed=9)


def check_frames_and_spans(clip, forged):
    changed = np.flatnonzero(forged.mask.any((1, 2)))
    (span,) = forged.spans["video"]
    fps, first = clip.window.fps, clip.window.first_frame
    assert (span.start_s * fps, span.end_s * fps) == (first + changed[0], first + changed[-1] + 1)
    assert forged.spans["sync"] == (span,)
    assert forged.spans["audio"] == ()
    kept = ~forged.mask.any((1, 2))
    for name in ("frames", "landmarks", "boxes"):
        assert np.array_equal(getattr(forged.clip, name)[kept], getattr(clip, name)[kept], equal_nan=name != "frames")
    for index in changed:
        assert len(np.unique(forged.mask[index])) == 1
    before = Window(first, int(changed[0]), fps)
    assert forged.labels(before) == {"video": 0, "audio": 0, "sync": 0, "overall": 0}
    assert forged.labels(Window(first + int(changed[0]), 4, fps))["sync"] == 1
    assert np.array_equal(forged.clip.waveform, clip.waveform)
    return changed


@pytest.mark.parametrize("seed", range(10))
def test_a_splice_shows_the_partner_from_the_cut_on(clip, partner, seed):
    forged = splice(clip, partner, seed)
    changed = check_frames_and_spans(clip, forged)
    assert len(changed) >= 8
    middle = changed[len(changed) // 2]
    source = np.abs(partner.frames.astype(int) - forged.clip.frames[middle]).mean((1, 2, 3))
    own = np.abs(clip.frames[middle].astype(int) - forged.clip.frames[middle]).mean()
    assert source.min() < own
    assert not forged.mask[2].any()


def test_the_head_does_not_jump_at_the_cut(clip):
    far = talking_clip(28, first_frame=96, seed=9)
    shift = 9
    far = replace(far, frames=np.roll(far.frames, shift, -1), landmarks=far.landmarks + np.float32([shift, 0]))
    forged = splice(clip, far, 1)
    first = int(np.flatnonzero(forged.mask.any((1, 2)))[0])
    weight = forged.mask[first, 0, 0] / 255
    jump = np.linalg.norm(forged.clip.landmarks[first, 168] - clip.landmarks[first, 168])
    assert jump < shift / 4
    assert weight > 0


@pytest.mark.parametrize("seed", range(10))
def test_a_repeat_shows_frames_of_the_clip_itself(clip, seed):
    forged = repeat(clip, seed)
    changed = check_frames_and_spans(clip, forged)
    assert (changed[-1] + 1 - changed[0]) / 16 <= REPEAT_S[1]
    for index in changed:
        alike = [np.array_equal(forged.clip.frames[index], frame) for frame in clip.frames]
        origin = alike.index(True)
        assert origin != index
        assert np.array_equal(forged.clip.landmarks[index], clip.landmarks[origin])
        assert np.array_equal(forged.clip.boxes[index], clip.boxes[origin])
        assert (forged.mask[index] == 255).all()


def test_the_same_seed_gives_the_same_forgery_and_the_clips_stay(clip, partner):
    before = copy(clip), copy(partner)
    assert same(splice(clip, partner, 3).clip, splice(clip, partner, 3).clip)
    assert same(repeat(clip, 3).clip, repeat(clip, 3).clip)
    assert not same(repeat(clip, 3).clip, repeat(clip, 4).clip)
    assert same(clip, before[0])
    assert same(partner, before[1])


def test_without_sound_there_is_no_sync(clip, partner):
    mute = replace(clip, waveform=None)
    assert set(splice(mute, partner).spans) == set(repeat(mute).spans) == {"video"}
    assert splice(replace(clip, boxes=None), partner).clip.boxes is None


def test_what_cannot_be_forged_is_refused(clip, partner):
    with pytest.raises(ForgeryError, match="partner is missing"):
        splice(clip, None)
    with pytest.raises(ForgeryError, match="Draw another partner"):
        splice(clip, talking_clip(5, first_frame=96))
    still = talking_clip(32)
    still.frames[:], still.landmarks[:] = still.frames[:1], still.landmarks[:1]
    with pytest.raises(ForgeryError, match="no stretch"):
        repeat(still)
    with pytest.raises(ForgeryError, match="Draw another partner"):
        splice(still, replace(still, window=Window(100, 32, 16)))
    assert [kind.partner for kind in KINDS] == ["moment", "none"]
