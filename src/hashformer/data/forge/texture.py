"""Ways to give a picture the over-smooth, enlarged look of generated ones, each drawn once for a clip."""

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.region import Picture
from hashformer.types import Floats

Texture = Callable[[Picture], Picture]
"""Makes a picture of the same size."""

_DOWN = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
_UP = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def draw_texture(scale: float, *, rng: np.random.Generator) -> Texture:
    """Draw a way and its strength.

    Args:
        scale: How large the picture is inside the imagined network, as a share of its size here, below 1;
            smaller is smoother.
        rng: Source of chance.
    """
    weaken = float(np.clip(1 - scale, 0.1, 0.9))
    way = rng.choice(["resized", "transposed", "low_pass", "denoised", "requantised"], p=[0.35, 0.2, 0.15, 0.22, 0.08])
    if way == "resized":
        texture = partial(resized, scale=scale, down=int(rng.choice(_DOWN)), up=int(rng.choice(_UP)))
    elif way == "transposed":
        texture = partial(transposed, scale=scale, kernels=draw_kernels(rng.uniform(0.01, 0.05), rng=rng))
    elif way == "low_pass":
        block = int(rng.choice([8, 16, 32]))
        texture = partial(low_pass, block_px=block, kept=max(1.5, scale * rng.uniform(0.6, 1.0) * block))
    elif way == "denoised":
        how = str(rng.choice(["bilateral", "median", "guided"]))
        texture = partial(denoised, how=how, strength=0.3 + weaken, sharpen=rng.uniform(0, 0.6))
    else:
        levels, chroma = int(rng.integers(26, 64)), float(rng.uniform(0.15, 0.5))
        texture = partial(requantised, levels=levels, chroma_scale=chroma)
    amount = rng.uniform(0.2, 0.8) if rng.random() < 0.3 else 0.0
    return (lambda picture: sharpened(texture(picture), amount)) if amount else texture


