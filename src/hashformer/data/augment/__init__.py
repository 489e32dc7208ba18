"""Augmented views of clips: drawn once for a clip, applied alike to frames, landmarks and sound."""

import copy
from dataclasses import replace

import numpy as np

from hashformer.config.views import ViewConfig
from hashformer.data.augment import picture, sound
from hashformer.types import Clip, Floats, Frames

__all__ = ["augment", "augment_masked"]


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
    return augment_masked(clip, None, config, rng=rng, sample_rate_hz=sample_rate_hz)[0]


def augment_masked(
    clip: Clip, mask: Frames | None, config: ViewConfig, *, rng: np.random.Generator, sample_rate_hz: int
) -> tuple[Clip, Frames | None]:
    """Draw one view of a clip, and move the mask of what was forged along with its pixels.

    The draw does not depend on the mask, nor on what the clip shows: from the same state of `rng`, a clip and its
    forgery get the same view.

    Args:
        clip: Left as it is.
        mask: How far each pixel was forged, 0–255, (T, 1, H, W) uint8; None for none.
        config: Chances and strengths.
        rng: Source of chance: the same state gives the same view.
        sample_rate_hz: Rate of the sound.

    Returns:
        As `augment`, and the mask. What is erased is no longer marked as forged.
    """
    if clip.frames is not None and clip.landmarks is not None:
        frames, landmarks, mask = _place(clip.frames, clip.landmarks, mask, config, rng)
        frames, mask = _look(frames, mask, config, rng)
        boxes = clip.boxes
        if boxes is not None and _happens(config.erase_frame, rng):
            frames, landmarks, boxes = _drop_frame(frames, landmarks, boxes, rng)
        clip = replace(clip, frames=frames, landmarks=landmarks, boxes=boxes)
    if clip.waveform is not None:
        clip = replace(clip, waveform=_sound(clip.waveform, config, rng, sample_rate_hz))
    return clip, mask


def _happens(chance: float, rng: np.random.Generator) -> bool:
    return bool(rng.random() < chance)


def _place(
    frames: Frames, landmarks: Floats, mask: Frames | None, config: ViewConfig, rng: np.random.Generator
) -> tuple[Frames, Floats, Frames | None]:
    if _happens(config.flip, rng):
        mask = None if mask is None else np.ascontiguousarray(mask[..., ::-1])
        frames, landmarks = picture.flip(frames, landmarks)
    if _happens(config.affine, rng):
        across, down = rng.uniform(-config.max_shift, config.max_shift, 2)
        angle_deg = rng.uniform(-config.max_angle_deg, config.max_angle_deg)
        zoom = rng.uniform(1 - config.max_zoom, 1 + config.max_zoom)
        if mask is not None:
            mask, _ = picture.affine(mask, landmarks, angle_deg=angle_deg, shift=(across, down), zoom=zoom)
        frames, landmarks = picture.affine(frames, landmarks, angle_deg=angle_deg, shift=(across, down), zoom=zoom)
    return frames, landmarks, mask


def _look(
    frames: Frames, mask: Frames | None, config: ViewConfig, rng: np.random.Generator
) -> tuple[Frames, Frames | None]:
    if _happens(config.jitter, rng):
        brightness, contrast, saturation = rng.uniform(1 - config.max_jitter, 1 + config.max_jitter, 3)
        frames = picture.jitter(frames, brightness=brightness, contrast=contrast, saturation=saturation)
    if _happens(config.shuffle_channels, rng):
        red, green, blue = rng.permutation(3).tolist()
        frames = picture.shuffle_channels(frames, (red, green, blue))
    if _happens(config.blur, rng):
        frames = picture.blur(frames, sigma_px=rng.uniform(0.1, config.max_blur_px))
    if _happens(config.shuffle_blocks, rng):
        if mask is not None:
            mask = picture.shuffle_blocks(mask, block_px=config.block_px, rng=copy.deepcopy(rng))
        frames = picture.shuffle_blocks(frames, block_px=config.block_px, rng=rng)
    if _happens(config.erase, rng):
        across, down = rng.random(2)
        area = rng.uniform(config.min_erase, config.max_erase)
        ratio = float(np.exp(rng.uniform(np.log(0.3), np.log(3.3))))
        frames = picture.erase(frames, area=area, ratio=ratio, place=(across, down))
        if mask is not None:
            mask = picture.erase(mask, area=area, ratio=ratio, place=(across, down), fill=0)
    return frames, mask


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
