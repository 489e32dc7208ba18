"""Soft masks over a part of the face: the convex hull of its landmarks, deformed once for the clip."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.regions import HULLS
from hashformer.types import Floats

_CHANCES = {"face": 0.35, "inner_face": 0.15, "lower_face": 0.15, "mouth": 0.15, "eyes_nose": 0.12, "eyes": 0.08}
_SUBPIXEL_BITS = 4
_RATIOS = (0.25, 1.0)
_EDGES = (0.01, 0.09)
"""Width of the soft edge, in shares of the picture's side."""


@dataclass(frozen=True)
class Hull:
    """A part of the face and how it is deformed.

    Attributes:
        region: Key of `HULLS`.
        scale: Above 1 it reaches beyond the landmarks.
        waves: Amplitude and phase of each wave that runs around the outline, (n, 2).
        edge: Half width of the soft edge, in shares of the picture's side.
        ratio: Share of the new picture in the middle, 0–1.
    """

    region: str
    scale: float
    waves: Floats
    edge: float
    ratio: float

    @classmethod
    def draw(
        cls, rng: np.random.Generator, *, region: str | None = None, ratios: tuple[float, float] = _RATIOS
    ) -> Self:
        """Draw a part, its outline and its edge.

        Args:
            rng: Source of chance.
            region: Key of `HULLS`; drawn if None.
            ratios: Least and greatest `ratio`; every other draw is the greatest.
        """
        names = list(_CHANCES)
        drawn = names[int(rng.choice(len(names), p=list(_CHANCES.values())))]
        amplitudes = rng.uniform(0, 0.08, 4) / np.arange(1, 5)
        whole = rng.random() < 0.5
        ratio = float(rng.uniform(*ratios))
        return cls(
            region=region or drawn,
            scale=float(rng.uniform(0.9, 1.1)),
            waves=np.stack([amplitudes, rng.uniform(0, 2 * np.pi, 4)], -1).astype(np.float32),
            edge=float(np.exp(rng.uniform(*np.log(_EDGES)))),
            ratio=ratios[1] if whole else ratio,
        )

    def mask(self, landmarks: Floats, size_px: int) -> NDArray[np.uint8]:
        """Draw the hull over one frame.

        Args:
            landmarks: (478, 2), pixels, no gap.
            size_px: Side of the frame.

        Returns:
            Share of the new picture, 0–255, (size, size).
        """
        outline = np.asarray(cv2.convexHull(landmarks[HULLS[self.region]].astype(np.float32)), np.float32)[:, 0]
        middle = outline.mean(0)
        arms = outline - middle
        angles = np.arctan2(arms[:, 1], arms[:, 0])
        orders = np.arange(1, len(self.waves) + 1)
        waves = (self.waves[:, :1] * np.cos(orders[:, None] * angles + self.waves[:, 1:])).sum(0)
        mask = filled(middle + arms * (self.scale * (1 + waves))[:, None], size_px)
        width = 2 * max(1, round(self.edge * size_px / 2)) + 1
        # Three box blurs come close to a Gaussian and cost the same at every width.
        for _ in range(3):
            mask = np.asarray(cv2.blur(mask, (width, width)), np.uint8)
        return np.asarray(cv2.convertScaleAbs(mask, alpha=self.ratio), np.uint8)


def filled(outline: Floats, size_px: int) -> NDArray[np.uint8]:
    """255 inside a polygon, 0 outside.

    Args:
        outline: Corners in pixels, (n, 2); pixel 0 reaches from 0 to 1.
        size_px: Side of the picture.
    """
    mask = np.zeros((size_px, size_px), np.uint8)
    corners = np.rint((outline - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return mask


def blended(old: NDArray[np.uint8], new: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mix two pictures; where the mask is 0 the old one stays to the bit.

    Args:
        old: (H, W, 3).
        new: (H, W, 3).
        mask: Share of `new`, 0–255, (H, W).
    """
    share = mask.astype(np.float32) / 255
    return np.asarray(cv2.blendLinear(old, new, 1 - share, share), np.uint8)
