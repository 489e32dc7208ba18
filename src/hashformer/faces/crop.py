"""Aligned square crops: the face upright, in the middle, at one size, never stretched."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.types import Floats, Frames

# Points that speech does not move, by landmark number, where they lie on an upright face that looks at
# the camera; unit: one face width from temple to temple, origin: midway between hairline and chin.
# Mean over the frontal ones of 288 frames of 120 people, made symmetric.
_RIGID = {
    33: (-0.321, -0.219),  # outer eye corners
    263: (0.321, -0.219),
    133: (-0.130, -0.209),  # inner eye corners
    362: (0.130, -0.209),
    168: (0.0, -0.244),  # bridge of the nose
    6: (0.0, -0.185),
    10: (0.0, -0.584),  # middle of the hairline
    234: (-0.5, -0.091),  # temples
    454: (0.5, -0.091),
}
_INDICES = list(_RIGID)
_TEMPLATE = np.array([complex(x, y) for x, y in _RIGID.values()])


@dataclass(frozen=True)
class Place:
    """Where a face lies in the picture: its middle, how wide it is, how far it leans to the right."""

    x: float
    y: float
    width_px: float
    angle_rad: float


def fit_place(landmarks: Floats) -> Place:
    """Fit an upright face to landmarks by least squares over points that speech does not move.

    Args:
        landmarks: x and y in pixels, (478, 2).

    Returns:
        The similarity transform from the upright face to the picture.
    """
    points = landmarks[_INDICES, 0].astype(np.float64) + 1j * landmarks[_INDICES, 1]
    template = _TEMPLATE - _TEMPLATE.mean()
    turn = np.vdot(template, points - points.mean()) / np.vdot(template, template).real
    middle = points.mean() - turn * _TEMPLATE.mean()
    return Place(float(middle.real), float(middle.imag), float(abs(turn)), float(np.angle(turn)))


def average(places: Sequence[Place]) -> Place:
    """Mean of several places: of size by ratio, of angle on the circle."""
    turns = [math.sin(place.angle_rad) for place in places], [math.cos(place.angle_rad) for place in places]
    return Place(
        sum(place.x for place in places) / len(places),
        sum(place.y for place in places) / len(places),
        math.exp(sum(math.log(max(place.width_px, 1e-3)) for place in places) / len(places)),
        math.atan2(sum(turns[0]), sum(turns[1])),
    )


def crop_face(
    rgb: NDArray[np.uint8], landmarks: Floats, place: Place, *, size_px: int, margin: float
) -> tuple[Frames, Floats]:
    """Cut the upright square around a face; the landmarks move with it.

    Args:
        rgb: The picture, (H, W, 3) uint8.
        landmarks: x and y in pixels of the picture, (478, 2).
        place: Where the face lies.
        size_px: Side of the crop.
        margin: Room on each side, in face widths.

    Returns:
        The crop, (3, size, size) uint8, black where it leaves the picture, and the landmarks in its
        pixels, (478, 2) float32.
    """
    scale = size_px / (place.width_px * (1 + 2 * margin))
    cos, sin = scale * math.cos(place.angle_rad), scale * math.sin(place.angle_rad)
    matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    matrix[:, 2] = size_px / 2 - matrix[:, :2] @ (place.x, place.y)
    moved = landmarks.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    # Bilinear sampling skips pixels when it shrinks by more than half; average them first.
    shrink = int(1 / scale) if scale < 0.5 else 1
    source, matrix = _shrunk(rgb, place, shrink, matrix) if shrink > 1 else (rgb, matrix)
    crop = cv2.warpAffine(source, _to_pixel_centres(matrix), (size_px, size_px), flags=cv2.INTER_LINEAR)
    return np.ascontiguousarray(np.moveaxis(np.asarray(crop, np.uint8), -1, 0)), moved.astype(np.float32)


def _to_pixel_centres(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same map for OpenCV, whose pixel 0 is centred on 0 where ours is centred on 0.5."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return shifted


def _shrunk(
    rgb: NDArray[np.uint8], place: Place, shrink: int, matrix: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The neighbourhood of a face reduced `shrink` times by area, and the map from it to the crop."""
    height, width = rgb.shape[:2]
    reach = place.width_px * 1.5
    left, top = max(0, int(place.x - reach)), max(0, int(place.y - reach))
    right, bottom = min(width, math.ceil(place.x + reach)), min(height, math.ceil(place.y + reach))
    columns, rows = max(1, (right - left) // shrink), max(1, (bottom - top) // shrink)
    part = rgb[top : top + rows * shrink, left : left + columns * shrink]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    moved = matrix.copy()
    moved[:, :2] *= shrink
    moved[:, 2] += matrix[:, :2] @ (left, top)
    return np.asarray(small, np.uint8), moved
