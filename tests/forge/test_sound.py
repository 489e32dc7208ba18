"""Sound of another moment or person: the truth about it is right, and nothing but the speech tells it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.data.forge import sound, waves
from hashformer.data.forge.narrow import narrow
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from make_speech import RATE_HZ, auc, speaking

CONTEXT = 120
BY_NAME = {kind.name: kind for kind in sound.KINDS}


def forge(name, clip, partner=None, *, seed=0):
    return BY_NAME[name].make(clip, partner, rng=np.random.default_rng(seed), sample_rate_hz=RATE_HZ)


def forged(name, *, n_frames=40, n_partner=40, seed=0):
    """A clip and its forgery; the partner is another moment of one recording, unless it must be another person."""
    kind = BY_NAME[name].partner
    film = speaking(n_frames + n_partner + 8, seed=seed)
    clip = narrow(film, Window(32, n_frames, 16), sample_rate_hz=RATE_HZ)
    partner = narrow(film, Window(32 + n_frames + 8, n_partner, 16), sample_rate_hz=RATE_HZ)
    if kind == "other":
        partner = speaking(n_partner, seed=5_000 + seed)
    return clip, forge(name, clip, None if kind == "none" else partner, seed=seed)


def real_of(clip, made):
    return narrow(clip, made.clip.window, sample_rate_hz=RATE_HZ)


def lag_samples(later, earlier):
    """By how much the first runs behind the second."""
    n_fft = 2 * len(later)
    alike = np.fft.irfft(np.fft.rfft(later, n_fft) * np.conj(np.fft.rfft(earlier, n_fft)), n_fft)
    lag = int(alike.argmax())
    return lag if lag < len(later) else lag - n_fft


def found(piece, sound):
    """The stretch of a sound that is most like a piece of it."""
    n_fft = len(sound) + len(piece)
    alike = np.fft.irfft(np.fft.rfft(sound, n_fft) * np.conj(np.fft.rfft(piece, n_fft)), n_fft)
    start = int(alike[: len(sound) - len(piece) + 1].argmax())
    return sound[start : start + len(piece)]


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("seed", range(4))
def test_picture_and_sound_keep_one_length_and_the_picture_is_as_it_was(name, seed):
    clip, made = forged(name, seed=seed)
    window, real = made.clip.window, real_of(clip, made)
    assert made.kind == name
    assert window.n_frames >= 16
    assert clip.window.first_frame <= window.first_frame
    assert window.last_frame <= clip.window.last_frame
    assert np.array_equal(made.clip.frames, real.frames)
    assert np.array_equal(made.clip.landmarks, real.landmarks)
    assert made.clip.waveform.shape == real.waveform.shape
    assert made.clip.waveform.dtype == np.float32
    assert not np.array_equal(made.clip.waveform, real.waveform)
    assert (made.mask.shape, made.mask.max()) == ((window.n_frames, 16, 16), 0)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_same_seed_forges_alike_and_what_is_given_stays_as_it_is(name):
    clip, partner = speaking(40, seed=3, person=3), speaking(36, seed=4, person=3)
    before = clip.waveform.copy(), partner.waveform.copy(), clip.frames.copy()
    one, again, other = (forge(name, clip, partner, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.clip.waveform, again.clip.waveform)
    assert one.spans == again.spans
    assert not np.array_equal(one.clip.waveform, other.clip.waveform)
    after = clip.waveform, partner.waveform, clip.frames
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["sound_shift", "sound_swap_person", "sound_swap_other"])
def test_a_shifted_or_swapped_clip_is_out_of_step_throughout_and_all_else_is_genuine(name):
    _, made = forged(name)
    window = made.clip.window
    assert made.spans == {"video": (), "audio": (), "sync": ((window.start_s, window.end_s),)}
    for first in range(window.first_frame, window.last_frame - 1):
        labels = made.labels(Window(first, 2, 16))
        assert labels == {"video": 0.0, "audio": 0.0, "sync": 1.0, "overall": 1.0}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n_frames=st.integers(19, 60), fps=st.sampled_from([16, 24, 25]))
def test_a_shift_moves_the_sound_by_80_ms_to_a_second_and_invents_none(seed, n_frames, fps):
    n_frames = round(n_frames * fps / 16)
    clip = speaking(n_frames, seed=seed % 5, fps=fps)
    made = forge("sound_shift", clip, seed=seed)
    assert made.clip.window.n_frames >= fps
    real = real_of(clip, made)
    lag = abs(lag_samples(made.clip.waveform, real.waveform)) / RATE_HZ
    assert 0.08 - 1e-3 <= lag <= 1.0 + 1e-3
    # Every sample, those of the context too, is one of the clip's own, in its order.
    assert np.array_equal(made.clip.waveform, found(made.clip.waveform, clip.waveform))


def test_shifts_go_both_ways_and_to_all_lengths():
    clip = speaking(48, seed=1)
    lags = np.array(
        [
            lag_samples(made.clip.waveform, real_of(clip, made).waveform)
            for made in (forge("sound_shift", clip, seed=seed) for seed in range(80))
        ]
    )
    assert 0.3 < (lags > 0).mean() < 0.7
    assert np.abs(lags).min() < 0.12 * RATE_HZ
    assert np.abs(lags).max() > 0.7 * RATE_HZ


@pytest.mark.parametrize("n_frames", [19, 20])
def test_a_clip_of_little_more_than_a_second_is_shifted_by_what_there_is(n_frames):
    made = forge("sound_shift", speaking(n_frames, seed=1), seed=2)
    assert made.clip.window.n_frames >= 16


@pytest.mark.parametrize("name", ["sound_shift", "sound_swap_other"])
def test_seconds_without_sound_are_cut_off_not_kept_as_zeros(name):
    clip = speaking(48, seed=1)
    clip.waveform[: CONTEXT + 4_500] = 0
    clip.waveform[-6_000:] = 0
    for seed in range(10):
        made = forge(name, clip, speaking(40, seed=2), seed=seed)
        inner = made.clip.waveform[CONTEXT:-CONTEXT]
        assert inner[0] != 0
        assert inner[-1] != 0
        assert made.clip.window.start_s >= clip.window.start_s + 4_500 / RATE_HZ
        real = real_of(clip, made).waveform[CONTEXT:-CONTEXT]
        assert np.flatnonzero(real)[0] == 0


@pytest.mark.parametrize("n_partner", [18, 30, 80])
def test_a_swap_takes_a_piece_of_the_partner_and_of_the_clip_as_long_as_both_last(n_partner):
    clip, partner = speaking(40, seed=1), speaking(n_partner, seed=2)
    made = forge("sound_swap_other", clip, partner)
    assert made.clip.window.n_frames == min(40, n_partner)
    taken = found(made.clip.waveform, partner.waveform)
    gain = np.linalg.norm(made.clip.waveform) / np.linalg.norm(taken)
    assert np.allclose(gain * taken, made.clip.waveform, atol=1e-4)


def test_a_swap_is_as_loud_as_the_sound_that_it_replaces_even_if_the_partner_has_to_be_limited():
    clip, partner = speaking(40, seed=1, level=0.25), speaking(40, seed=2, level=0.05)
    np.clip(clip.waveform, -0.4, 0.4, out=clip.waveform)
    made = forge("sound_swap_other", clip, partner)
    assert abs(waves.level_dbfs(made.clip.waveform) - waves.level_dbfs(real_of(clip, made).waveform)) < 1
    assert np.abs(made.clip.waveform).max() <= 1


def test_a_swap_with_the_same_moment_is_refused():
    clip = speaking(40, seed=1)
    with pytest.raises(ForgeryError, match="Draw another partner"):
        forge("sound_swap_person", clip, replace(clip))


@pytest.mark.parametrize("seed", range(12))
def test_a_splice_changes_just_its_span_and_only_there_the_lips_do_not_fit(seed):
    clip, made = forged("sound_splice", seed=seed)
    (span,) = made.spans["sync"]
    assert 0.3 - 1e-6 <= span.end_s - span.start_s <= 1.0 + 1e-6
    assert made.clip.window == clip.window
    first, last = (round(time_s * RATE_HZ) - 32 * 1_000 + CONTEXT for time_s in span)
    assert np.array_equal(made.clip.waveform[:first], clip.waveform[:first])
    assert np.array_equal(made.clip.waveform[last:], clip.waveform[last:])
    assert np.mean(made.clip.waveform[first:last] != clip.waveform[first:last]) > 0.99
    for frame in range(clip.window.first_frame, clip.window.last_frame - 3):
        part = Window(frame, 4, 16)
        overlap_s = min(part.end_s, span.end_s) - max(part.start_s, span.start_s)
        expected = float(overlap_s >= 0.08)
        assert made.labels(part) == {"video": 0.0, "audio": 0.0, "sync": expected, "overall": expected}


def test_a_splice_does_not_click():
    for seed in range(12):
        clip, made = forged("sound_splice", seed=seed)
        largest = np.abs(np.diff(clip.waveform)).max()
        assert np.abs(np.diff(made.clip.waveform)).max() < 2.5 * largest
        (span,) = made.spans["sync"]
        for time_s in span:
            seam = round(time_s * RATE_HZ) - 32_000 + CONTEXT
            assert np.abs(np.diff(made.clip.waveform[max(0, seam - 200) : seam + 200])).max() < largest


def silent(clip):
    return replace(clip, waveform=np.random.default_rng(0).normal(0, 1e-3, clip.waveform.shape).astype(np.float32))


@pytest.mark.parametrize(
    ("name", "clip", "partner", "message"),
    [
        ("sound_shift", speaking(17, seed=0), None, "Cut clips of at least 1.16 s"),
        ("sound_shift", silent(speaking(40, seed=0)), None, "is silent: -60 dBFS, below -50"),
        ("sound_shift", replace(speaking(40, seed=0), waveform=None), None, "has no sound"),
        ("sound_swap_other", speaking(40, seed=0), None, "needs a second clip"),
        ("sound_swap_other", speaking(40, seed=0), speaking(12, seed=1), "partner 0.7. s; 1 s of both"),
        ("sound_swap_person", speaking(40, seed=0), silent(speaking(40, seed=1)), "partner is silent"),
        ("sound_splice", speaking(40, seed=0), speaking(4, seed=1), "too short to splice 0.3 s"),
        ("sound_splice", speaking(40, seed=0), replace(speaking(40, seed=1), waveform=None), "partner has no sound"),
    ],
)
def test_what_cannot_be_forged_says_why_and_what_to_do(name, clip, partner, message):
    with pytest.raises(ForgeryError, match=message):
        forge(name, clip, partner)


def statistics(clip):
    """What a classifier sees that does not listen: level, silence, length, rumble, ends."""
    inner = clip.waveform[CONTEXT:-CONTEXT].astype(np.float64)
    power = np.abs(np.fft.rfft(inner * np.hanning(len(inner)))) ** 2
    hz = np.fft.rfftfreq(len(inner), 1 / RATE_HZ)
    return {
        "level": np.mean(inner**2),
        "peak": np.abs(inner).max(),
        "zeros": np.mean(inner == 0),
        "leading": float(np.argmax(inner != 0)),
        "length": len(inner),
        "rumble": power[hz < 100].sum() / power.sum(),
        "treble": power[hz > 5000].sum() / power.sum(),
        "jump": np.abs(np.diff(inner)).max(),
        "start": np.mean(inner[:800] ** 2) / np.mean(inner**2),
        "end": np.mean(inner[-800:] ** 2) / np.mean(inner**2),
    }


@pytest.mark.parametrize("name", BY_NAME)
def test_a_classifier_that_does_not_listen_cannot_tell(name):
    """Over 100 pairs of clips the AUC of every statistic stays within 0.5 ± 0.1 (2.4 standard errors)."""
    real, fake = [], []
    for seed in range(100):
        n_frames, n_partner = np.random.default_rng(seed).integers(24, 40, 2).tolist()
        clip, made = forged(name, n_frames=n_frames, n_partner=n_partner, seed=seed)
        real.append(statistics(real_of(clip, made)))
        fake.append(statistics(made.clip))
    for key in real[0]:
        value = auc([row[key] for row in fake], [row[key] for row in real])
        assert abs(value - 0.5) < 0.1, f"{key}: AUC {value:.2f}"
