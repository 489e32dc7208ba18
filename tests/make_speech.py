"""Made speech that no two seeds, and no two seconds, have in common: syllables, pitch that wanders, pauses, a room."""

import numpy as np
from scipy import signal

from hashformer.timebase import Window
from hashformer.types import Clip

RATE_HZ = 16_000


def voice(duration_s, *, seed, person=None, level=0.08):
    """Voiced syllables of random pitch, vowel and length over a faint room noise, (S,) float32."""
    rng = np.random.default_rng(seed)
    own = np.random.default_rng(1000 + (seed if person is None else person))
    base_hz, colour = own.uniform(95, 210), own.uniform(0.9, 1.1)
    lead = RATE_HZ // 2  # cut off again: a clip begins anywhere in a sentence
    n = round(duration_s * RATE_HZ) + lead
    sound = np.zeros(n + RATE_HZ)
    place = round(rng.uniform(0, 0.1) * RATE_HZ)
    while place < n:
        length = round(rng.uniform(0.1, 0.28) * RATE_HZ)
        times = np.arange(length) / RATE_HZ
        pitch = base_hz * (1 + 0.15 * rng.standard_normal() + 0.2 * rng.standard_normal() * times)
        pulses = np.diff(np.floor(np.cumsum(np.maximum(pitch, 60)) / RATE_HZ), prepend=0)
        vowel = pulses + 0.02 * rng.standard_normal(length)
        for formant_hz, width in zip(
            colour * rng.uniform([300, 900, 2200], [800, 2000, 3000]), (80, 110, 160), strict=True
        ):
            radius = np.exp(-np.pi * width / RATE_HZ)
            poles = [1, -2 * radius * np.cos(2 * np.pi * formant_hz / RATE_HZ), radius**2]
            vowel = signal.lfilter([sum(poles)], poles, vowel)
        vowel *= np.hanning(length) ** 0.5 * rng.uniform(0.5, 1)
        sound[place : place + length] += vowel / (np.abs(vowel).max() + 1e-9)
        place += length + round(rng.choice([0.02, 0.05, 0.2], p=[0.5, 0.35, 0.15]) * RATE_HZ)
    sound = sound[lead:n]
    sound *= level / np.sqrt(np.mean(sound**2))
    return (sound + 0.001 * rng.standard_normal(n - lead)).astype(np.float32)


def speaking(n_frames, *, seed, person=None, fps=16, first_frame=32, context=120, picture=True, size=16, level=0.08):
    """A clip in the middle of a file, with made speech and small random pictures, numbered in their first pixel."""
    window = Window(first_frame, n_frames, fps)
    first, last = window.samples(RATE_HZ)
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (n_frames, 3, size, size), dtype=np.uint8)
    frames[:, 0, 0, 0] = np.arange(first_frame, first_frame + n_frames) % 251
    waveform = voice((last - first + 2 * context + 1) / RATE_HZ, seed=seed, person=person, level=level)
    landmarks = rng.uniform(2, size - 2, (n_frames, 478, 2)).astype(np.float32)
    return Clip(
        window=window,
        track_id=0 if picture else None,
        frames=frames if picture else None,
        landmarks=landmarks if picture else None,
        boxes=landmarks[:, :2].reshape(n_frames, 4).copy() if picture else None,
        waveform=waveform[: last - first + 2 * context],
        context_samples=context,
    )


def auc(positive, negative):
    """Chance that one of the first is larger than one of the second; ties count half."""
    positive, negative = np.asarray(positive)[:, None], np.asarray(negative)[None]
    return float(np.mean((positive > negative) + 0.5 * (positive == negative)))
