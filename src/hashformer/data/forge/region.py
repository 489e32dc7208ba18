"""The part of the picture that a forgery replaces, frame by frame, and how its edge is blended."""

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.regions import HULLS
from hashformer.data.forge.shown import Shown
from hashformer.types import Floats

Picture = NDArray[np.uint8]
"""One picture or a part of it as OpenCV wants it: RGB, (H, W, 3) uint8."""
Shape = Literal["crop", "face", "lower_face", "mouth", "face_box", "lower_box"]
"""The whole crop; a hull of landmarks; the upright rectangle around the face, whole or its lower half, as
lip-sync networks paste it."""
SHAPES: tuple[Shape, ...] = ("crop", "face", "lower_face", "mouth", "face_box", "lower_box")

MIN_SIDE_PX = 8
"""Of a box; a face at the border may leave less of it."""
_MAX_FEATHER = 0.12
"""Of the height of the region."""
_HARD = 0.35
"""Share of rectangles that are pasted without any blending."""


class Region(NamedTuple):
    """A part of every frame.

    Attributes:
        boxes: What is made anew: left, top, right, bottom in whole pixels, (T, 4) int; empty in gaps.
        masks: How far it shows, 0–255, (T, H, W) uint8; 0 outside the boxes, in gaps and where a box is too small.
    """

    boxes: NDArray[np.intp]
    masks: NDArray[np.uint8]

    @property
    def indices(self) -> NDArray[np.intp]:
        """Frames of which enough to work on lies within the picture."""
        return np.flatnonzero((self.boxes[:, 2:] - self.boxes[:, :2] >= MIN_SIDE_PX).all(1))

    def part(self, frames: NDArray[np.uint8], index: int) -> Picture:
        """What of frame `index` of (T, H, W, 3) lies in its box; a view."""
        left, top, right, bottom = self.boxes[index]
        return frames[index, top:bottom, left:right]

    def paste(self, frames: NDArray[np.uint8], index: int, part: Picture) -> None:
        """Blend a picture of the box's size into frame `index` of (T, H, W, 3), in place."""
        left, top, right, bottom = self.boxes[index]
        weight = self.masks[index, top:bottom, left:right, None].astype(np.uint16)
        here = frames[index, top:bottom, left:right]
        mixed = here * (255 - weight) + part * weight + np.uint16(127)
        # Division by 255, exact below 65,408 and many times as fast as `//`.
        here[:] = (mixed + np.uint16(1) + (mixed >> np.uint16(8))) >> np.uint16(8)


def draw_region(picture: Shown, shape: Shape, *, rng: np.random.Generator) -> Region:
    """Lay a region over all frames of a clip: size, edge and steadiness are drawn once.

    Args:
        picture: The clip's.
        shape: Which part.
        rng: Source of chance.
    """
    n_frames, size = len(picture.frames), picture.size_px
    growth, cut = rng.uniform(0.95, 1.2), rng.uniform(0.42, 0.58)
    hard, feather, n_mean = rng.random() < _HARD, rng.uniform(0.01, 0.05) * size, int(rng.integers(1, 6))
    boxes, masks = np.zeros((n_frames, 4), np.intp), np.zeros((n_frames, size, size), np.uint8)
    if shape == "crop":
        boxes[picture.present], masks[picture.present] = (0, 0, size, size), 255
        return Region(boxes, masks)
    is_box = shape in ("face_box", "lower_box")
    hull = HULLS["face" if is_box else shape]
    corners = _corners(picture.landmarks[:, hull], growth)
    if is_box:
        corners = _steadied(corners, n_mean)
    # A wider edge would leave nothing of a small mouth that is replaced wholly.
    feather = min(feather, _MAX_FEATHER * float(np.nanmedian(corners[:, 3] - corners[:, 1])))
    for index in picture.seen:
        if is_box:
            frame_mask = _rectangle(corners[index], size, cut if shape == "lower_box" else 0.0)
        else:
            points = picture.landmarks[index, hull]
            frame_mask = filled(points.mean(0) + growth * (points - points.mean(0)), size)
        room = 0 if is_box and hard else round(2.5 * feather)
        boxes[index] = _whole_pixels(corners[index], room, size)
        if not (is_box and hard):
            frame_mask = feathered(frame_mask, feather)
        if (boxes[index, 2:] - boxes[index, :2] < MIN_SIDE_PX).any():
            continue
        left, top, right, bottom = boxes[index]
        masks[index, top:bottom, left:right] = frame_mask[top:bottom, left:right]
    return Region(boxes, masks)


def filled(points: Floats, size_px: int) -> NDArray[np.uint8]:
    """255 within the convex hull of points, 0 elsewhere, (size, size).

    Args:
        points: x and y in pixels, (K, 2); pixel 0 reaches from 0 to 1.
        size_px: Side of the picture.
    """
    mask = np.zeros((size_px, size_px), np.uint8)
    hull = cv2.convexHull(np.rint((points - 0.5) * 16).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 255, lineType=cv2.LINE_AA, shift=4)
    return mask


def feathered(mask: NDArray[np.uint8], sigma_px: float) -> NDArray[np.uint8]:
    """A mask whose edge fades over about four `sigma_px`; what is 255 far inside stays so."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(sigma_px, 0.3)), np.uint8)


def _corners(points: Floats, growth: float) -> Floats:
    """Left, top, right, bottom around points (T, K, 2), grown about their middle, (T, 4)."""
    low, high = points.min(1), points.max(1)
    middle, half = (low + high) / 2, (high - low) / 2 * growth
    return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)


def _steadied(corners: Floats, n_mean: int) -> Floats:
    """Mean over `n_mean` neighbouring frames that show the face; NaN stays NaN."""
    steady = corners.copy()
    for index in np.flatnonzero(~np.isnan(corners[:, 0])):
        near = corners[max(0, index - n_mean // 2) : index - n_mean // 2 + n_mean]
        steady[index] = np.nanmean(near, axis=0)
    return steady


def _whole_pixels(corners: Floats, room: int, size_px: int) -> NDArray[np.intp]:
    low = np.floor(corners[:2]).astype(np.intp) - room
    high = np.ceil(corners[2:]).astype(np.intp) + room
    return np.asarray(np.clip(np.concatenate([low, high]), 0, size_px), np.intp)


def _rectangle(corners: Floats, size_px: int, cut: float) -> NDArray[np.uint8]:
    """255 within the rectangle below the share `cut` of its height."""
    mask = np.zeros((size_px, size_px), np.uint8)
    left, top, right, bottom = _whole_pixels(corners, 0, size_px)
    mask[top + round(cut * (bottom - top)) : bottom, left:right] = 255
    return mask
