"""Degradation: one draw for real and forged, nothing moves, gaps stay gaps, and strength ramps it in."""

from dataclasses import replace

import numpy as np
import pytest

from hashformer.config.degrade import DegradeConfig
from hashformer.data.degrade import Degradation, degrade, degrade_sound, draw_degradation
from hashformer.errors import ConfigError
from make_speech import RATE_HZ, speaking

EACH = {
    "gamma": Degradation(gamma=1.2, white_balance=(1.05, 0.95)),
    "scale": Degradation(scale=0.5),
    "blur": Degradation(blur_px=1.2),
    "noise": Degradation(noise=6.0),
    "jpeg": Degradation(jpeg_quality=50),
    "h264": Degradation(crf=30),
    "low_pass": Degradation(low_pass_hz=3_500.0),
    "snr": Degradation(snr_db=20.0),
    "gain": Degradation(gain_db=-6.0),
    "aac": Degradation(sound_codec="aac", bit_rate=24_000),
    "opus": Degradation(sound_codec="opus", bit_rate=24_000),
    "mp3": Degradation(sound_codec="mp3", bit_rate=24_000),
}
OF_SOUND = {"low_pass", "snr", "gain", "aac", "opus", "mp3"}


def smooth_clip(gaps=()):
    """Eight frames of a soft pattern in three colours that moves, with speech."""
    clip = speaking(8, seed=0, size=64)
    rows, columns = np.mgrid[:64, :64]
    frames = np.stack(
        [
            np.stack([110 + 80 * np.sin((rows * (channel + 1) + columns + 3 * number) / 14) for channel in range(3)])
            for number in range(8)
        ]
    ).astype(np.uint8)
    landmarks, boxes = clip.landmarks.copy(), clip.boxes.copy()
    frames[list(gaps)], landmarks[list(gaps)], boxes[list(gaps)] = 0, np.nan, np.nan
    return replace(clip, frames=frames, landmarks=landmarks, boxes=boxes)


def passed(clip, draw):
    return degrade(clip, draw, sample_rate_hz=RATE_HZ)


def draws(config, n=300, *, strength=1.0):
    rng = np.random.default_rng(0)
    return [draw_degradation(config, rng, strength=strength) for _ in range(n)]


@pytest.mark.parametrize("name", EACH)
def test_each_step_changes_its_stream_and_leaves_the_other(name):
    clip = smooth_clip()
    before = clip.frames.copy(), clip.waveform.copy()
    made, plain = passed(clip, EACH[name]), passed(clip, Degradation())
    assert np.array_equal(made.frames, clip.frames) == (name in OF_SOUND)
    assert np.array_equal(made.waveform, plain.waveform) == (name not in OF_SOUND)
    assert (made.window, made.frames.shape, made.waveform.shape) == (
        clip.window,
        clip.frames.shape,
        clip.waveform.shape,
    )
    assert (made.frames.dtype, made.waveform.dtype) == (np.uint8, np.float32)
    assert np.array_equal(made.landmarks, clip.landmarks)
    assert all(np.array_equal(a, b) for a, b in zip(before, (clip.frames, clip.waveform), strict=True))


@pytest.mark.parametrize("name", ["scale", "blur", "noise", "jpeg", "h264"])
def test_the_picture_stays_in_its_place_and_its_colours(name):
    clip = smooth_clip()
    made = passed(clip, EACH[name]).frames[:, :, 8:-8, 8:-8].astype(float)
    mean_error = np.abs(made.mean((0, 2, 3)) - clip.frames[:, :, 8:-8, 8:-8].mean((0, 2, 3))).max()
    assert mean_error < 2.5
    errors = {
        (down, across): np.abs(made - np.roll(clip.frames, (down, across), (2, 3))[:, :, 8:-8, 8:-8]).mean()
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
    }
    assert min(errors, key=errors.get) == (0, 0)


@pytest.mark.parametrize("name", ["aac", "opus", "mp3", "low_pass"])
def test_the_sound_stays_at_its_time_and_gets_no_silence(name):
    sound = speaking(32, seed=1).waveform
    made = degrade_sound(sound, EACH[name], sample_rate_hz=RATE_HZ)
    inner = slice(400, -400)
    alike = [np.dot(np.roll(made, -lag)[inner], sound[inner]) for lag in range(-40, 41)]
    assert abs(int(np.argmax(alike)) - 40) <= 1
    assert np.abs(made[:160]).max() > 0
    assert np.abs(made[-160:]).max() > 0


def test_the_level_of_noise_and_the_gain_are_those_drawn():
    sound = speaking(32, seed=1).waveform
    plain, noisy, quiet = (
        degrade_sound(sound, draw, sample_rate_hz=RATE_HZ)
        for draw in (Degradation(), Degradation(snr_db=20.0), Degradation(gain_db=-6.0))
    )
    snr_db = 10 * np.log10(np.mean(plain**2) / np.mean((noisy - plain) ** 2))
    assert snr_db == pytest.approx(20, abs=0.3)
    assert 20 * np.log10(np.linalg.norm(quiet) / np.linalg.norm(plain)) == pytest.approx(-6, abs=0.01)


