"""Perturbations of single pictures: each takes (H, W, 3) RGB uint8 and gives a new one of its size."""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.media.picture import RGB

Change = Callable[[RGB, float, np.random.Generator], RGB]
"""Picture, parameter of the level and the only source of chance. The draws do not depend on the parameter, so
that a higher level adds to the same noise and to the same blocks."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""BT.601."""
BLOCK_PX = 8
BLOCK_UNIT_PX = 256
"""Blocks are counted for each so many pixels of the shorter side."""
GREY = 128

_Y_SWING, _C_SWING = 219 / 255, 224 / 255
"""BT.601 in 0–1: luma goes from 16 to 235, chroma from 16 to 240, of 255."""


def saturation(rgb: RGB, factor: float, _: np.random.Generator) -> RGB:
    """Chroma drawn to grey: in YCbCr, c becomes 0.5 + (c − 0.5) · factor.

    With Y kept, that is y + (v − y) · factor for each of red, green and blue.
    """
    values = rgb.astype(np.float32)
    luma = (values @ LUMA)[..., None]  # (H, W, 1)
    return _to_bytes(np.asarray(luma + (values - luma) * factor, np.float32))


def contrast(rgb: RGB, factor: float, _: np.random.Generator) -> RGB:
    """Every value times the factor, without its fraction."""
    return np.asarray(cv2.LUT(rgb, np.floor(np.arange(256) * factor).astype(np.uint8)), np.uint8)


def block_wise(rgb: RGB, per_unit: float, rng: np.random.Generator) -> RGB:
    """Grey blocks of 8 × 8 at random places: `per_unit` for each whole 256 px of the shorter side, so none below."""
    return _blocks(rgb, round(per_unit) * (min(rgb.shape[:2]) // BLOCK_UNIT_PX), BLOCK_PX, rng)


def block_wise_crop(rgb: RGB, count: float, rng: np.random.Generator) -> RGB:
    """The same for pictures of any size, such as crops: `count` grey blocks of 1/32 of the shorter side."""
    side = max(1, round(min(rgb.shape[:2]) * BLOCK_PX / BLOCK_UNIT_PX))
    return _blocks(rgb, round(count), side, rng)


def _blocks(rgb: RGB, count: int, side: int, rng: np.random.Generator) -> RGB:
    covered = rgb.copy()
    height, width = rgb.shape[:2]
    for top, left in rng.integers(0, (height - side + 1, width - side + 1), (count, 2)):
        covered[top : top + side, left : left + side] = GREY
    return covered


def gaussian_noise(rgb: RGB, variance: float, rng: np.random.Generator) -> RGB:
    """Normal noise on Y, Cb and Cr of BT.601 in 0–1, each with this variance."""
    noise = rng.standard_normal(rgb.shape, np.float32)
    # Colours are linear in YCbCr, so the noise may be converted alone: red = y + 1.402 cr, and so on.
    to_rgb = np.array([[1, 0, 1.402], [1, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587], [1, 1.772, 0]])
    to_rgb = to_rgb / np.array([_Y_SWING, _C_SWING, _C_SWING]) * (255 * math.sqrt(variance))
    return _to_bytes(rgb + noise @ to_rgb.T.astype(np.float32))


def gaussian_blur(rgb: RGB, kernel_px: float, _: np.random.Generator) -> RGB:
    """Gaussian blur with a square kernel; sigma is a sixth of its side."""
    side = round(kernel_px)
    return np.asarray(cv2.GaussianBlur(rgb, (side, side), kernel_px / 6), np.uint8)


def pixelation(rgb: RGB, factor: float, _: np.random.Generator) -> RGB:
    """Bilinear scaling down by the factor, whole pixels, and up again to the old size."""
    height, width = rgb.shape[:2]
    small = max(1, int(width // factor)), max(1, int(height // factor))
    return np.asarray(cv2.resize(cv2.resize(rgb, small), (width, height)), np.uint8)


def jpeg(rgb: RGB, quality: float, _: np.random.Generator) -> RGB:
    """JPEG, 4:2:0, and back."""
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    if not done:
        raise ValueError(f"a picture of shape {rgb.shape} does not go into a JPEG")
    return np.ascontiguousarray(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1])


def damaged(rgb: RGB, rng: np.random.Generator) -> RGB:
    """Half of the macroblocks of 16 × 16 show what belongs elsewhere in the picture, as after a lost packet."""
    rows, columns = -(-rgb.shape[0] // 16), -(-rgb.shape[1] // 16)
    padding = (0, rows * 16 - rgb.shape[0]), (0, columns * 16 - rgb.shape[1]), (0, 0)
    blocks = np.pad(rgb, padding, mode="edge").reshape(rows, 16, columns, 16, 3).swapaxes(1, 2)
    blocks = blocks.reshape(rows * columns, 16, 16, 3)
    hit = rng.permutation(len(blocks))[: -(-len(blocks) // 2)]
    mixed = blocks.copy()
    mixed[hit] = blocks[(hit + rng.integers(1, max(2, len(blocks)), len(hit))) % len(blocks)]  # never itself
    whole = mixed.reshape(rows, columns, 16, 16, 3).swapaxes(1, 2).reshape(rows * 16, columns * 16, 3)
    return np.ascontiguousarray(whole[: rgb.shape[0], : rgb.shape[1]])


PICTURE_CHANGES: dict[str, Change] = {
    "saturation": saturation,
    "contrast": contrast,
    "block-wise": block_wise,
    "block-wise-crop": block_wise_crop,
    "gaussian-noise": gaussian_noise,
    "gaussian-blur": gaussian_blur,
    "pixelation": pixelation,
    "jpeg": jpeg,
}


def _to_bytes(values: NDArray[np.float32]) -> RGB:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
