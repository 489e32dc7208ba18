"""Pictures and films with faces at known places, composed from the sample clip."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from hashformer.media.video import frames
from hashformer.media.writer import write_video


def clip_frames(path: Path, *, fps: int = 8) -> list[np.ndarray]:
    """All pictures of a film on a grid."""
    return [frame.rgb for frame in frames(path, fps=fps) if frame.rgb is not None]


def scene(picture: np.ndarray, places: Sequence[tuple[int, int, float]], *, size=(360, 640)) -> np.ndarray:
    """A grey picture with copies of `picture` at (left, top, scale)."""
    canvas = np.full((*size, 3), 90, np.uint8)
    for left, top, scale in places:
        copy = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        height, width = copy.shape[:2]
        canvas[top : top + height, left : left + width] = copy
    return canvas


def speech_like(duration_s: float, *, rate_hz: int = 16_000, seed: int = 0) -> np.ndarray:
    """A hum with syllables: loud enough to be judged, (S,)."""
    times = np.arange(round(duration_s * rate_hz)) / rate_hz
    hum = sum(np.sin(2 * np.pi * 130 * k * times) / k for k in range(1, 12))
    noise = np.random.default_rng(seed).normal(0, 0.02, len(times))
    return (0.1 * hum * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * times)) + noise).astype(np.float32)


def film(path: Path, pictures, *, fps: int | Fraction = 8, sound: bool = True, **kwargs) -> Path:
    """Write pictures, with a speech-like sound of the same length."""
    pictures = list(pictures)
    waveform = speech_like(len(pictures) / float(fps)) if sound else None
    write_video(path, pictures, fps=fps, waveform=waveform, **kwargs)
    return path
