"""Pictures and sound on which every kind of perturbation must show."""

import numpy as np
import pytest

from hashformer.media.audio import AudioBlock
from hashformer.media.video import GridFrame
from make_faces import speech_like

RATE_HZ = 16_000
FPS = 16


def moving(size, n=1):
    """Coloured stripes and patches that move, with fine grain, (n, H, W, 3)."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    grain = np.random.default_rng(0).normal(0, 6, (*size, 3)).astype(np.float32)
    pictures = []
    for i in range(n):
        waves = [110 + 70 * np.sin((x + 6 * i) / 11 + k + y / 31) for k in range(3)]
        picture = np.stack(waves, -1) + grain
        left = 10 + 4 * i
        picture[size[0] // 3 : size[0] // 2, left : left + size[1] // 6] = (210, 120, 90)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    return np.array(pictures)


def grid_frames(pictures):
    """As `media.video.frames` gives them."""
    return [GridFrame(index, rgb) for index, rgb in enumerate(pictures)]


def blocks_of(waveform, *, length=4 * RATE_HZ, present=None):
    """As `media.audio.blocks` gives them."""
    present = np.ones(len(waveform), bool) if present is None else present
    for first in range(0, len(waveform), length):
        yield AudioBlock(first, waveform[first : first + length], present[first : first + length])


def psnr(a, b):
    """Peak signal to noise, dB."""
    return 10 * np.log10(255**2 / max(np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2), 1e-9))


def snr(a, b):
    """Signal to noise, dB."""
    return 10 * np.log10(np.mean(np.square(a)) / max(np.mean(np.square(a - b)), 1e-12))


@pytest.fixture(scope="session")
def speech():
    """Five seconds of hum with syllables and noise, (S,)."""
    return speech_like(5.0)
