"""One still that is made to speak: identity and texture are frozen, as in one-shot talking heads."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.base import Forged, ForgeryKind
from hashformer.data.forge.blend import to_and_fro
from hashformer.data.forge.driving import Gains, driven, opening, travel
from hashformer.data.forge.inside import Inside
from hashformer.data.forge.regions import CONTROL, LOWER_LIDS, LOWER_LIP, UPPER_LIDS, UPPER_LIP
from hashformer.data.forge.shown import Shown, forged_picture, shown
from hashformer.data.forge.warp import Area, border, dense_map, resample
from hashformer.errors import ForgeryError
from hashformer.types import Clip, Floats

_N_STILLS = 4
"""The still is drawn from this many frames with the calmest face."""
_EYES_OPEN = 0.7
"""Least opening of the eyes in a still, as a share of the clip's median."""


class _Motion(NamedTuple):
    """What the still is driven by, for each frame with a face: landmarks (n, 478, 2), background (n, 2)."""

    landmarks: Floats
    background: Floats


def puppet(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Drive one frame of the clip by the motion of another person's face: reenactment.

    The lips do not follow the sound any more. Gaps stay as they are. A shorter partner is played to and
    fro.

    Args:
        clip: With a picture; it gives the still.
        partner: With a picture; it gives the motion.
        rng: Source of chance.
        sample_rate_hz: Not used.

    Raises:
        ForgeryError: If either has no picture.
    """
    face, driver = shown(clip, name="clip"), shown(partner, name="partner")
    still = _draw_still(face, rng)
    gains = Gains(*(float(value) for value in rng.uniform((0.4, 0.85, 0.2), (0.9, 1.2, 1.0))))
    order = to_and_fro(driver.seen, len(face.seen), start=int(rng.integers(len(driver.seen))))
    motion = _motion(face, still, _scaled(driver, order, face.size_px), _boxes(partner, order), gains)
    return _animated(clip, face, still, motion, rng, "puppet")


def animated_still(clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
    """Drive one frame of the clip by the clip's own motion: the lips still follow the sound.

    Args:
        clip: With a picture.
        partner: Not used.
        rng: Source of chance.
        sample_rate_hz: Not used.

    Raises:
        ForgeryError: If there is no picture.
    """
    face = shown(clip, name="clip")
    still = _draw_still(face, rng)
    gains = Gains(*(float(value) for value in rng.uniform((0.4, 0.95, 0.2), (1.0, 1.05, 1.0))))
    motion = _motion(face, still, face.landmarks[face.seen], _boxes(clip, face.seen), gains)
    return _animated(clip, face, still, motion, rng, "animated_still")


def _draw_still(face: Shown, rng: np.random.Generator) -> int:
    """Index of a frame with a closed mouth and open eyes."""
    eyes = opening(face.landmarks[face.seen], UPPER_LIDS, LOWER_LIDS)
    lips = opening(face.landmarks[face.seen], UPPER_LIP, LOWER_LIP)
    asleep = eyes < _EYES_OPEN * np.median(eyes)
    calmest = np.argsort(lips + 10.0 * asleep, kind="stable")[:_N_STILLS]
    return int(face.seen[rng.choice(calmest)])


def _scaled(driver: Shown, order: NDArray[np.intp], size_px: int) -> Floats:
    return np.asarray(driver.landmarks[order] * (size_px / driver.size_px), np.float32)


def _boxes(clip: Clip | None, order: NDArray[np.intp]) -> Floats:
    if clip is None or clip.boxes is None:
        raise ForgeryError("the clip that drives has no boxes of the face; prepare it again")
    return clip.boxes[order]


def _motion(face: Shown, still: int, driver: Floats, boxes: Floats, gains: Gains) -> _Motion:
    """Transfer the motion since the driver's frame that is most like the still."""
    portrait = face.landmarks[still]
    unlike = sum(
        np.abs(opening(driver, upper, lower) - opening(portrait, upper, lower))
        for upper, lower in ((UPPER_LIP, LOWER_LIP), (UPPER_LIDS, LOWER_LIDS))
    )
    landmarks = driven(portrait, driver, int(np.argmin(unlike)), gains, size_px=face.size_px)
    width_px = float(np.linalg.norm(portrait[454] - portrait[234]))
    return _Motion(landmarks, travel(boxes, width_px, gains.travel, size_px=face.size_px))


def _animated(clip: Clip, face: Shown, still: int, motion: _Motion, rng: np.random.Generator, kind: str) -> Forged:
    """Warp the still to each frame's landmarks; its background goes with the border of the picture."""
    inside = Inside.draw(face, still, rng)
    interpolation = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    picture, anchors = face.frames[still].copy(), border(face.size_px)
    whole = Area(0, 0, face.size_px, face.size_px)
    source = np.concatenate([face.landmarks[still, CONTROL], anchors])
    landmarks = face.landmarks.copy()
    mask = np.zeros(face.frames.shape[:3], np.uint8)
    for index, points, shift in zip(face.seen, motion.landmarks, motion.background, strict=True):
        places = dense_map(source, np.concatenate([points[CONTROL], anchors + shift]), whole)
        warped = np.asarray(resample(picture, places, interpolation=interpolation), np.uint8)
        face.frames[index] = inside.put_into(warped, points)
        landmarks[index], mask[index] = points, 255
    return forged_picture(clip, face.frames, landmarks, mask=mask, kind=kind, in_sync=kind == "animated_still")


KINDS = (
    ForgeryKind(name="puppet", make=puppet, needs=frozenset({"picture"}), partner="other"),
    ForgeryKind(name="animated_still", make=animated_still, needs=frozenset({"picture"})),
)
