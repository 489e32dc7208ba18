"""Sound against plain formulas; in blocks or as a whole, short or long, the result is the same."""

import numpy as np
import pytest
from scipy.signal import welch

from hashformer.media.recode import recode_sound
from hashformer.perturb import KINDS, Perturbation
from hashformer.perturb.sound import room
from make_faces import speech_like

from .conftest import RATE_HZ, blocks_of

SOUND = [kind for kind, grid in KINDS.items() if grid.stream == "sound"]


def perturbed(kind, level, waveform, *, seed=0, **kwargs):
    blocks = list(Perturbation(kind, level, seed).sound(blocks_of(waveform, **kwargs), sample_rate_hz=RATE_HZ))
    assert [block.first_sample for block in blocks] == [block.first_sample for block in blocks_of(waveform, **kwargs)]
    return np.concatenate([block.samples for block in blocks])


@pytest.mark.parametrize(("level", "snr_db"), [(1, 30), (3, 15), (5, 5)])
def test_noise_has_the_ratio(speech, level, snr_db):
    noise = perturbed("white-noise", level, speech) - speech
    assert 10 * np.log10(np.mean(speech**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)
    spectrum = welch(noise, RATE_HZ, nperseg=512)[1][5:-5]
    assert spectrum.max() < 3 * spectrum.min(), "white"


def test_silence_gets_no_noise():
    assert not perturbed("white-noise", 5, np.zeros(RATE_HZ, np.float32)).any()


@pytest.mark.parametrize(("level", "kilobits"), [(1, 128), (5, 16)])
def test_aac_has_the_bit_rate(speech, level, kilobits):
    expected = recode_sound(speech, sample_rate_hz=RATE_HZ, codec="aac", bit_rate=1000 * kilobits)
    assert np.array_equal(perturbed("aac", level, speech), expected)


@pytest.mark.parametrize(("level", "corner_hz"), [(1, 7000), (3, 4000), (5, 2000)])
def test_low_pass_has_the_corner(level, corner_hz):
    times = np.arange(RATE_HZ) / RATE_HZ
    for hz, low_db, high_db in ((corner_hz - 400, -0.1, 0.1), (corner_hz, -6.5, -5.5), (corner_hz + 400, -200, -40)):
        tone = (0.5 * np.sin(2 * np.pi * hz * times)).astype(np.float32)
        given = perturbed("low-pass", level, tone)[2000:-2000]
        assert low_db <= 20 * np.log10(np.std(given) / np.std(tone)) <= high_db
        if hz < corner_hz:
            assert np.abs(given - tone[2000:-2000]).max() < 0.01, "no delay"


@pytest.mark.parametrize(("level", "decibels"), [(1, -3), (5, -24)])
def test_gain_is_a_factor(speech, level, decibels):
    assert np.abs(perturbed("gain", level, speech) - speech * 10 ** (decibels / 20)).max() < 1e-6


@pytest.mark.parametrize(("level", "rate_hz"), [(1, 11_025), (3, 6_000), (5, 4_000)])
def test_resampling_loses_what_lies_above_half_the_rate(level, rate_hz):
    times = np.arange(RATE_HZ) / RATE_HZ
    for hz, is_kept in ((0.35 * rate_hz, True), (0.7 * rate_hz, False)):
        tone = (0.5 * np.sin(2 * np.pi * hz * times)).astype(np.float32)
        given = perturbed("resample", level, tone)[2000:-2000]
        error = np.std(given - tone[2000:-2000]) / np.std(tone)
        assert error < 0.02 if is_kept else np.std(given) / np.std(tone) < 0.02


@pytest.mark.parametrize("rt60_s", KINDS["reverberation"].levels)
def test_a_room_dies_away_by_60_db_in_its_time(rt60_s):
    response = room(rt60_s, sample_rate_hz=RATE_HZ, seed=0)
    assert np.sum(response**2) == pytest.approx(1, rel=1e-5)
    tail = response[int(0.01 * RATE_HZ) :]
    decay_db = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1] / np.sum(tail**2))  # Schroeder's integral
    start, end = np.argmax(decay_db < -5), np.argmax(decay_db < -25)
    assert 3 * (end - start) / RATE_HZ == pytest.approx(rt60_s, rel=0.15)


def test_reverberation_keeps_the_place_and_the_loudness(speech):
    given = perturbed("reverberation", 2, speech)
    assert np.std(given) == pytest.approx(np.std(speech), rel=0.25)
    impulse = np.zeros(RATE_HZ, np.float32)
    impulse[5000] = 0.9
    assert int(np.argmax(np.abs(perturbed("reverberation", 5, impulse)))) == 5000


@pytest.mark.parametrize("kind", SOUND)
def test_the_length_of_the_blocks_decides_nothing(kind):
    waveform = speech_like(37.3)
    one, other = (perturbed(kind, 3, waveform, length=seconds * RATE_HZ) for seconds in (1, 7))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("kind", ["low-pass", "gain", "resample", "reverberation"])
def test_chunks_leave_no_seam(kind):
    """What is linear gives the same in chunks of 16 s as at once."""
    waveform = speech_like(40.0)
    perturbation = Perturbation(kind, 4)
    from hashformer.perturb.sound import SOUND_CHANGES, Stretch

    whole = Stretch(0, waveform, np.ones(len(waveform), bool), RATE_HZ, 0)
    expected = np.clip(SOUND_CHANGES[kind](whole, perturbation.parameter), -1, 1)
    assert np.abs(perturbed(kind, 4, waveform) - expected).max() < 2e-5


@pytest.mark.parametrize("kind", SOUND)
def test_gaps_stay_gaps_and_short_sound_passes(kind):
    waveform = speech_like(1.0)
    present = np.ones(len(waveform), bool)
    present[4000:8000] = False
    waveform[~present] = 0
    blocks = list(Perturbation(kind, 5).sound(blocks_of(waveform, present=present), sample_rate_hz=RATE_HZ))
    assert not blocks[0].samples[4000:8000].any()
    assert np.abs(blocks[0].samples).max() <= 1
    for n in (0, 1, 50):
        assert (
            len(
                np.concatenate(
                    [
                        np.zeros(0),
                        *(
                            b.samples
                            for b in Perturbation(kind, 1).sound(
                                blocks_of(speech_like(1.0)[:n]), sample_rate_hz=RATE_HZ
                            )
                        ),
                    ]
                )
            )
            == n
        )
