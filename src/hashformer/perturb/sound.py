"""Perturbations of sound: each takes a stretch of mono sound and gives one as long, every sample at its time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve, firwin, resample_poly

from hashformer.media.recode import recode_sound
from hashformer.types import Floats, Mask

TAPS_S = 0.02
"""Length of the low-pass filter: it falls from -1 to -50 dB within some 200 Hz around its corner."""
REVERBERANT_S = 0.4
"""At this RT60 the reverberation is as loud as the direct sound."""
PRE_DELAY_S = 0.005
"""From the direct sound to the first reflection."""
DECAY_DB = 60.0


@dataclass(frozen=True)
class Stretch:
    """Some seconds of sound, and where they lie.

    Attributes:
        first_sample: From the start of the file. A whole number of seconds from it, so that a resampler
            meets every stretch in the same phase.
        samples: (S,) float32.
        present: Where the file has sound, (S,).
        sample_rate_hz: Their rate.
        seed: The only source of chance.
    """

    first_sample: int
    samples: Floats
    present: Mask
    sample_rate_hz: int
    seed: int


SoundChange = Callable[[Stretch, float], Floats]


def white_noise(stretch: Stretch, snr_db: float) -> Floats:
    """Normal noise, so far below the mean power of the stretch's sound; none where all is silent."""
    heard = stretch.samples[stretch.present].astype(np.float64)
    power = float(np.mean(heard**2)) if len(heard) else 0.0
    scale = math.sqrt(power / 10 ** (snr_db / 10))
    return stretch.samples + np.float32(scale) * _noise(stretch)


def _noise(stretch: Stretch) -> Floats:
    """Noise of power 1 that belongs to the seconds of the file, however these are cut into stretches."""
    rate = stretch.sample_rate_hz
    first, last = stretch.first_sample, stretch.first_sample + len(stretch.samples)
    seconds = range(first // rate, -(-last // rate))
    parts = [np.random.default_rng([stretch.seed, second]).standard_normal(rate, np.float32) for second in seconds]
    offset = first - seconds.start * rate
    return np.concatenate([np.zeros(0, np.float32), *parts])[offset : offset + len(stretch.samples)]


def aac(stretch: Stretch, kilobits: float) -> Floats:
    """AAC and back. At 16 kHz the format holds 96 kb/s at most; more are spent at a higher rate."""
    rate = stretch.sample_rate_hz
    return recode_sound(stretch.samples, sample_rate_hz=rate, codec="aac", bit_rate=round(kilobits * 1000))


def low_pass(stretch: Stretch, corner_khz: float) -> Floats:
    """Linear-phase low-pass, -6 dB at its corner; nothing above the band of the sound."""
    if 2000 * corner_khz >= stretch.sample_rate_hz:
        return stretch.samples
    n_taps = 2 * round(TAPS_S * stretch.sample_rate_hz / 2) + 1
    taps = firwin(n_taps, 1000 * corner_khz, fs=stretch.sample_rate_hz)
    return _convolved(stretch.samples, taps, delay=n_taps // 2)


def gain(stretch: Stretch, decibels: float) -> Floats:
    """Louder or softer."""
    return stretch.samples * np.float32(10 ** (decibels / 20))


def resample(stretch: Stretch, rate_hz: float) -> Floats:
    """Sampled at a lower rate and back again."""
    old, new = stretch.sample_rate_hz, round(rate_hz)
    if new >= old:
        return stretch.samples
    shared = math.gcd(old, new)
    there = resample_poly(stretch.samples, new // shared, old // shared)
    back = resample_poly(there, old // shared, new // shared)[: len(stretch.samples)]
    return np.pad(back, (0, len(stretch.samples) - len(back))).astype(np.float32)


def reverberation(stretch: Stretch, rt60_s: float) -> Floats:
    """A room of noise that dies away by 60 dB in `rt60_s`; the loudness stays."""
    return _convolved(stretch.samples, room(rt60_s, sample_rate_hz=stretch.sample_rate_hz, seed=stretch.seed), delay=0)


def room(rt60_s: float, *, sample_rate_hz: int, seed: int) -> Floats:
    """Impulse response: the direct sound, a pause, and normal noise under an exponential; its energy is 1.

    The tail has `rt60_s / 0.4` times the energy of the direct sound: the longer a room rings, the louder.
    """
    n, first = round(rt60_s * sample_rate_hz), round(PRE_DELAY_S * sample_rate_hz)
    envelope = 10 ** (-DECAY_DB / 20 * np.arange(n) / n)
    tail = np.random.default_rng(seed).standard_normal(n) * envelope
    tail[:first] = 0
    tail *= math.sqrt(rt60_s / REVERBERANT_S / float(np.sum(tail**2)))
    tail[0] = 1.0
    return (tail / math.sqrt(float(np.sum(tail**2)))).astype(np.float32)


def _convolved(samples: Floats, taps: Floats, *, delay: int) -> Floats:
    if not len(samples):
        return samples
    return np.asarray(fftconvolve(samples, taps)[delay : delay + len(samples)], np.float32)


SOUND_CHANGES: dict[str, SoundChange] = {
    "white-noise": white_noise,
    "aac": aac,
    "low-pass": low_pass,
    "gain": gain,
    "resample": resample,
    "reverberation": reverberation,
}
