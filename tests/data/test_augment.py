"""Views: one draw for a clip, the landmarks stay on their pixels, gaps stay gaps."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashformer.config.views import STRONG, WEAK, ViewConfig
from hashformer.data.augment import augment, augment_masked, picture, sound
from hashformer.faces.mirror import MIRROR, mirrored
from hashformer.timebase import Window
from hashformer.types import Clip

RATE_HZ = 16_000
SIZE = 64


def clip(seed=0, gaps=()):
    rng = np.random.default_rng(seed)
    still = rng.integers(0, 256, (3, SIZE, SIZE), dtype=np.uint8)
    landmarks = np.tile(rng.uniform(16, 48, (478, 2)).astype(np.float32), (8, 1, 1))
    landmarks[list(gaps)] = np.nan
    return Clip(
        window=Window(0, 8, 8),
        track_id=0,
        frames=np.tile(still, (8, 1, 1, 1)),
        landmarks=landmarks,
        boxes=np.where(np.isnan(landmarks[:, :2].reshape(8, 4)), np.nan, 10).astype(np.float32),
        waveform=rng.normal(0, 0.1, RATE_HZ + 240).astype(np.float32),
        context_samples=120,
    )


def view(one, config, seed=0):
    return augment(one, config, rng=np.random.default_rng(seed), sample_rate_hz=RATE_HZ)


def dot(x, y):
    """A picture with one bright spot, and a landmark 0 on it."""
    frames = np.zeros((2, 3, SIZE, SIZE), np.uint8)
    frames[:, :, y - 1 : y + 2, x - 1 : x + 2] = 255
    landmarks = np.full((2, 478, 2), 32.0, np.float32)
    landmarks[:] = (x + 0.5, y + 0.5)
    return frames, landmarks


def spot(frames):
    rows, columns = np.nonzero(frames[0, 0] > 60)
    weights = frames[0, 0][rows, columns].astype(float)
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum() + 0.5


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("config", [WEAK, STRONG.model_copy(update={"erase_frame": 0.0})], ids=["weak", "strong"])
def test_all_frames_of_a_still_stay_alike(config, seed):
    frames = view(clip(), config, seed).frames
    assert all(np.array_equal(frame, frames[0]) for frame in frames)


@pytest.mark.parametrize("config", [WEAK, STRONG], ids=["weak", "strong"])
def test_a_view_is_a_clip_of_the_same_shape_and_the_original_is_untouched(config):
    one = clip()
    before = one.frames.copy(), one.landmarks.copy(), one.waveform.copy()
    for seed in range(20):
        other = view(one, config, seed)
        assert other.window == one.window
        assert (other.frames.shape, other.frames.dtype) == (one.frames.shape, np.uint8)
        assert (other.landmarks.shape, other.landmarks.dtype) == (one.landmarks.shape, np.float32)
        assert (other.waveform.shape, other.waveform.dtype) == (one.waveform.shape, np.float32)
        assert np.abs(other.waveform).max() <= 1
    assert all(np.array_equal(a, b) for a, b in zip(before, (one.frames, one.landmarks, one.waveform), strict=True))


def test_the_same_seed_gives_the_same_view():
    one, other = view(clip(), STRONG, 3), view(clip(), STRONG, 3)
    assert np.array_equal(one.frames, other.frames)
    assert np.array_equal(one.waveform, other.waveform)
    assert not np.array_equal(one.frames, view(clip(), STRONG, 4).frames)


def test_the_defaults_change_nothing():
    one = clip()
    other = view(one, ViewConfig())
    assert np.array_equal(one.frames, other.frames)
    assert np.array_equal(one.waveform, other.waveform)


def test_streams_that_are_missing_stay_missing():
    silent = replace(clip(), waveform=None)
    assert view(silent, STRONG).waveform is None
    faceless = replace(clip(), frames=None, landmarks=None, boxes=None, track_id=None)
    assert view(faceless, STRONG).frames is None


@pytest.mark.parametrize("seed", range(10))
def test_gaps_stay_gaps_and_at_most_one_is_added(seed):
    other = view(clip(gaps=(2, 5)), STRONG, seed)
    gaps = set(np.flatnonzero(np.isnan(other.landmarks[:, 0, 0])))
    assert {2, 5} <= gaps
    assert len(gaps) <= 3


def test_the_last_frame_is_never_dropped():
    always = ViewConfig(erase_frame=1.0)
    assert not np.isnan(view(clip(gaps=range(7)), always).landmarks[7]).any()


def test_the_mirror_pairs_eyes_lips_and_cheeks():
    assert np.array_equal(MIRROR[MIRROR], np.arange(478))
    assert [MIRROR[i] for i in (33, 133, 61, 234, 10, 152, 1, 468)] == [263, 362, 291, 454, 10, 152, 1, 473]


def test_a_face_looks_mirrored_by_numbers_too(finder, man):
    """Landmarks of the flipped picture are the mirrored landmarks of the picture, up to the model's own noise."""
    from hashformer.faces.detect import FaceDetector

    box = finder._models._detector(man[0])[0]
    flipped = np.ascontiguousarray(man[0][:, ::-1])
    direct = finder._models._landmarker(flipped, finder._models._detector(flipped)[0])
    ours = mirrored(finder._models._landmarker(man[0], box), width_px=man[0].shape[1])
    assert isinstance(finder._models._detector, FaceDetector)
    assert np.abs(direct - ours).mean() < 2.0
    unpaired = ours[MIRROR]
    assert np.abs(direct - ours).mean() < 0.3 * np.abs(direct - unpaired).mean()