def test_sound_leaves_in_16_bits_whatever_was_drawn():
    clip = smooth_clip()
    for draw in (Degradation(), *EACH.values()):
        steps = passed(clip, draw).waveform.astype(np.float64) * 32_768
        assert np.array_equal(steps, np.rint(steps))


@pytest.mark.parametrize("name", ["gamma", "noise", "h264"])
def test_gaps_stay_gaps_and_do_not_touch_their_neighbours(name):
    made = passed(smooth_clip(gaps=(0, 3)), EACH[name])
    assert not made.frames[[0, 3]].any()
    assert made.frames[[1, 2, 4]].mean() > 60
    nothing = smooth_clip(gaps=range(8))
    assert not passed(nothing, EACH[name]).frames.any()


def test_one_draw_does_the_same_to_a_clip_and_to_what_is_unchanged_in_its_forgery():
    clip = smooth_clip()
    other = replace(clip, frames=clip.frames.copy())
    other.frames[:, :, :8, :8] = 200
    draw = Degradation(gamma=0.9, noise=4.0, blur_px=1.0, seed=7)
    one, two = passed(clip, draw), passed(other, draw)
    assert np.array_equal(one.frames[..., 16:, 16:], two.frames[..., 16:, 16:])
    assert np.array_equal(one.waveform, two.waveform)
    assert np.array_equal(one.frames, passed(clip, draw).frames)


def test_clips_of_one_stream_are_degraded_in_it():
    clip = smooth_clip()
    silent = passed(replace(clip, waveform=None), EACH["blur"])
    assert silent.waveform is None
    heard = passed(replace(clip, frames=None, landmarks=None, boxes=None), EACH["aac"])
    assert heard.frames is None


def test_about_a_third_is_left_alone_and_all_bounds_are_kept():
    config = DegradeConfig()
    drawn = draws(config, 2_000)
    plain = np.mean([draw == Degradation(seed=draw.seed) for draw in drawn])
    assert 0.3 < plain < 0.42
    for draw in drawn:
        assert config.min_scale <= draw.scale <= 1
        assert draw.crf is None or config.min_crf <= draw.crf <= config.max_crf
        assert draw.jpeg_quality is None or config.min_jpeg_quality <= draw.jpeg_quality <= 100
        assert draw.snr_db is None or config.min_snr_db <= draw.snr_db <= config.max_snr_db
        assert draw.low_pass_hz is None or config.min_low_pass_hz <= draw.low_pass_hz <= config.max_low_pass_hz
        assert config.min_bit_rate <= draw.bit_rate <= config.max_bit_rate
        assert abs(draw.gain_db) <= config.max_gain_db
        assert 1 / config.max_gamma - 1e-9 <= draw.gamma <= config.max_gamma + 1e-9
    assert {draw.sound_codec for draw in drawn} == {None, "aac", "opus", "mp3"}
    assert len({draw.interpolation for draw in drawn}) == 9


def test_strength_ramps_it_in():
    config = DegradeConfig()
    assert all(draw == Degradation(seed=draw.seed) for draw in draws(config, strength=0.0))
    gentle, full = draws(config, strength=0.3), draws(config)
    assert sum(draw.crf is not None for draw in gentle) < 0.6 * sum(draw.crf is not None for draw in full)
    assert min(draw.scale for draw in gentle) > 0.8 > min(draw.scale for draw in full)
    assert max(draw.crf for draw in gentle if draw.crf) <= 23
    with pytest.raises(ValueError, match="strength must be 0 to 1"):
        draw_degradation(config, np.random.default_rng(0), strength=1.5)


def test_a_change_of_one_setting_leaves_the_other_draws():
    one, two = draws(DegradeConfig()), draws(DegradeConfig(jpeg=0.0, gain=1.0))
    assert [draw.crf for draw in one] == [draw.crf for draw in two]
    assert [draw.sound_codec for draw in one] == [draw.sound_codec for draw in two]


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(ConfigError, match="min_crf must not exceed max_crf, got 40 and 36"):
        DegradeConfig.parse({"min_crf": 40})


@pytest.mark.parametrize("seed", range(12))
def test_every_draw_can_be_applied(seed):
    config = DegradeConfig(untouched=0.0, scale=1, blur=0.5, noise=0.5, jpeg=0.5, h264=0.5, sound_codec=1, low_pass=0.5)
    clip = smooth_clip(gaps=(2,))
    made = passed(clip, draw_degradation(config, np.random.default_rng(seed)))
    assert np.isfinite(made.waveform).all()
    assert np.abs(made.waveform).max() <= 1
    assert made.frames[1].std() > 5
