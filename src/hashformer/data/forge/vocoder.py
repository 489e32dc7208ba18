"""Speech taken apart and made anew, by WORLD and by Griffin-Lim: the traces of a vocoder on a genuine utterance.

The result stays in step with the original to the sample, so the lips still fit it, and is as loud.
Cost of a second of sound on one core: see `docs/training.md`.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from hashformer.config import FeatureConfig
from hashformer.data.features import mel_bands
from hashformer.data.forge import waves
from hashformer.data.forge.base import Forged, ForgeryKind, Stream
from hashformer.errors import ForgeryError, SetupError
from hashformer.types import Clip, Floats

MIN_STRETCH_S = 0.5
WHOLE_CHANCE = 0.5
"""How often all of the clip is made anew, rather than a stretch of it."""
MAX_PITCH_SEMITONES = 4.0
MAX_FORMANT_SHIFT = 0.15
_EDGE_S = 0.05
_MAX_GAIN_DB = 20.0
_MIN_F0_HZ, _MAX_F0_HZ = 65.0, 500.0
_MOMENTUM = 0.99
_WORLD_DELAY_S = 0.0025
"""WORLD's pulses are of minimum phase, and so lag behind the voice: measured on 40 utterances at 16 kHz."""

Doubles = NDArray[np.float64]


