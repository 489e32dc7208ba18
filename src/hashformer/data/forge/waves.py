"""What forgeries of sound share: is anything heard, how loud is it, where is it quiet, and how pieces are joined."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from hashformer.data.forge.base import Forged, Span, Truth
from hashformer.errors import ForgeryError
from hashformer.timebase import Window
from hashformer.types import Clip, Floats

SILENCE_DBFS = -50.0
"""Sound below this holds no speech that could be forged."""
MIN_WINDOW_S = 1.0
"""A forged clip keeps at least this much of the real one."""
FADE_S = 0.010
"""Over how long one piece of sound gives way to the next: too short to be heard, too long to click."""
_ENVELOPE_S = 0.010
_GRID_S = 0.005
_QUIETEST = 0.15
_LIMITER_STEPS = 4
_LIMITER_SAMPLES = 81


def level_dbfs(sound: NDArray[np.floating[Any]]) -> float:
    """Root mean square in decibels below full scale, for sound of any shape; −∞ for digital silence or none."""
    power = float(np.mean(np.square(sound, dtype=np.float64))) if sound.size else 0.0
    return 10 * math.log10(power) if power > 0 else -math.inf


def heard(clip: Clip, *, whose: str = "the clip") -> Floats:
    """The sound of a clip with its context, (S + 2 · context,).

    Raises:
        ForgeryError: If there is none, or it is below `SILENCE_DBFS`.
    """
    if clip.waveform is None:
        raise ForgeryError(f"{whose} has no sound to forge. Draw a forgery of the picture, or a clip with sound.")
    require_heard(clip.waveform, whose=whose)
    return clip.waveform


def require_heard(sound: Floats, *, whose: str) -> None:
    """Refuse silence.

    Raises:
        ForgeryError: If the sound is below `SILENCE_DBFS`.
    """
    level = level_dbfs(sound)
    if level < SILENCE_DBFS:
        raise ForgeryError(
            f"the sound of {whose} is silent: {level:.0f} dBFS, below {SILENCE_DBFS:.0f}. Draw a clip with speech."
        )


def extent(waveform: Floats, *, context_samples: int) -> tuple[int, int]:
    """First and one-past-last sample between which real sound lies, with room for the context on both sides.

    Exact zeros at the ends are what is put where a file has no sound; they do not count.
    """
    sounding = np.flatnonzero(waveform)
    if not len(sounding):
        return 0, 0
    return max(int(sounding[0]), context_samples), min(int(sounding[-1]) + 1, len(waveform) - context_samples)


def matched(sound: Floats, level: float, *, max_gain_db: float) -> Floats:
    """Bring sound to a level in dBFS, as far as the gain allows; peaks beyond full scale are pressed down smoothly."""
    wanted = level_dbfs(sound) + float(np.clip(level - level_dbfs(sound), -max_gain_db, max_gain_db))
    result = sound.astype(np.float64)
    for _ in range(_LIMITER_STEPS):
        result = result * 10 ** ((wanted - level_dbfs(result)) / 20)
        peaks = np.abs(result)
        if peaks.max() <= 1:
            break
        # The least gain of a neighbourhood, averaged over just as much of it, never lets a peak through.
        least = minimum_filter1d(1 / np.maximum(peaks, 1), _LIMITER_SAMPLES)
        result = result * uniform_filter1d(least, _LIMITER_SAMPLES)
    return np.clip(result, -1, 1).astype(np.float32)


def joined(waveform: Floats, piece: Floats, first: int, *, fade_samples: int, alike: bool) -> Floats:
    """Put a piece in place of what is there; at its ends one fades into the other.

    Args:
        waveform: (S,); left as it is.
        piece: (n,), at least two fades long; no sample outside of it changes.
        first: Where it goes.
        fade_samples: Length of a fade; 0 for none.
        alike: The two run in step, so that their amplitudes add up, not their powers.
    """
    weights = np.ones(len(piece))
    if fade_samples:
        rising = (np.arange(fade_samples) + 0.5) / fade_samples
        weights[:fade_samples], weights[-fade_samples:] = rising, rising[::-1]
    new, old = (weights, 1 - weights) if alike else (np.sqrt(weights), np.sqrt(1 - weights))
    result = waveform.copy()
    here = slice(first, first + len(piece))
    result[here] = np.clip(new * piece + old * waveform[here], -1, 1)
    return result


def quiet_start(
    waveform: Floats, n_samples: int, *, between: tuple[int, int], rng: np.random.Generator, sample_rate_hz: int
) -> int:
    """Draw where a stretch of `n_samples` may start so that both its ends lie at quiet places.

    Args:
        waveform: (S,).
        n_samples: Length of the stretch; it must fit.
        between: The stretch lies between these samples.
        rng: Source of chance.
        sample_rate_hz: Rate of the sound.
    """
    width = max(1, round(_ENVELOPE_S * sample_rate_hz))
    total = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    starts = np.arange(between[0], between[1] - n_samples + 1, max(1, round(_GRID_S * sample_rate_hz)))

    def energy_at(places: np.ndarray) -> np.ndarray:
        low, high = np.maximum(places - width // 2, 0), np.minimum(places + width // 2 + 1, len(waveform))
        return np.asarray((total[high] - total[low]) / (high - low))

    loudest_end = np.maximum(energy_at(starts), energy_at(starts + n_samples))
    n_best = max(1, math.ceil(_QUIETEST * len(starts)))
    return int(rng.choice(starts[np.argsort(loudest_end, kind="stable")[:n_best]]))


def seconds(clip: Clip, first: int, last: int, *, sample_rate_hz: int) -> Span:
    """The seconds of the file that samples `first` to `last` of a clip's waveform cover, cut to its window."""
    window = clip.window
    zero = window.samples(sample_rate_hz)[0] - clip.context_samples
    start_s = max(window.start_s, (zero + first) / sample_rate_hz)
    return Span(start_s, min(window.end_s, (zero + last) / sample_rate_hz))


def whole(window: Window) -> tuple[Span, ...]:
    """All seconds of a window."""
    return (Span(window.start_s, window.end_s),)


def forged_sound(clip: Clip, kind: str, *, audio: tuple[Span, ...], sync: tuple[Span, ...]) -> Forged:
    """A clip whose picture is as it was. Without a picture only the sound can be true or false.

    Args:
        clip: With the forged sound in it.
        kind: Name of the forgery.
        audio: When the sound itself is false.
        sync: When the sound does not belong to the picture.
    """
    spans: Mapping[Truth, tuple[Span, ...]] = {"audio": audio}
    mask = None
    if clip.frames is not None:
        spans = {"video": (), "audio": audio, "sync": sync}
        mask = np.zeros((len(clip.frames), *clip.frames.shape[2:]), np.uint8)
    return Forged(clip=clip, kind=kind, spans=spans, mask=mask)
