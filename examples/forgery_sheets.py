"""Draw a sheet of every forgery, before, after and mask: `python examples/forgery_sheets.py [FOLDER]`."""

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import signal

from hashformer.assets import SAMPLE_CLIP, asset_path
from hashformer.config import Config, load_config
from hashformer.data.clips import clips_of
from hashformer.data.forge import FORGERIES
from hashformer.data.forge.autoencoder import train_autoencoder
from hashformer.data.forge.base import ForgeryKind, Partner
from hashformer.data.forge.narrow import narrow
from hashformer.data.forge.resynthesis import neural_kind
from hashformer.data.forged_group import cut_to
from hashformer.data.forged_preview import Picture, sheet
from hashformer.errors import ForgeryError, HashFormerError
from hashformer.faces.follow import FaceFinder
from hashformer.faces.mirror import mirrored
from hashformer.media import probe
from hashformer.preprocess.extract import extract
from hashformer.timebase import Window
from hashformer.types import Clip, Floats, Sample

FOLDER = Path("docs/img/forgeries")
CONTEXT = 120
RATE_HZ = 16_000
CLIP, MOMENT = range(24, 56), range(24)
"""Frames of the sample clip, 16 a second: two seconds in which the man moves, and another moment."""
AUTOENCODER_STEPS = 400
COLUMNS, SIDE_PX = 6, 96
SEEDS: Mapping[str, int] = {
    "face_blend": 6,
    "cross_blend": 3,
    "resynthesis": 2,
    "neural_resynthesis": 2,
    "mouth_splice": 9,
    "temporal_splice": 1,
    "vocoder_world": 9,
    "vocoder_griffin_lim": 3,
}
"""Draws that show their kind well; 0 for those that are not named."""


def voice(duration_s: float, *, pitch_hz: float, seed: int) -> Floats:
    """Made speech: vowels of random length, pitch and colour, with pauses, over a faint noise, (S,)."""
    rng = np.random.default_rng(seed)
    n_samples = round(duration_s * RATE_HZ)
    sound = 0.001 * rng.standard_normal(n_samples)
    start = 0
    while start < n_samples:
        length = min(round(rng.uniform(0.1, 0.28) * RATE_HZ), n_samples - start)
        pitch = pitch_hz * (1 + 0.15 * rng.standard_normal()) * np.linspace(1, rng.uniform(0.8, 1.2), length)
        vowel = np.diff(np.floor(np.cumsum(pitch) / RATE_HZ), prepend=0) + 0.02 * rng.standard_normal(length)
        for low_hz, high_hz in ((300, 800), (900, 2000), (2200, 3000)):
            centre = rng.uniform(low_hz, high_hz)
            vowel = signal.lfilter(*signal.iirpeak(centre, centre / 110, fs=RATE_HZ), vowel) + 0.1 * vowel
        sound[start : start + length] += 0.3 * vowel / (np.abs(vowel).max() + 1e-9) * np.hanning(length) ** 0.5
        start += length + round(rng.choice([0.02, 0.05, 0.2]) * RATE_HZ)
    return sound.astype(np.float32)


def man(config: Config) -> tuple[Sample, ...]:
    """The sample clip, its face followed and cropped."""
    path = asset_path(SAMPLE_CLIP)
    with FaceFinder(config.faces) as finder:
        return tuple(extract(path, probe(path), config, finder))


def speaking(samples: tuple[Sample, ...], config: Config, frames: range) -> Clip:
    """A stretch of the man, with made speech, as the sample clip is silent."""
    window = Window(frames.start, len(frames), config.clip.fps)
    clip = clips_of(samples, window, config.clip)[0]
    first, last = window.samples(RATE_HZ)
    sound = voice(5.0, pitch_hz=115, seed=1)
    return replace(clip, waveform=sound[first : last + 2 * CONTEXT], context_samples=CONTEXT)


def someone_else(clip: Clip) -> Clip:
    """The man in the mirror, in other light and with another voice: the second person that the sample clip lacks."""
    if clip.frames is None or clip.landmarks is None:
        raise HashFormerError("the sample clip shows no face; fetch it anew with `make assets`")
    frames = clip.frames[..., ::-1].astype(np.float32) * np.array([1.05, 0.9, 0.8], np.float32)[:, None, None] + 8
    landmarks = mirrored(clip.landmarks, width_px=frames.shape[-1])
    sound = voice(5.0, pitch_hz=205, seed=9)[: 0 if clip.waveform is None else len(clip.waveform)]
    return replace(
        clip, frames=np.clip(frames, 0, 255).astype(np.uint8), landmarks=landmarks, waveform=sound, track_id=1
    )


def kinds(samples: tuple[Sample, ...]) -> Iterator[ForgeryKind]:
    """Every forgery; that by an autoencoder is trained on the same man for want of others."""
    yield from FORGERIES.values()
    crops = [track.crops[track.present] for sample in samples for track in sample.tracks]
    yield neural_kind(train_autoencoder(crops, steps=AUTOENCODER_STEPS, seed=0))


def draw(kind: ForgeryKind, clip: Clip, partners: Mapping[Partner, Clip]) -> Picture:
    """The sheet of one forgery."""
    rng = np.random.default_rng(SEEDS.get(kind.name, 0))
    started = time.perf_counter()
    forged = kind.make(clip, partners.get(kind.partner), rng=rng, sample_rate_hz=RATE_HZ)
    took_ms = 1000 * (time.perf_counter() - started)
    print(f"{kind.name:20} {took_ms / len(CLIP):6.1f} ms a frame, {took_ms * 16 / len(CLIP):6.0f} ms a second")
    window = forged.clip.window
    real = narrow(clip, window, sample_rate_hz=RATE_HZ)
    return sheet(
        real,
        cut_to(forged, window, sample_rate_hz=RATE_HZ),
        sample_rate_hz=RATE_HZ,
        columns=COLUMNS,
        side_px=SIDE_PX,
    )


def write_png(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a picture with few colours, which a page loads fast."""
    coarse = (picture.astype(np.uint16) + 4) // 8 * 8  # 32 levels of each colour pack into half the bytes
    content = np.ascontiguousarray(np.clip(coarse, 0, 255).astype(np.uint8)[..., ::-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), content, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise HashFormerError(f"{path}: cannot be written. Name another folder.")


def main(folder: Path) -> None:
    """Write a sheet of each kind that this machine can make."""
    config = load_config("small")
    samples = man(config)
    clip, moment = (speaking(samples, config, frames) for frames in (CLIP, MOMENT))
    partners: dict[Partner, Clip] = {"moment": moment, "person": moment, "other": someone_else(moment)}
    for kind in kinds(samples):
        try:
            write_png(draw(kind, clip, partners), folder / f"{kind.name}.png")
        except ForgeryError as error:
            print(f"{kind.name:20} left out: {error}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
    except HashFormerError as error:
        sys.exit(f"forgery_sheets: {error}")
