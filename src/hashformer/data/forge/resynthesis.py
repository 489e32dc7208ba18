"""Resynthesis: a part of the picture is replaced by an over-smooth version of itself, as generators leave it."""

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.autoencoder import Autoencoder
from hashformer.data.forge.base import Forged, Forgery, ForgeryKind
from hashformer.data.forge.region import SHAPES, Picture, Region, Shape, draw_region
from hashformer.data.forge.shown import Shown, forged_picture, shown
from hashformer.data.forge.texture import Texture, changed_by, draw_texture, sharpened
from hashformer.errors import ForgeryError
from hashformer.types import Clip

MIN_CHANGE = 0.8
"""Mean change in levels of 255: less would ask a detector to see what is not there."""
_FACE_PX = (48.0, 128.0)
"""Height of the face inside the imagined network."""
_INNER_PX = (48, 144)
"""Least and greatest side of a part inside an autoencoder."""
_TRIES = 5
_WEIGHTS: dict[Shape, float] = dict(zip(SHAPES, (0.2, 0.2, 0.1, 0.15, 0.15, 0.2), strict=True))


def resynthesis(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Replace a part of the picture by what is left of it after reduction, filtering or the like.

    Part, way and strength are drawn once for the clip; colours may flicker by a level or two.

    Args:
        clip: Left as it is.
        partner: Not used.
        rng: The only source of chance.
        sample_rate_hz: Not used; the sound stays.

    Raises:
        ForgeryError: If the clip has no face, or is so smooth already that nothing would change.
    """
    del partner, sample_rate_hz
    picture = shown(clip, name="clip")
    region = _draw_region(picture, rng)
    texture = _visible_texture(picture, region, rng)
    flicker = rng.uniform(0.3, 1.5) if rng.random() < 0.4 else 0.0
    tint = rng.normal(0, 1.5, 3)
    for index in region.indices:
        made = texture(region.part(picture.frames, index))
        region.paste(picture.frames, index, _tinted(made, tint + rng.normal(0, flicker, 3)))
    return _forged(clip, picture, region, "resynthesis")


def resynthesis_with(autoencoder: Autoencoder) -> Forgery:
    """A forgery that passes a part of the picture through an autoencoder of faces.

    Args:
        autoencoder: Trained on real crops, for one by `train_autoencoder`.
    """
    return partial(_neural, autoencoder=autoencoder)


def neural_kind(autoencoder: Autoencoder) -> ForgeryKind:
    """`neural_resynthesis`, ready to be listed beside the other forgeries.

    Args:
        autoencoder: Trained on real crops of the training split alone.
    """
    return ForgeryKind(name="neural_resynthesis", make=resynthesis_with(autoencoder), needs=frozenset({"picture"}))


def _neural(
    clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int, autoencoder: Autoencoder
) -> Forged:
    del partner, sample_rate_hz
    picture = shown(clip, name="clip")
    region = _draw_region(picture, rng)
    side = _inner_side(region, autoencoder.settings.step_px, rng)
    flicker = float(rng.uniform(0.02, 0.15)) if rng.random() < 0.5 else 0.0
    sharpen = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.4 else 0.0
    up = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))
    small = [
        cv2.resize(region.part(picture.frames, index), (side, side), interpolation=cv2.INTER_AREA)
        for index in region.indices
    ]
    frames = np.ascontiguousarray(np.moveaxis(np.asarray(small, np.uint8), -1, 1))
    made = np.moveaxis(autoencoder.reconstruct(frames, side_px=side, flicker=flicker, rng=rng), 1, -1)
    for index, decoded in zip(region.indices, np.ascontiguousarray(made), strict=True):
        height, width = region.part(picture.frames, index).shape[:2]
        enlarged = np.asarray(cv2.resize(decoded, (width, height), interpolation=up), np.uint8)
        region.paste(picture.frames, index, sharpened(enlarged, sharpen))
    return _forged(clip, picture, region, "neural_resynthesis")


def _inner_side(region: Region, step_px: int, rng: np.random.Generator) -> int:
    """Side that the parts have inside the network: below their own, as a generator's output is enlarged."""
    low, high = _INNER_PX
    own = float(np.median((region.boxes[region.indices, 2:] - region.boxes[region.indices, :2]).max(1)))
    return max(1, round(min(max(rng.uniform(0.5, 0.9) * own, low), high) / step_px)) * step_px


def _draw_region(picture: Shown, rng: np.random.Generator) -> Region:
    shape = SHAPES[int(rng.choice(len(SHAPES), p=list(_WEIGHTS.values())))]
    region = draw_region(picture, shape, rng=rng)
    if not len(region.indices):
        raise ForgeryError(f"the {shape} lies outside the picture in every frame. Draw another kind")
    return region


def _visible_texture(picture: Shown, region: Region, rng: np.random.Generator) -> Texture:
    """Draw until the change can be seen, each time from the smoother half of what is left."""
    index = int(region.indices[len(region.indices) // 2])
    part = region.part(picture.frames, index)
    left, top, right, bottom = region.boxes[index]
    mask = region.masks[index, top:bottom, left:right]
    height = float(np.ptp(picture.landmarks[index, :, 1]))
    low, high = _FACE_PX
    change = 0.0
    for _ in range(_TRIES):
        texture = draw_texture(min(0.9, rng.uniform(low, high) / max(height, 1.0)), rng=rng)
        change = changed_by(texture, part, mask)
        if change >= MIN_CHANGE:
            return texture
        high = (low + high) / 2
    raise ForgeryError(
        f"resynthesis changes the picture by {change:.2f} of 255 levels, below {MIN_CHANGE:g}: it is as smooth "
        "already. Draw another kind"
    )


def _tinted(picture: Picture, tint: NDArray[np.float64]) -> Picture:
    whole = np.rint(tint).astype(int)
    levels = np.arange(256)[:, None] + whole
    return np.asarray(cv2.LUT(picture, np.clip(levels, 0, 255).astype(np.uint8)[None]), np.uint8)


def _forged(clip: Clip, picture: Shown, region: Region, kind: str) -> Forged:
    return forged_picture(clip, picture.frames, picture.landmarks.copy(), mask=region.masks, kind=kind, in_sync=True)


KINDS: tuple[ForgeryKind, ...] = (ForgeryKind(name="resynthesis", make=resynthesis, needs=frozenset({"picture"})),)