@given(st.integers(10, 54), st.integers(10, 54))
def test_landmarks_follow_the_flip(x, y):
    frames, landmarks = picture.flip(*dot(x, y))
    assert spot(frames) == pytest.approx(landmarks[0, 0], abs=1e-3)


@given(st.integers(24, 40), st.integers(24, 40), st.floats(-20, 20), st.floats(-0.1, 0.1), st.floats(0.8, 1.25))
def test_landmarks_follow_the_turn(x, y, angle_deg, shift, zoom):
    frames, landmarks = picture.affine(*dot(x, y), angle_deg=angle_deg, shift=(shift, -shift), zoom=zoom)
    assert spot(frames) == pytest.approx(landmarks[0, 0], abs=0.4)


def test_no_black_comes_in_from_outside():
    frames = np.full((1, 3, SIZE, SIZE), 200, np.uint8)
    moved, _ = picture.affine(frames, np.zeros((1, 478, 2), np.float32), angle_deg=20, shift=(0.2, 0.2), zoom=0.7)
    assert moved.min() == 200


def test_blocks_are_exchanged_alike_in_every_frame():
    one = clip()
    mixed = picture.shuffle_blocks(one.frames, block_px=16, rng=np.random.default_rng(1))
    assert not np.array_equal(mixed, one.frames)
    assert np.array_equal(np.sort(mixed, axis=None), np.sort(one.frames, axis=None))
    assert all(np.array_equal(frame, mixed[0]) for frame in mixed)
    corner = mixed[0, :, :16, :16]
    places = [(r, c) for r in range(0, 64, 16) for c in range(0, 64, 16)]
    assert any(np.array_equal(corner, one.frames[0, :, r : r + 16, c : c + 16]) for r, c in places)


@given(st.floats(0.02, 0.33), st.floats(0.3, 3.3), st.floats(0, 1), st.floats(0, 1))
def test_erasing_hides_the_share_that_was_drawn(area, ratio, across, down):
    frames = np.zeros((1, 3, SIZE, SIZE), np.uint8)
    frames[..., ::2] = 255
    erased = picture.erase(frames, area=area, ratio=ratio, place=(across, down))
    share = (erased[0, 0] == 127).mean()
    assert share == pytest.approx(area, abs=0.05)


