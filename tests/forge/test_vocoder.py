"""Vocoders: the voice is made anew, at its time and its level, and only in the seconds that the truth names."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import fftconvolve

from hashformer.data.forge import vocoder, waves
from hashformer.errors import ForgeryError, SetupError
from hashformer.timebase import Window
from make_speech import RATE_HZ, speaking

CONTEXT = 120
BY_NAME = {kind.name: kind for kind in vocoder.KINDS}


def forge(name, clip, *, seed=0):
    return BY_NAME[name].make(clip, None, rng=np.random.default_rng(seed), sample_rate_hz=RATE_HZ)


def stretch(clip, span):
    zero = clip.window.samples(RATE_HZ)[0] - CONTEXT
    return tuple(round(time_s * RATE_HZ) - zero for time_s in span)


def envelope(sound, width=641):
    """Loudness over more than a period of the pitch, whose phase a vocoder is free to choose."""
    window = np.hanning(width)
    return np.sqrt(np.maximum(fftconvolve(np.square(sound, dtype=np.float64), window / window.sum(), mode="same"), 0))


def envelope_lag(later, earlier, reach=240):
    """Samples by which the loudness of the first runs behind that of the second, and how alike they are."""
    a, b = envelope(later), envelope(earlier)
    a, b = a - a.mean(), b - b.mean()
    inner = slice(reach, -reach)
    lags = range(-reach, reach + 1, 8)
    alike = [np.dot(np.roll(a, -lag)[inner], b[inner]) for lag in lags]
    norm = np.linalg.norm(a[inner]) * np.linalg.norm(b[inner])
    return lags[int(np.argmax(alike))], max(alike) / norm


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("seed", range(6))
def test_the_result_is_in_step_as_loud_and_changed_only_in_its_span(name, seed):
    clip = speaking(32, seed=seed)
    made = forge(name, clip, seed=seed)
    assert made.clip.window == clip.window
    assert made.clip.waveform.shape == clip.waveform.shape
    assert made.clip.waveform.dtype == np.float32
    assert np.array_equal(made.clip.frames, clip.frames)
    assert (made.spans["video"], made.spans["sync"]) == ((), ())
    (span,) = made.spans["audio"]
    assert span.end_s - span.start_s >= 0.5 - 1e-6
    first, last = stretch(clip, span)
    if span != (clip.window.start_s, clip.window.end_s):
        assert np.array_equal(made.clip.waveform[:first], clip.waveform[:first])
        assert np.array_equal(made.clip.waveform[last:], clip.waveform[last:])
    new, old = made.clip.waveform[first:last], clip.waveform[first:last]
    assert np.mean(new != old) > 0.9
    assert abs(waves.level_dbfs(new) - waves.level_dbfs(old)) < 1
    lag, alike = envelope_lag(new, old)
    assert abs(lag) <= 64, f"{lag} samples late"
    assert alike > 0.8


@pytest.mark.parametrize("name", BY_NAME)
def test_labels_of_any_stretch_follow_the_span(name):
    clip = speaking(40, seed=1)
    made = next(
        made
        for made in (forge(name, clip, seed=seed) for seed in range(20))
        if made.spans["audio"][0].end_s < clip.window.end_s
    )
    (span,) = made.spans["audio"]
    for frame in range(clip.window.first_frame, clip.window.last_frame - 3):
        part = Window(frame, 4, 16)
        expected = float(min(part.end_s, span.end_s) - max(part.start_s, span.start_s) >= 0.08)
        assert made.labels(part) == {"video": 0.0, "audio": expected, "sync": 0.0, "overall": expected}


@pytest.mark.parametrize("name", BY_NAME)
def test_sound_alone_can_be_forged_and_its_picture_is_not_spoken_of(name):
    made = forge(name, speaking(20, seed=2, picture=False))
    assert set(made.spans) == {"audio"}
    assert made.mask is None
    labels = made.labels(made.clip.window)
    assert (labels["audio"], labels["overall"]) == (1.0, 1.0)
    assert np.isnan(labels["video"])
    assert np.isnan(labels["sync"])


@pytest.mark.parametrize("name", BY_NAME)
def test_the_same_seed_forges_alike_and_what_is_given_stays_as_it_is(name):
    clip = speaking(24, seed=3)
    before = clip.waveform.copy()
    one, again, other = (forge(name, clip, seed=seed).clip.waveform for seed in (5, 5, 6))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.array_equal(clip.waveform, before)


@pytest.mark.parametrize("name", BY_NAME)
def test_whole_clips_and_stretches_are_forged_and_none_clicks_or_begins_in_silence(name):
    clip = speaking(32, seed=4)
    is_whole = []
    for seed in range(12):
        made = forge(name, clip, seed=seed)
        (span,) = made.spans["audio"]
        is_whole.append(span == (clip.window.start_s, clip.window.end_s))
        assert np.abs(np.diff(made.clip.waveform)).max() < 3 * np.abs(np.diff(clip.waveform)).max()
        for end in (made.clip.waveform[:400], made.clip.waveform[-400:]):
            assert np.mean(end == 0) < 0.05
    assert 0 < sum(is_whole) < 12


def hum(pitch_hz, *, duration_s=1.0):
    times = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (0.02 * sum(np.cos(2 * np.pi * pitch_hz * k * times) / k for k in range(1, 20))).astype(np.float32)


def spectrum(sound):
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    return np.fft.rfftfreq(len(sound), 1 / RATE_HZ), power


@pytest.mark.parametrize("semitones", [-4, 0, 3])
def test_world_moves_the_pitch_by_just_the_factor(semitones):
    factor = 2 ** (semitones / 12)
    made = vocoder.world(hum(120.0), RATE_HZ, pitch=factor, formant=1.0, period_ms=5.0)
    hz, power = spectrum(made)
    low = (hz > 60) & (hz < 200)
    assert hz[low][power[low].argmax()] == pytest.approx(120 * factor, abs=2)


def test_world_stretches_the_formants_and_keeps_the_pitch():
    made = [
        vocoder.world(hum(120.0), RATE_HZ, pitch=1.0, formant=factor, period_ms=5.0) for factor in (0.87, 1.0, 1.15)
    ]
    centres = []
    for sound in made:
        hz, power = spectrum(sound)
        centres.append(float((hz * power).sum() / power.sum()))
        low = (hz > 60) & (hz < 200)
        assert hz[low][power[low].argmax()] == pytest.approx(120, abs=2)
    assert centres[0] < centres[1] < centres[2]


def test_griffin_lim_comes_nearer_to_the_magnitudes_with_more_steps():
    sound = speaking(24, seed=6).waveform
    errors = []
    for n_steps in (0, 8, 32):
        made = vocoder.griffin_lim(
            sound, RATE_HZ, n_bins=80, n_window=1024, n_steps=n_steps, rng=np.random.default_rng(0)
        )
        wanted, got = (np.abs(vocoder._spectrum(one, 1024)) for one in (sound, made))
        errors.append(float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted)))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.45


def test_overlap_and_add_gives_back_the_sound():
    sound = speaking(20, seed=7).waveform[: 4 * 256 * 15]
    again = vocoder._sound(vocoder._spectrum(sound, 1024), 1024)
    assert np.allclose(again[768:-768], sound[768:-768], atol=1e-6)


@pytest.mark.parametrize("name", BY_NAME)
def test_silence_and_no_sound_are_refused(name):
    clip = speaking(20, seed=0)
    quiet = replace(clip, waveform=(clip.waveform * 0.01).astype(np.float32))
    with pytest.raises(ForgeryError, match=r"is silent: -6\d dBFS, below -50\. Draw a clip with speech"):
        forge(name, quiet)
    with pytest.raises(ForgeryError, match="has no sound to forge"):
        forge(name, replace(clip, waveform=None))


def test_what_has_no_voice_is_refused_by_world():
    noise = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)
    noise[:] = np.sign(noise) * 0.01
    with pytest.raises(ForgeryError, match="no voice"):
        vocoder.world(noise, RATE_HZ, pitch=1.0, formant=1.0, period_ms=10.0)


def test_without_pyworld_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(SetupError, match=r"pip install 'hashformer\[train\]'"):
        forge("vocoder_world", speaking(20, seed=0))
