"""Landmarks of a still face that moves as another face, or the same one, moves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.regions import LOWER_LIDS, LOWER_LIP, RIGID, UPPER_LIDS, UPPER_LIP
from hashformer.types import Floats

_MAX_POSE = 0.06
_MAX_TRAVEL = 0.15
"""Farthest that the head's pose moves a point, and that the head moves before its background, in shares
of the crop's side: beyond, a warped still shows what it is."""
_SMOOTH_FRAMES = 2
"""Frames on each side over which crops are stabilised."""


@dataclass(frozen=True)
class Gains:
    """How much of the driver's motion is taken over.

    Attributes:
        pose: Turning and nodding, 0–1.
        expression: Lips, lids, brows; 1 as it is.
        travel: Way of the head before its background, 0–1.
    """

    pose: float
    expression: float
    travel: float


def driven(still: Floats, driver: Floats, reference: int, gains: Gains, *, size_px: int) -> Floats:
    """Move the landmarks of a still by the motion of a driver since its reference frame.

    The motion that an affine map of the points on the skull explains is pose; the rest is expression.

    Args:
        still: Landmarks of the still, (478, 2), pixels.
        driver: Landmarks of the driver, (T, 478, 2), no gap.
        reference: The driver's frame that is most like the still.
        gains: How much is taken over.
        size_px: Side of the still's picture.

    Returns:
        (T, 478, 2) float32. Lips and lids meet, but do not pass through each other.
    """
    # The driver's face takes this face's place and size first: its motion is then in this face's pixels.
    fit = _affine(driver[reference, RIGID], still[RIGID], similar=True)
    moves = _apply(fit, driver.reshape(-1, 2)).reshape(driver.shape)
    rest = moves[reference]
    landmarks = np.empty(driver.shape, np.float64)
    limit = _MAX_POSE * size_px
    for index, now in enumerate(moves):
        pose = _affine(rest[RIGID], now[RIGID])
        turn = _apply(pose, still.astype(np.float64)) - still
        largest = float(np.abs(gains.pose * turn).max())
        turn *= gains.pose * min(1.0, limit / max(largest, 1e-6))
        landmarks[index] = still + turn + gains.expression * (now - _apply(pose, rest))
    for upper, lower in ((UPPER_LIP, LOWER_LIP), (UPPER_LIDS, LOWER_LIDS)):
        _keep_apart(landmarks, upper, lower)
    return landmarks.astype(np.float32)


def travel(boxes: Floats, width_px: float, gain: float, *, size_px: int) -> Floats:
    """How far the background moves in the crop because the head moves before it.

    A crop follows the head. Of a still that is driven without this, the background would stand, and no
    real one does.

    Args:
        boxes: Of the face in the source picture, (T, 4), no gap.
        width_px: Width of the same face in its crop.
        gain: 0–1.
        size_px: Side of the crop.

    Returns:
        Shift to the right and down, (T, 2) float32, pixels of the crop; about zero on average.
    """
    places = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 1]], -1).astype(np.float64)
    padded = np.pad(places, ((_SMOOTH_FRAMES, _SMOOTH_FRAMES), (0, 0)), mode="edge")
    n_taps = 2 * _SMOOTH_FRAMES + 1
    smooth = np.stack([padded[first : first + len(places)] for first in range(n_taps)]).mean(0)
    scale = width_px / max(float(np.median(boxes[:, 2] - boxes[:, 0])), 1.0)
    way = -gain * scale * (smooth - smooth.mean(0))
    largest = float(np.abs(way).max())
    return np.asarray(way * min(1.0, _MAX_TRAVEL * size_px / max(largest, 1e-6)), np.float32)


def opening(landmarks: Floats, upper: NDArray[np.intp], lower: NDArray[np.intp]) -> Floats:
    """Mean gap between two edges over the width of the face, (...,), of landmarks (..., 478, 2)."""
    gap = (landmarks[..., lower, 1] - landmarks[..., upper, 1]).mean(-1)
    width = np.linalg.norm(landmarks[..., 454, :] - landmarks[..., 234, :], axis=-1)
    return np.asarray(gap / np.maximum(width, 1), np.float32)


def _affine(source: Floats, target: Floats, *, similar: bool = False) -> NDArray[np.float64]:
    """The map of points that fits best, (3, 2): of any kind, or without shear and stretch."""
    if not similar:
        return np.asarray(np.linalg.lstsq(_with_one(source), target.astype(np.float64), rcond=None)[0], np.float64)
    before, after = (points.astype(np.float64) @ np.array([1, 1j]) for points in (source, target))
    centred = before - before.mean()
    turn = np.vdot(centred, after - after.mean()) / max(np.vdot(centred, centred).real, 1e-9)
    shift = after.mean() - turn * before.mean()
    return np.array([[turn.real, turn.imag], [-turn.imag, turn.real], [shift.real, shift.imag]])


def _apply(fit: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    return _with_one(points) @ fit


def _with_one(points: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1).astype(np.float64)


def _keep_apart(landmarks: NDArray[np.float64], upper: NDArray[np.intp], lower: NDArray[np.intp]) -> None:
    crossed = np.minimum(landmarks[:, lower, 1] - landmarks[:, upper, 1], 0)
    landmarks[:, upper, 1] += crossed / 2
    landmarks[:, lower, 1] -= crossed / 2