def test_jitter_by_one_is_nothing_and_saturation_zero_is_grey():
    frames = clip().frames
    same = picture.jitter(frames, brightness=1, contrast=1, saturation=1)
    assert np.abs(same.astype(int) - frames).max() <= 1
    grey = picture.jitter(frames, brightness=1, contrast=1, saturation=0).astype(int)
    assert np.abs(grey[:, 0] - grey[:, 2]).max() <= 1


def level_db(waveform, hz):
    spectrum = np.abs(np.fft.rfft(waveform))
    return 20 * np.log10(spectrum[round(hz * len(waveform) / RATE_HZ)] + 1e-12)


def tones(*hz):
    times = np.arange(RATE_HZ) / RATE_HZ
    return sum(0.05 * np.sin(2 * np.pi * f * times) for f in hz).astype(np.float32)


def test_the_equaliser_moves_its_bands_and_no_other():
    waveform = tones(100, 800, 6400)
    louder = sound.equalise(waveform, gains_db=np.array([6, 0, 0, 0, 0, 0, -6], np.float32), sample_rate_hz=RATE_HZ)
    changes = [level_db(louder, hz) - level_db(waveform, hz) for hz in (100, 800, 6400)]
    assert changes == pytest.approx([6, 0, -6], abs=0.05)


def test_the_band_pass_keeps_its_band():
    waveform = tones(60, 1000, 6000)
    passed = sound.band_pass(waveform, low_hz=150, high_hz=3500, sample_rate_hz=RATE_HZ)
    assert level_db(passed, 1000) == pytest.approx(level_db(waveform, 1000), abs=0.05)
    assert level_db(passed, 60) < level_db(waveform, 60) - 40
    assert level_db(passed, 6000) < level_db(waveform, 6000) - 40


def test_sound_changes_keep_its_time():
    """The best match of a view with its original is at no shift: sound and picture stay together."""
    one = clip()
    changed = view(one, STRONG.model_copy(update={"band_pass": 1.0}), 5).waveform
    match = np.correlate(changed, one.waveform[400:-400], "valid")
    assert int(match.argmax()) == 400


@pytest.mark.parametrize("seed", range(12))
def test_the_mask_goes_along_with_its_pixels(seed):
    one = clip()
    mask = np.zeros((8, 1, SIZE, SIZE), np.uint8)
    mask[:, :, 20:40, 8:30] = 255
    frames = np.repeat(mask, 3, axis=1)  # a picture of the mask itself
    config = ViewConfig(flip=0.5, affine=0.8, shuffle_blocks=0.5, block_px=16)
    shown = replace(one, frames=frames)
    viewed, moved = augment_masked(shown, mask, config, rng=np.random.default_rng(seed), sample_rate_hz=RATE_HZ)
    plain = view(shown, config, seed)
    np.testing.assert_array_equal(viewed.frames, plain.frames)
    np.testing.assert_array_equal(viewed.waveform, plain.waveform)
    np.testing.assert_array_equal(moved[:, 0], viewed.frames[:, 0])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_erased_is_no_longer_forged(seed):
    mask = np.full((8, 1, SIZE, SIZE), 255, np.uint8)
    one = clip()
    viewed, moved = augment_masked(
        one, mask, ViewConfig(erase=1), rng=np.random.default_rng(seed), sample_rate_hz=RATE_HZ
    )
    erased = (viewed.frames == one.frames.mean((0, 2, 3)).astype(np.uint8)[:, None, None]).all(1)
    np.testing.assert_array_equal(moved[:, 0] == 0, erased)
    assert erased.any()


def test_colours_leave_the_mask_alone():
    mask = np.random.default_rng(0).integers(0, 256, (8, 1, SIZE, SIZE), dtype=np.uint8)
    config = ViewConfig(jitter=1, shuffle_channels=1, blur=1, noise=1, erase_frame=1)
    _, moved = augment_masked(clip(), mask, config, rng=np.random.default_rng(1), sample_rate_hz=RATE_HZ)
    np.testing.assert_array_equal(moved, mask)
