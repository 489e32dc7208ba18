"""A smooth warp of a picture that carries landmarks to other places."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.types import Floats

_SOFTNESS_PX = 3.0
"""Rounds the tip of the kernel off, so that no crease shows at a control point."""
_RIDGE = 0.3
"""How far a control point may be missed: lids or lips that meet would otherwise tear the field."""
_CELL_PX = 4
"""The field is computed on cells of this side and interpolated between their middles."""


class Area(NamedTuple):
    """A rectangle of a picture, in whole pixels."""

    left: int
    top: int
    width: int
    height: int


def dense_map(source: Floats, target: Floats, area: Area) -> Floats:
    """Say for each pixel of the warped picture where in the source it comes from.

    Points are interpolated by multiquadrics, tied to the targets, so that nothing folds where the
    target is: what a smaller mouth hides is squeezed, what a larger one uncovers is stretched.

    Args:
        source: Where the control points lie in the source, pixels, (K, 2).
        target: Where they shall lie, (K, 2). Pixel 0 reaches from 0 to 1, as with landmarks.
        area: The part of the warped picture that is wanted.

    Returns:
        For `cv2.remap`: x and y, counted from the middle of pixel 0, (height, width, 2) float32.

    Raises:
        ValueError: If a point is not a number; gaps are for the caller to skip.

    Source: Hardy, Multiquadric equations of topography (1971).
    """
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("control points must be finite; a frame without a face cannot be warped")
    weights = _weights(source, target)
    n_columns, n_rows = -(-area.width // _CELL_PX), -(-area.height // _CELL_PX)
    across = area.left + (np.arange(n_columns, dtype=np.float32) + 0.5) * _CELL_PX
    down = area.top + (np.arange(n_rows, dtype=np.float32) + 0.5) * _CELL_PX
    points = target.astype(np.float32)
    kernel = (
        np.square(across - points[:, :1])[:, None, :]
        + (np.square(down - points[:, 1:]) + np.float32(_SOFTNESS_PX**2))[:, :, None]
    )  # (K, rows, columns)
    np.sqrt(kernel, out=kernel)
    field = weights[:-1].T @ kernel.reshape(len(target), -1) + weights[-1][:, None]  # (2, rows · columns)
    cells = np.ascontiguousarray(field.T.reshape(n_rows, n_columns, 2), np.float32)
    whole = cv2.resize(cells, (n_columns * _CELL_PX, n_rows * _CELL_PX), interpolation=cv2.INTER_LINEAR)
    places = np.asarray(whole, np.float32)[: area.height, : area.width].copy()
    places[..., 0] += np.arange(area.left, area.left + area.width, dtype=np.float32)
    places[..., 1] += np.arange(area.top, area.top + area.height, dtype=np.float32)[:, None]
    return places


def _weights(source: Floats, target: Floats) -> Floats:
    """Weight of each point and, last, the constant, (K + 1, 2) float32."""
    n_points = len(target)
    points = target.astype(np.float64)
    squares = np.square(points[:, None] - points[None]).sum(-1)
    system = np.ones((n_points + 1, n_points + 1))
    # The kernel is conditionally negative definite: the ridge is taken off the diagonal, not added.
    system[:-1, :-1] = np.sqrt(squares + _SOFTNESS_PX**2) - _RIDGE * np.eye(n_points)
    system[-1, -1] = 0
    wanted = np.zeros((n_points + 1, 2))
    wanted[:-1] = source - target
    return np.linalg.solve(system, wanted).astype(np.float32)


def border(size_px: int, *, n_per_side: int = 4) -> Floats:
    """Points around a square picture that hold its background in place, (4 · n_per_side, 2)."""
    steps = np.arange(n_per_side, dtype=np.float32) * (size_px / n_per_side)
    low, high = np.zeros_like(steps), np.full_like(steps, size_px)
    sides = [(steps, low), (high, steps), (size_px - steps, high), (low, size_px - steps)]
    return np.concatenate([np.stack(side, -1) for side in sides]).astype(np.float32)


def resample(picture: NDArray[np.uint8], places: Floats, *, interpolation: int = cv2.INTER_LINEAR) -> NDArray[Any]:
    """Take a picture's pixels from the given places; beyond its border it is mirrored.

    Args:
        picture: (H, W, 3) or (H, W).
        places: As `dense_map` gives them.
        interpolation: OpenCV's.
    """
    # OpenCV mirrors step by step: a place a billion pixels away would take it minutes.
    far = float(2 * max(picture.shape[:2]))
    places = np.clip(places, -far, far)
    # Its stubs do not know that x and y may come together.
    warped = cv2.remap(picture, places, None, interpolation, borderMode=cv2.BORDER_REFLECT_101)  # type: ignore[call-overload]
    return np.asarray(warped)