def vocoder_world(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Analyse the voice into pitch, envelope and breath, and synthesise it.

    Half of the times the pitch moves by up to 4 semitones, half of the times the formants by up to 15 %.
    See `Forgery` for arguments and errors; `partner` is not used.

    Raises:
        SetupError: If pyworld is not installed.

    Source: M. Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system", 2016.
    """
    is_changed = rng.random(2) < 0.5
    pitch = 2 ** (is_changed[0] * rng.uniform(-MAX_PITCH_SEMITONES, MAX_PITCH_SEMITONES) / 12)
    formant = 1 + is_changed[1] * rng.uniform(-MAX_FORMANT_SHIFT, MAX_FORMANT_SHIFT)
    period_ms = float(rng.choice([5.0, 10.0]))

    def make(sound: Floats) -> Floats:
        return world(sound, sample_rate_hz, pitch=pitch, formant=formant, period_ms=period_ms)

    return _made_anew(clip, make, kind="vocoder_world", rng=rng, sample_rate_hz=sample_rate_hz)


def vocoder_griffin_lim(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Keep only 40 to 80 mel bands' magnitudes and guess the phase in 8 to 32 steps.

    See `Forgery` for arguments and errors; `partner` is not used.
    """
    n_bins, n_steps = int(rng.integers(40, 81)), int(rng.integers(8, 33))
    n_window = int(rng.choice([512, 1024]))

    def make(sound: Floats) -> Floats:
        return griffin_lim(sound, sample_rate_hz, n_bins=n_bins, n_window=n_window, n_steps=n_steps, rng=rng)

    return _made_anew(clip, make, kind="vocoder_griffin_lim", rng=rng, sample_rate_hz=sample_rate_hz)


def _made_anew(
    clip: Clip, make: Callable[[Floats], Floats], *, kind: str, rng: np.random.Generator, sample_rate_hz: int
) -> Forged:
    """Put the sound of a clip, or a stretch of it between quiet places, through `make`."""
    waveform = waves.heard(clip)
    first, n_samples, fade = 0, len(waveform), 0
    usable = waves.extent(waveform, context_samples=clip.context_samples)
    longest_s = 0.8 * (usable[1] - usable[0]) / sample_rate_hz
    if rng.random() >= WHOLE_CHANCE and longest_s > MIN_STRETCH_S:
        n_samples = round(rng.uniform(MIN_STRETCH_S, longest_s) * sample_rate_hz)
        first = waves.quiet_start(waveform, n_samples, between=usable, rng=rng, sample_rate_hz=sample_rate_hz)
        fade = round(waves.FADE_S * sample_rate_hz)
    genuine = waveform[first : first + n_samples]
    waves.require_heard(genuine, whose="the stretch to make anew")
    # The mirrored edge keeps the analysis from seeing an onset where the clip is merely cut.
    edge = min(round(_EDGE_S * sample_rate_hz), n_samples - 1)
    made = make(np.pad(genuine, edge, mode="reflect"))[edge : edge + n_samples]
    made = waves.matched(made, waves.level_dbfs(genuine), max_gain_db=_MAX_GAIN_DB)
    forged = waves.joined(waveform, made, first, fade_samples=fade, alike=True)
    span = waves.seconds(clip, first, first + n_samples, sample_rate_hz=sample_rate_hz)
    return waves.forged_sound(replace(clip, waveform=forged), kind, audio=(span,), sync=())


def world(waveform: Floats, sample_rate_hz: int, *, pitch: float, formant: float, period_ms: float) -> Floats:
    """Analyse speech with WORLD and synthesise it again.

    Args:
        waveform: (S,).
        sample_rate_hz: Its rate.
        pitch: Factor of the fundamental frequency.
        formant: Factor by which the spectral envelope is stretched along frequency.
        period_ms: From one analysed moment to the next.

    Returns:
        (S,), in step with what was given.

    Raises:
        SetupError: If pyworld is not installed.
        ForgeryError: If no voiced moment is found.
    """
    try:
        import pyworld  # noqa: PLC0415 -- the only forgery that needs it
    except ImportError as error:
        raise SetupError("the WORLD vocoder needs pyworld. Install it: pip install 'hashformer[train]'.") from error
    delay = round(_WORLD_DELAY_S * sample_rate_hz)
    sound = np.pad(waveform.astype(np.float64), (0, delay), mode="reflect")
    f0, times = pyworld.dio(
        sound, sample_rate_hz, f0_floor=_MIN_F0_HZ, f0_ceil=_MAX_F0_HZ, frame_period=period_ms, speed=4
    )
    f0 = pyworld.stonemask(sound, f0, times, sample_rate_hz)
    if not (f0 > 0).any():
        raise ForgeryError("no voice in the sound to analyse. Draw a clip with speech.")
    envelope = pyworld.cheaptrick(sound, f0, times, sample_rate_hz)
    # Breath changes slowly, and its analysis takes two thirds of all the time: every 30 ms are enough.
    step = max(1, round(30 / period_ms))
    breath = pyworld.d4c(sound, f0[::step].copy(), times[::step].copy(), sample_rate_hz)
    breath = np.repeat(breath, step, axis=0)[: len(f0)]
    made = pyworld.synthesize(pitch * f0, _stretched(envelope, formant), breath, sample_rate_hz, period_ms)
    return np.asarray(made[delay : delay + len(waveform)], np.float32)


def _stretched(envelope: Doubles, factor: float) -> Doubles:
    """Stretch spectra, (T, F), along frequency."""
    places = np.minimum(np.arange(envelope.shape[1]) / factor, envelope.shape[1] - 1.001)
    below = places.astype(np.int64)
    share = places - below
    stretched = np.exp(np.log(envelope[:, below]) * (1 - share) + np.log(envelope[:, below + 1]) * share)
    return np.ascontiguousarray(stretched)


def griffin_lim(
    waveform: Floats, sample_rate_hz: int, *, n_bins: int, n_window: int, n_steps: int, rng: np.random.Generator
) -> Floats:
    """Reduce sound to mel magnitudes and find sound that has them.

    Args:
        waveform: (S,), at least one window long.
        sample_rate_hz: Its rate.
        n_bins: Mel bands between 20 Hz and half the rate.
        n_window: Samples of one analysis window; the smallest power of two in which no band is empty, if that is
            more. Windows follow each other at a quarter of that.
        n_steps: Iterations.
        rng: The phase to start from is drawn.

    Returns:
        (S,), in step with what was given.

    Source: D. Griffin, J. Lim, 1984; with the momentum of N. Perraudin et al., "A fast Griffin-Lim algorithm", 2013.
    """
    bands, inverse = _bands(n_bins, n_window, sample_rate_hz)
    n_window = 2 * (bands.shape[0] - 1)
    n_pad = n_window + -len(waveform) % (n_window // 4)
    padded = np.pad(waveform, (n_window, n_pad), mode="reflect")
    magnitude = np.maximum(np.abs(_spectrum(padded, n_window)) @ bands @ inverse, 1e-7)  # (T, F)
    phase = np.exp(2j * math.pi * rng.random(magnitude.shape, dtype=np.float32)).astype(np.complex64)
    before = np.zeros_like(phase)
    for _ in range(n_steps):
        again = _spectrum(_sound(magnitude * phase, n_window), n_window)
        ahead = again + np.float32(_MOMENTUM) * (again - before)
        phase, before = ahead / np.maximum(np.abs(ahead), 1e-12), again
    return _sound(magnitude * phase, n_window)[n_window : n_window + len(waveform)]


@lru_cache(maxsize=128)
def _bands(n_bins: int, n_window: int, sample_rate_hz: int) -> tuple[Floats, Floats]:
    """Mel filters, (F, bins), and their pseudo-inverse, (bins, F)."""
    config = FeatureConfig(n_bins=n_bins, high_hz=sample_rate_hz / 2)
    bands = mel_bands(config, window=n_window, sample_rate_hz=sample_rate_hz).numpy()
    return bands, np.linalg.pinv(bands).astype(np.float32)


def _spectrum(sound: Floats, n_window: int) -> NDArray[np.complex64]:
    """Short-time spectrum, (T, F), of windows at a quarter of their length."""
    pieces = np.lib.stride_tricks.sliding_window_view(sound, n_window)[:: n_window // 4]
    return np.asarray(fft.rfft(pieces * _hann(n_window)))


def _sound(spectrum: NDArray[np.complex64], n_window: int) -> Floats:
    """The sound whose spectrum is nearest: overlap and add."""
    hop = n_window // 4
    pieces = (fft.irfft(spectrum, n_window) * _hann(n_window)).reshape(len(spectrum), 4, hop)
    rows = np.zeros((len(spectrum) + 3, hop), np.float32)
    for quarter in range(4):
        rows[quarter : quarter + len(spectrum)] += pieces[:, quarter]
    return rows.reshape(-1) / np.float32(1.5)  # squared Hann windows at quarters add up to 1.5


@lru_cache(maxsize=8)
def _hann(n_window: int) -> Floats:
    return np.asarray(0.5 - 0.5 * np.cos(2 * math.pi * np.arange(n_window) / n_window), np.float32)


_SOUND: frozenset[Stream] = frozenset({"sound"})
KINDS = (
    ForgeryKind(name="vocoder_world", make=vocoder_world, needs=_SOUND),
    ForgeryKind(name="vocoder_griffin_lim", make=vocoder_griffin_lim, needs=_SOUND),
)
