"""Small changes of colour, sharpness and place: one draw for a clip, with a slow drift over its frames."""

from dataclasses import dataclass
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.warp import resample
from hashformer.types import Floats

Sharpness = Literal["none", "sharpen", "blur", "shrink"]
_MAX_DRIFT_HZ = 0.5


@dataclass(frozen=True)
class Disturbance:
    """What is done to each frame of a clip.

    Attributes:
        gains: Factor of red, green, blue, (3,).
        offset: Added to all, grey levels.
        gamma: Exponent of the tone curve.
        saturation: Factor of the distance from grey.
        sharpness: What is done to fine detail.
        amount: How much: gain of the sharpening, sigma of the blur in pixels, or share that the picture
            is shrunk to.
        shifts: Where each pixel comes from, relative to itself, (H, W, 2) pixels; None leaves all in place.
        drift: Amplitude of the drift in brightness (share) and place (pixels).
        rate_hz: Of the drift.
        phase: Of the drift, radians.
    """

    gains: Floats
    offset: float
    gamma: float
    saturation: float
    sharpness: Sharpness
    amount: float
    shifts: Floats | None
    drift: tuple[float, float]
    rate_hz: float
    phase: float

    @classmethod
    def draw(cls, rng: np.random.Generator, *, size_px: int) -> Self:
        """Draw one; at least one of colour, sharpness and place is changed so that it can be seen."""
        colour, detail, place = rng.random(3) < (0.7, 0.6, 0.6)
        if not (colour or detail or place):
            colour = True
        strength = rng.uniform(0.35, 1) if colour else 0.0
        sharpness, amount = _draw_sharpness(rng) if detail else ("none", 0.0)
        drifts = rng.random() < 0.4
        return cls(
            gains=(1 + strength * rng.uniform(-0.1, 0.1, 3)).astype(np.float32),
            offset=float(strength * rng.uniform(-16, 16)),
            gamma=float(np.exp(strength * rng.uniform(-0.25, 0.25))),
            saturation=float(1 + strength * rng.uniform(-0.35, 0.35)),
            sharpness=sharpness,
            amount=amount,
            shifts=_draw_shifts(rng, size_px) if place else None,
            drift=(float(drifts * rng.uniform(0, 0.04)), float(drifts * rng.uniform(0, 0.006) * size_px)),
            rate_hz=float(rng.uniform(0.1, _MAX_DRIFT_HZ)),
            phase=float(rng.uniform(0, 2 * np.pi)),
        )

    def __call__(self, frame: NDArray[np.uint8], time_s: float) -> NDArray[np.uint8]:
        """Disturb one frame.

        Args:
            frame: (H, W, 3); stays as it is.
            time_s: When it is shown, for the drift.
        """
        wave = float(np.sin(2 * np.pi * self.rate_hz * time_s + self.phase))
        moved = frame
        if self.shifts is not None:
            moved = np.asarray(resample(frame, self._places(self.shifts, wave)), np.uint8)
        return self._coloured(self._detailed(moved), 1 + self.drift[0] * wave)

    def moved(self, landmarks: Floats, time_s: float) -> Floats:
        """How far `__call__` moves what lies at each landmark, (K, 2) pixels."""
        if self.shifts is None:
            return np.zeros_like(landmarks)
        wave = float(np.sin(2 * np.pi * self.rate_hz * time_s + self.phase))
        size_px = len(self.shifts)
        columns, rows = np.clip(landmarks, 0, size_px - 1).astype(np.intp).T
        return np.asarray(-(self.shifts[rows, columns] + self.drift[1] * wave), np.float32)

    def _places(self, shifts: Floats, wave: float) -> Floats:
        places: Floats = shifts + np.float32(self.drift[1] * wave)
        places[..., 0] += np.arange(places.shape[1], dtype=np.float32)
        places[..., 1] += np.arange(places.shape[0], dtype=np.float32)[:, None]
        return places

    def _detailed(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.sharpness == "none":
            return frame
        if self.sharpness == "shrink":
            side = frame.shape[0]
            small = cv2.resize(frame, None, fx=self.amount, fy=self.amount, interpolation=cv2.INTER_AREA)
            return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
        if self.sharpness == "blur":
            return np.asarray(cv2.GaussianBlur(frame, (0, 0), self.amount), np.uint8)
        soft = cv2.GaussianBlur(frame, (0, 0), 1.2)
        return np.asarray(cv2.addWeighted(frame, 1 + self.amount, soft, -self.amount, 0), np.uint8)

    def _coloured(self, frame: NDArray[np.uint8], brightness: float) -> NDArray[np.uint8]:
        if abs(self.saturation - 1) > 1e-6:
            grey = np.array([0.299, 0.587, 0.114])
            matrix = self.saturation * np.eye(3) + (1 - self.saturation) * grey[None]
            frame = np.asarray(cv2.transform(frame, matrix), np.uint8)
        levels = np.arange(256)[:, None] / 255
        curve = 255 * brightness * self.gains * levels**self.gamma + self.offset
        table = np.clip(np.rint(curve), 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(frame, table.reshape(1, 256, 3)), np.uint8)


def _draw_sharpness(rng: np.random.Generator) -> tuple[Sharpness, float]:
    kinds: tuple[Sharpness, ...] = ("sharpen", "blur", "shrink")
    kind = kinds[int(rng.integers(3))]
    low, high = {"sharpen": (0.4, 1.5), "blur": (0.6, 1.8), "shrink": (0.35, 0.75)}[kind]
    return kind, float(rng.uniform(low, high))


def _draw_shifts(rng: np.random.Generator, size_px: int) -> Floats:
    """A small turn, zoom and shift about the middle, and a smooth warp on top."""
    angle, zoom = np.deg2rad(rng.uniform(-2, 2)), rng.uniform(-0.03, 0.03)
    shift = rng.uniform(-0.02, 0.02, 2) * size_px
    steps = np.arange(size_px, dtype=np.float32) - size_px / 2
    across, down = np.meshgrid(steps, steps)
    knots = rng.normal(0, 0.006 * size_px, (5, 5, 2)).astype(np.float32)
    smooth = np.asarray(cv2.resize(knots, (size_px, size_px), interpolation=cv2.INTER_CUBIC), np.float32)
    smooth[..., 0] += zoom * across - angle * down + shift[0]
    smooth[..., 1] += zoom * down + angle * across + shift[1]
    return smooth
