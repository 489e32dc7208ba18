"""Augmented views of clips: drawn once for a clip, applied alike to frames, landmarks and sound."""

from dataclasses import replace

import numpy as np

from hashformer.config.views import ViewConfig
from hashformer.data.augment import picture, sound
from hashformer.types import Clip, Floats, Frames

__all__ = ["augment"]


def augment(clip: Clip, config: ViewConfig, *, rng: np.random.Generator, sample_rate_hz: int) -> Clip:
    """Draw one view of a clip.

    Args:
        clip: Left as it is.
        config: Chances and strengths.
        rng: Source of chance: the same state gives the same view.
        sample_rate_hz: Rate of the sound.

    Returns:
        A new clip of the same window, shapes and streams. Gaps stay gaps.
    """
    if clip.frames is not None and clip.landmarks is not None:
        frames, landmarks = _place(clip.frames, clip.landmarks, config, rng)
        frames = _look(frames, config, rng)
        boxes = clip.boxes
        if boxes is not None and _happens(config.erase_frame, rng):
            frames, landmarks, boxes = _drop_frame(frames, landmarks, boxes, rng)
        clip = replace(clip, frames=frames, landmarks=landmarks, boxes=boxes)
    if clip.waveform is not None:
        clip = replace(clip, waveform=_sound(clip.waveform, config, rng, sample_rate_hz))
    return clip


def _happens(chance: float, rng: np.random.Generator) -> bool:
    return bool(rng.random() < chance)


def _place(frames: Frames, landmarks: Floats, config: ViewConfig, rng: np.random.Generator) -> tuple[Frames, Floats]:
    if _happens(config.flip, rng):
        frames, landmarks = picture.flip(frames, landmarks)
    if _happens(config.affine, rng):
        across, down = rng.uniform(-config.max_shift, config.max_shift, 2)
        frames, landmarks = picture.affine(
            frames,
            landmarks,
            angle_deg=rng.uniform(-config.max_angle_deg, config.max_angle_deg),
            shift=(across, down),
            zoom=rng.uniform(1 - config.max_zoom, 1 + config.max_zoom),
        )
    return frames, landmarks


def _look(frames: Frames, config: ViewConfig, rng: np.random.Generator) -> Frames:
    if _happens(config.jitter, rng):
        brightness, contrast, saturation = rng.uniform(1 - config.max_jitter, 1 + config.max_jitter, 3)
        frames = picture.jitter(frames, brightness=brightness, contrast=contrast, saturation=saturation)
    if _happens(config.shuffle_channels, rng):
        red, green, blue = rng.permutation(3).tolist()
        frames = picture.shuffle_channels(frames, (red, green, blue))
    if _happens(config.blur, rng):
        frames = picture.blur(frames, sigma_px=rng.uniform(0.1, config.max_blur_px))
    if _happens(config.shuffle_blocks, rng):
        frames = picture.shuffle_blocks(frames, block_px=config.block_px, rng=rng)
    if _happens(config.erase, rng):
        across, down = rng.random(2)
        frames = picture.erase(
            frames,
            area=rng.uniform(config.min_erase, config.max_erase),
            ratio=float(np.exp(rng.uniform(np.log(0.3), np.log(3.3)))),
            place=(across, down),
        )
    return frames


def _drop_frame(
    frames: Frames, landmarks: Floats, boxes: Floats, rng: np.random.Generator
) -> tuple[Frames, Floats, Floats]:
    """Make a gap of one frame, unless it is the last that there is."""
    seen = np.flatnonzero(~np.isnan(landmarks[:, 0, 0]))
    if len(seen) < 2:
        return frames, landmarks, boxes
    index = int(rng.choice(seen))
    frames, landmarks, boxes = frames.copy(), landmarks.copy(), boxes.copy()
    frames[index], landmarks[index], boxes[index] = 0, np.nan, np.nan
    return frames, landmarks, boxes


def _sound(waveform: Floats, config: ViewConfig, rng: np.random.Generator, sample_rate_hz: int) -> Floats:
    if _happens(config.equalise, rng):
        gains_db = rng.uniform(-config.max_band_db, config.max_band_db, len(sound.BAND_CENTRES_HZ))
        waveform = sound.equalise(waveform, gains_db=gains_db.astype(np.float32), sample_rate_hz=sample_rate_hz)
    if _happens(config.band_pass, rng):
        waveform = sound.band_pass(
            waveform, low_hz=config.band_low_hz, high_hz=config.band_high_hz, sample_rate_hz=sample_rate_hz
        )
    if _happens(config.gain, rng):
        waveform = sound.gain(waveform, gain_db=rng.uniform(-config.max_gain_db, config.max_gain_db))
    if _happens(config.noise, rng):
        waveform = sound.add_noise(waveform, level=rng.uniform(config.min_noise, config.max_noise), rng=rng)
    return waveform
