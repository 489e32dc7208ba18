"""The inside of a mouth that opens wider than the still that it is warped from."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.driving import opening
from hashformer.data.forge.hull import blended, filled
from hashformer.data.forge.regions import LIPS_INNER, LIPS_OUTER, LOWER_LIP, UPPER_LIP
from hashformer.data.forge.shown import Shown
from hashformer.data.forge.warp import Area, dense_map, resample
from hashformer.types import Floats

_WIDE_OPEN = 0.035
"""Gap of the lips, in face widths, from which a frame shows the inside of the mouth."""
_RAMP = 0.02
"""Gap beyond the still's, in face widths, over which the inside fades in."""
_PAINTED_PX = 64


@dataclass(frozen=True)
class Inside:
    """What is seen between the lips.

    Attributes:
        picture: (H, W, 3) uint8.
        lips: Where the inner lips lie in it, (20, 2), in the order of `LIPS_INNER`.
        closed: Gap of the lips in the still, face widths; up to it nothing is put in.
    """

    picture: NDArray[np.uint8]
    lips: Floats
    closed: float

    @classmethod
    def draw(cls, face: Shown, still: int, rng: np.random.Generator) -> Self:
        """Take it from the frame whose mouth is open widest; paint it if none is open.

        Args:
            face: The face; only its frames with a face are looked at.
            still: Index of the still.
            rng: Source of chance.
        """
        gaps = opening(face.landmarks[face.seen], UPPER_LIP, LOWER_LIP)
        widest = face.seen[int(gaps.argmax())]
        closed = float(opening(face.landmarks[still], UPPER_LIP, LOWER_LIP))
        if gaps.max() >= _WIDE_OPEN:
            return cls(face.frames[widest].copy(), face.landmarks[widest, LIPS_INNER].copy(), closed)
        lip_px = filled(face.landmarks[still, LIPS_OUTER], face.size_px) > 127
        lips = face.frames[still][lip_px]
        colour = lips.mean(0) if len(lips) else np.array([150.0, 90.0, 85.0])
        return cls(_painted(colour, rng), _round_lips(), closed)

    def put_into(self, frame: NDArray[np.uint8], landmarks: Floats) -> NDArray[np.uint8]:
        """Fill the space between the lips.

        Args:
            frame: The warped still, (H, W, 3); stays as it is.
            landmarks: Of the face in it, (478, 2).
        """
        gap = float(opening(landmarks, UPPER_LIP, LOWER_LIP))
        share = min(max((gap - max(self.closed, 0)) / _RAMP, 0), 1)
        lips = landmarks[LIPS_INNER]
        left, top = np.clip(np.floor(lips.min(0)) - 2, 0, len(frame)).astype(int).tolist()
        right, bottom = np.clip(np.ceil(lips.max(0)) + 2, 0, len(frame)).astype(int).tolist()
        if share == 0 or right - left < 2 or bottom - top < 2:
            return frame
        places = dense_map(self.lips, lips, Area(left, top, right - left, bottom - top))
        inside = resample(self.picture, places)
        mask = cv2.convertScaleAbs(cv2.blur(filled(lips, len(frame)), (3, 3)), alpha=share)
        part = (slice(top, bottom), slice(left, right))
        made = frame.copy()
        made[part] = blended(frame[part], np.asarray(inside, np.uint8), np.asarray(mask, np.uint8)[part])
        return made


def _round_lips() -> Floats:
    """The inner lips of a round mouth that fills a picture of `_PAINTED_PX`, from its right corner down and round."""
    angles = np.pi - 2 * np.pi * np.arange(len(LIPS_INNER)) / len(LIPS_INNER)
    circle = np.stack([np.cos(angles), np.sin(angles)], -1)
    return ((0.5 + 0.45 * circle) * _PAINTED_PX).astype(np.float32)


def _painted(lip_colour: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Dark, redder and lighter towards the tongue below, mostly with a row of teeth above."""
    down, across = np.mgrid[0:_PAINTED_PX, 0:_PAINTED_PX] / _PAINTED_PX
    dark = lip_colour * rng.uniform(0.2, 0.4) * np.array([1.0, 0.75, 0.75])
    shade = (0.6 + 0.8 * down**2)[..., None] * dark
    if rng.random() < 0.7:
        edge = rng.uniform(0.3, 0.5) - 0.5 * (across - 0.5) ** 2
        teeth = np.clip((edge - down) / 0.06, 0, 1) * np.clip(1.15 - 2.2 * np.abs(across - 0.5), 0, 1)
        enamel = lip_colour.mean() * rng.uniform(1.0, 1.35) * np.array([1.0, 0.96, 0.88])
        shade += teeth[..., None] * (enamel - shade)
    return np.asarray(np.clip(np.rint(shade), 0, 255), np.uint8)
