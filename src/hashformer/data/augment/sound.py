"""Changes of a clip's sound that keep its time and its voice.

Pitch shift and time stretch are left out on purpose: a phase vocoder leaves the very traces by which
synthetic speech is known, and stretched or shifted sound no longer belongs to its picture.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashformer.types import Floats

BAND_CENTRES_HZ = (100, 200, 400, 800, 1600, 3200, 6400)
"""Octave bands of the equaliser."""


def add_noise(waveform: Floats, *, level: float, rng: np.random.Generator) -> Floats:
    """Add white noise of the given standard deviation; full scale is 1."""
    return _clipped(waveform + rng.normal(0, level, waveform.shape))


def gain(waveform: Floats, *, gain_db: float) -> Floats:
    """Make it louder or quieter; what exceeds full scale is clipped, as a recorder would."""
    return _clipped(waveform * 10 ** (gain_db / 20))


def equalise(waveform: Floats, *, gains_db: Floats, sample_rate_hz: int) -> Floats:
    """Raise or lower octave bands.

    Args:
        waveform: (S,).
        gains_db: One gain for each of `BAND_CENTRES_HZ`; between them it is interpolated over the octaves.
        sample_rate_hz: Rate of the sound.
    """
    hz = np.fft.rfftfreq(len(waveform), 1 / sample_rate_hz)
    gains = np.interp(np.log2(np.maximum(hz, 1.0)), np.log2(BAND_CENTRES_HZ), gains_db)
    return _clipped(np.fft.irfft(np.fft.rfft(waveform) * 10 ** (gains / 20), len(waveform)))


def band_pass(waveform: Floats, *, low_hz: float, high_hz: float, sample_rate_hz: int) -> Floats:
    """Keep a band, as a telephone does; the edges fall over a fifth of their frequency."""
    hz = np.fft.rfftfreq(len(waveform), 1 / sample_rate_hz)
    rising = np.clip((hz - 0.8 * low_hz) / (0.2 * low_hz), 0, 1)
    falling = np.clip((1.2 * high_hz - hz) / (0.2 * high_hz), 0, 1)
    return _clipped(np.fft.irfft(np.fft.rfft(waveform) * rising * falling, len(waveform)))


def _clipped(waveform: NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(np.clip(waveform, -1, 1), np.float32)