def resized(picture: Picture, *, scale: float, down: int, up: int) -> Picture:
    """Reduce a picture to a share of its size and enlarge it again; `down` and `up` are OpenCV's interpolations."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(4, round(width * scale)), max(4, round(height * scale))), interpolation=down)
    return np.asarray(cv2.resize(small, (width, height), interpolation=up), np.uint8)


def draw_kernels(unevenness: float, *, rng: np.random.Generator) -> Floats:
    """Kernels of a transposed convolution, one a channel, that enlarges twice, (3, 4, 4).

    Bilinear but for what training leaves: the four kinds of output pixel differ by about `unevenness`.
    """
    line = np.array([0.25, 0.75, 0.75, 0.25])
    uneven = 1 + rng.normal(0, unevenness, (1, 4, 4)) + rng.normal(0, unevenness / 3, (3, 4, 4))
    kernels = np.outer(line, line) * uneven
    return np.asarray(4 * kernels / kernels.sum((1, 2), keepdims=True), np.float32)


def transposed(picture: Picture, *, scale: float, kernels: Floats) -> Picture:
    """Reduce a picture and enlarge it by a transposed convolution, which leaves a faint grid.

    Source: Odena et al., Deconvolution and checkerboard artifacts, Distill 2016.
    """
    height, width = picture.shape[:2]
    inner = max(4, round(width * scale / 2)), max(4, round(height * scale / 2))
    small = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA)
    spread = np.zeros((2 * inner[1], 2 * inner[0], 3), np.uint8)
    spread[::2, ::2] = small
    planes = [
        cv2.filter2D(plane, -1, kernel, anchor=(2, 2), borderType=cv2.BORDER_REFLECT_101)
        for plane, kernel in zip(cv2.split(spread), kernels, strict=True)
    ]
    return np.asarray(cv2.resize(cv2.merge(planes), (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def low_pass(picture: Picture, *, block_px: int, kept: float) -> Picture:
    """Keep the lowest `kept` of `block_px` cosines of each block both ways, fading over three more."""
    height, width = picture.shape[:2]
    padded = cv2.copyMakeBorder(picture, 0, -height % block_px, 0, -width % block_px, cv2.BORDER_REFLECT_101)
    filtered = _projection(block_px, kept)
    rows = padded.reshape(padded.shape[0] // block_px, block_px, -1).astype(np.float32)
    columns = (filtered @ rows).reshape(padded.shape[0], -1, block_px, 3)
    blocks = np.matmul(filtered, columns)
    rounded = np.clip(np.rint(blocks), 0, 255).astype(np.uint8).reshape(padded.shape)
    return np.ascontiguousarray(rounded[:height, :width])


def _projection(block_px: int, kept: float) -> Floats:
    k, x = np.arange(block_px)[:, None], np.arange(block_px)[None, :]
    cosines = np.cos(np.pi / block_px * (x + 0.5) * k) * np.sqrt(2 / block_px)
    cosines[0] /= np.sqrt(2)
    fade = np.clip((kept + 3 - k) / 3, 0, 1)
    return np.asarray(cosines.T @ (fade * cosines), np.float32)


def denoised(picture: Picture, *, how: str, strength: float, sharpen: float) -> Picture:
    """Smooth areas but not edges, then sharpen what is left.

    Args:
        picture: To be smoothed.
        how: `bilateral`, `median` or `guided` (by itself).
        strength: About 0.3–1.2.
        sharpen: As for `sharpened`.
    """
    if how == "bilateral":
        smooth = np.asarray(cv2.bilateralFilter(picture, 5, 15 + 40 * strength, 2 + strength), np.uint8)
    elif how == "median":
        smooth = np.asarray(cv2.medianBlur(picture, 5 if strength > 0.7 else 3), np.uint8)
    else:
        smooth = _guided(picture, round(2 + 3 * strength), (6 + 14 * strength) ** 2)
    return sharpened(smooth, sharpen)


def _guided(picture: Picture, radius_px: int, variance: float) -> Picture:
    """Smooth a picture guided by itself; slopes are computed at half the size.

    Source: He & Sun, Fast guided filter (2015).
    """
    height, width = picture.shape[:2]
    half = (max(1, width // 2), max(1, height // 2))
    values = cv2.resize(picture, half, interpolation=cv2.INTER_AREA).astype(np.float32)
    side = (radius_px | 1, radius_px | 1)
    mean = cv2.blur(values, side)
    spread = cv2.blur(values * values, side) - mean * mean
    slope = spread / (spread + variance)
    offset = mean - slope * mean
    whole = [
        np.asarray(cv2.resize(cv2.blur(part, side), (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        for part in (slope, offset)
    ]
    return np.asarray(cv2.convertScaleAbs(whole[0] * picture + whole[1]), np.uint8)


def _planes(picture: NDArray[Any]) -> list[NDArray[np.uint8]]:
    return [np.asarray(plane, np.uint8) for plane in cv2.split(picture)]


def requantised(picture: Picture, *, levels: int, chroma_scale: float) -> Picture:
    """Few levels of brightness, smoothed so that no bands show, and colour at a share of the size."""
    step = 255 / (levels - 1)
    table = np.rint(np.rint(np.arange(256) / step) * step).astype(np.uint8)
    luma, *chroma = _planes(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    coarse = cv2.bilateralFilter(cv2.LUT(luma, table), 5, 1.5 * step, 2)
    colours = [resized(plane, scale=chroma_scale, down=cv2.INTER_AREA, up=cv2.INTER_LINEAR) for plane in chroma]
    return np.asarray(cv2.cvtColor(cv2.merge([coarse, *colours]), cv2.COLOR_YCrCb2RGB), np.uint8)


def sharpened(picture: Picture, amount: float) -> Picture:
    """Add `amount` times the difference from a blurred copy; 0 leaves it alone."""
    if not amount:
        return picture
    soft = cv2.GaussianBlur(picture, (0, 0), 1.2)
    return np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), np.uint8)


def changed_by(texture: Texture, picture: Picture, mask: NDArray[np.uint8]) -> float:
    """Mean change of a picture, in levels of 255, where the mask is above half."""
    change = np.asarray(cv2.absdiff(texture(picture), picture)).mean(-1)
    return float(change[mask > 127].mean()) if (mask > 127).any() else 0.0
