"""Similarity transforms between faces, and pictures moved by them."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.types import Floats


def similarity(source: NDArray[np.floating[Any]], target: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Turn, scale and shift that bring points closest to others, by least squares.

    Args:
        source: Pixels, (K, 2).
        target: Where they shall come to lie, (K, 2).

    Returns:
        (2, 3): `points @ matrix[:, :2].T + matrix[:, 2]`.
    """
    z, w = source.astype(np.float64) @ (1, 1j), target.astype(np.float64) @ (1, 1j)
    turn = np.vdot(z - z.mean(), w - w.mean()) / max(np.vdot(z - z.mean(), z - z.mean()).real, 1e-12)
    shift = w.mean() - turn * z.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def moved(landmarks: Floats, matrix: NDArray[np.float64]) -> Floats:
    """Landmarks after a transform, (..., K, 2) by (2, 3)."""
    return np.asarray(landmarks @ matrix[:, :2].T + matrix[:, 2], np.float32)


def moved_picture(
    picture: NDArray[np.uint8], matrix: NDArray[np.float64], *, box: NDArray[np.intp] | None = None
) -> NDArray[np.uint8]:
    """A picture after a transform of its landmarks; what comes in from outside is mirrored.

    Args:
        picture: (H, W, 3) uint8.
        matrix: (2, 3), on landmarks: pixel 0 reaches from 0 to 1.
        box: Left, top, right, bottom of the part that is wanted, pixels; all of it if left out.
    """
    left, top, right, bottom = (0, 0, picture.shape[1], picture.shape[0]) if box is None else map(int, box)
    # OpenCV counts from the middle of the first pixel, landmarks from its corner.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5 - np.array([left, top])
    size = (right - left, bottom - top)
    warped = cv2.warpAffine(picture, centred, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.uint8)
