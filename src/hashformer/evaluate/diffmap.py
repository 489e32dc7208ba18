"""Where a manipulated picture differs from the real one: by pixel, structure and texture, in the face or beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.errors import EvaluationError
from hashformer.media.picture import RGB
from hashformer.types import Floats, Mask

CHANGED = 8
"""A pixel whose mean difference over red, green and blue is at least this, of 255, counts as changed: more than
a good encoder does to most pixels."""
_SSIM_SIGMA, _SSIM_SIDE = 1.5, 11
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_WAVELENGTHS_PX = (4.0, 8.0, 16.0)
_N_ORIENTATIONS = 6
_FLOOR = 2.0
"""Energy, in grey levels, below which texture counts as none: coding noise in a flat wall is no texture."""


@dataclass(frozen=True)
class Maps:
    """Three views of one difference, (H, W) float32 each; 0 where the pictures are alike.

    Attributes:
        pixel: Mean absolute difference of red, green and blue, 0–1.
        structure: 1 − SSIM, 0–2; above 1 where structure is reversed.
        texture: Distance of Gabor energies, 0–1.
    """

    pixel: Floats
    structure: Floats
    texture: Floats


def difference_maps(real: RGB, fake: RGB) -> Maps:
    """Compare two pictures of one size, (H, W, 3) uint8.

    Raises:
        EvaluationError: If their sizes differ.
    """
    if real.shape != fake.shape:
        raise EvaluationError(f"pictures of {real.shape[:2]} and {fake.shape[:2]} cannot be compared; align them first")
    return Maps(pixel_difference(real, fake), 1 - structural_similarity(real, fake), texture_distance(real, fake))


def pixel_difference(real: RGB, fake: RGB) -> Floats:
    """Mean absolute difference of the three colours, 0–1, (H, W)."""
    return np.asarray(cv2.absdiff(real, fake).mean(axis=2) / 255, np.float32)


def structural_similarity(real: RGB, fake: RGB) -> Floats:
    """SSIM of the luma at every pixel, −1 to 1, (H, W).

    Gaussian window of 11 px, sigma 1.5; constants 0.01 and 0.03; borders reflected.

    Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity (2004), eq. (13).
    """
    x, y = (_luma(picture).astype(np.float64) for picture in (real, fake))

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        window = (_SSIM_SIDE, _SSIM_SIDE)
        return np.asarray(cv2.GaussianBlur(values, window, _SSIM_SIGMA, borderType=cv2.BORDER_REFLECT_101), np.float64)

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    likeness /= (mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2)
    return likeness.astype(np.float32)


def texture_distance(real: RGB, fake: RGB) -> Floats:
    """How unlike the texture is at every pixel, 0–1, (H, W).

    Of each picture, the energy of Gabor filters: 3 scales, 6 orientations, phase left out, so that a shift by a
    pixel counts little where SSIM sees another structure. At each scale the six energies are one vector; the
    distance is that of both vectors by the sum of their lengths. It is the mean over the scales.

    It stands in for learned perceptual distances, whose weights would have to be fetched; it is no LPIPS.
    """
    distances = []
    for bank in _banks():
        a, b = _energies(_luma(real), bank), _energies(_luma(fake), bank)  # (H, W, 6)
        lengths = np.linalg.norm(a, axis=2) + np.linalg.norm(b, axis=2) + _FLOOR
        distances.append(np.linalg.norm(a - b, axis=2) / lengths)
    return np.asarray(np.mean(distances, axis=0), np.float32)


def _luma(rgb: RGB) -> Floats:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)


def _energies(luma: Floats, bank: Sequence[tuple[Floats, Floats]]) -> Floats:
    energies = []
    for even, odd in bank:
        parts = [cv2.filter2D(luma, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101) for kernel in (even, odd)]
        energies.append(np.hypot(parts[0], parts[1]))
    return np.stack(energies, axis=2)


@lru_cache(maxsize=1)
def _banks() -> list[list[tuple[Floats, Floats]]]:
    return [
        [_gabor(wavelength, math.pi * k / _N_ORIENTATIONS) for k in range(_N_ORIENTATIONS)]
        for wavelength in _WAVELENGTHS_PX
    ]


def _gabor(wavelength: float, angle: float) -> tuple[Floats, Floats]:
    """Even and odd filter; a wave of amplitude 1 along it answers 1, a flat picture 0."""
    sigma = wavelength / 2
    reach = math.ceil(3 * sigma)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    along = x * math.cos(angle) + y * math.sin(angle)
    envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    envelope /= envelope.sum() / 2
    even, odd = (envelope * wave(2 * math.pi * along / wavelength) for wave in (np.cos, np.sin))
    even -= envelope * even.sum() / envelope.sum()
    return even.astype(np.float32), odd.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the maps say in numbers, over all pixels of a region. None if the region is empty.

    Attributes:
        n_pixels: Of the region.
        difference: Mean of `Maps.pixel`.
        ssim: Mean SSIM.
        texture: Mean of `Maps.texture`.
        changed: Share of pixels that differ by at least the threshold.
    """

    n_pixels: int
    difference: float | None
    ssim: float | None
    texture: float | None
    changed: float | None


def summarise_maps(maps: Maps, region: Mask | None = None, *, changed: int = CHANGED) -> Summary:
    """Mean over a region, (H, W) bool; all of the picture without one."""
    chosen = np.ones(maps.pixel.shape, np.bool_) if region is None else region
    n = int(chosen.sum())
    if not n:
        return Summary(n_pixels=0, difference=None, ssim=None, texture=None, changed=None)
    pixel = maps.pixel[chosen]
    return Summary(
        n_pixels=n,
        difference=float(pixel.mean()),
        ssim=float(1 - maps.structure[chosen].mean()),
        texture=float(maps.texture[chosen].mean()),
        # Half a level of slack: the map is a float32 share of 255.
        changed=float((pixel * 255 >= changed - 1e-3).mean()),
    )


def pooled(parts: Sequence[Summary]) -> Summary:
    """One summary of many, each weighed by its pixels."""
    counted = [part for part in parts if part.n_pixels]
    total = sum(part.n_pixels for part in counted)

    def mean(name: str) -> float | None:
        return sum(part.n_pixels * getattr(part, name) for part in counted) / total if total else None

    names = ("difference", "ssim", "texture", "changed")
    return Summary(n_pixels=total, **{name: mean(name) for name in names})


def hull_mask(landmarks: Floats, shape: tuple[int, ...]) -> Mask:
    """Pixels within the convex hull of a face's landmarks, (478, 2), in a picture of this shape."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(landmarks).astype(np.int32)), 1)
    return mask.astype(np.bool_)
