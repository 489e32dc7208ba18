"""Changes of a clip's picture: one draw for all its frames, and the landmarks go along.

A change that differs between frames would itself be a trace of forgery.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.faces.mirror import mirrored
from hashformer.types import Floats, Frames


def flip(frames: Frames, landmarks: Floats) -> tuple[Frames, Floats]:
    """Mirror frames, (T, 3, H, W), and landmarks, (T, K, 2); left and right change their numbers."""
    return np.ascontiguousarray(frames[..., ::-1]), mirrored(landmarks, width_px=frames.shape[-1])


def affine(
    frames: Frames, landmarks: Floats, *, angle_deg: float, shift: tuple[float, float], zoom: float
) -> tuple[Frames, Floats]:
    """Turn, shift and zoom about the middle.

    What comes in from outside is the picture mirrored at its border, so that no black edge is learnt.

    Args:
        frames: (T, 3, H, W) uint8; or a mask, (T, 1, H, W).
        landmarks: (T, K, 2), pixels.
        angle_deg: Anticlockwise.
        shift: To the right and down, in shares of the side.
        zoom: Above 1 enlarges.
    """
    size = frames.shape[-1]
    angle = math.radians(angle_deg)
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    middle = np.array([size / 2, size / 2])
    offset = middle + size * np.asarray(shift) - turn @ middle
    # OpenCV counts from the middle of the first pixel, landmarks from its corner.
    matrix = np.concatenate([turn, (offset + turn @ [0.5, 0.5] - 0.5)[:, None]], axis=1)
    moved = np.empty_like(frames)
    for index, frame in enumerate(frames):
        turned = cv2.warpAffine(np.moveaxis(frame, 0, -1), matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
        moved[index] = np.moveaxis(np.asarray(turned, np.uint8).reshape(size, size, -1), -1, 0)
    return moved, (landmarks @ turn.T + offset).astype(np.float32)


def jitter(frames: Frames, *, brightness: float, contrast: float, saturation: float) -> Frames:
    """Scale brightness, the distance from mid-grey, and the distance from each pixel's grey."""
    grey = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), frames.astype(np.float32), (0, 1))[:, None]
    coloured = grey + saturation * (frames - grey)
    return _to_bytes((coloured * brightness - 127.5) * contrast + 127.5)


def shuffle_channels(frames: Frames, order: tuple[int, int, int]) -> Frames:
    """Exchange red, green and blue."""
    return np.ascontiguousarray(frames[:, list(order)])


def shuffle_blocks(frames: Frames, *, block_px: int, rng: np.random.Generator) -> Frames:
    """Exchange square blocks, alike in every frame; a rest at the right and lower border stays."""
    n_rows, n_columns = frames.shape[-2] // block_px, frames.shape[-1] // block_px
    inner = frames[..., : n_rows * block_px, : n_columns * block_px]
    blocks = inner.reshape(*frames.shape[:2], n_rows, block_px, n_columns, block_px).transpose(2, 4, 0, 1, 3, 5)
    order = rng.permutation(n_rows * n_columns)
    mixed = blocks.reshape(-1, *blocks.shape[2:])[order].reshape(blocks.shape).transpose(2, 3, 0, 4, 1, 5)
    shuffled = frames.copy()
    shuffled[..., : n_rows * block_px, : n_columns * block_px] = mixed.reshape(inner.shape)
    return shuffled


def blur(frames: Frames, *, sigma_px: float) -> Frames:
    """Gaussian blur."""
    blurred = [cv2.GaussianBlur(np.moveaxis(frame, 0, -1), (0, 0), sigma_px) for frame in frames]
    return np.ascontiguousarray(np.moveaxis(np.asarray(blurred, np.uint8), -1, 1))


def erase(frames: Frames, *, area: float, ratio: float, place: tuple[float, float], fill: int | None = None) -> Frames:
    """Fill a rectangle.

    Args:
        frames: (T, 3, H, W) uint8.
        area: Share of the picture.
        ratio: Height over width.
        place: Of the rectangle among all that fit, 0–1 from left to right and from top to bottom.
        fill: With what; None for the clip's mean colour.
    """
    size = frames.shape[-1]
    height = min(size, max(1, round(size * math.sqrt(area * ratio))))
    width = min(size, max(1, round(size * math.sqrt(area / ratio))))
    left, top = round(place[0] * (size - width)), round(place[1] * (size - height))
    erased = frames.copy()
    colour = frames.mean((0, 2, 3)).astype(np.uint8)[:, None, None] if fill is None else np.uint8(fill)
    erased[..., top : top + height, left : left + width] = colour
    return erased


def _to_bytes(values: NDArray[np.floating[Any]]) -> Frames:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
