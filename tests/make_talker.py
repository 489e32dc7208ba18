"""Clips of a drawn face that speaks: every landmark known, no model needed."""

from dataclasses import replace

import cv2
import numpy as np

from hashformer.data.forge.regions import (
    BROWS,
    CHEEKS,
    CHIN,
    EYE_LEFT,
    EYE_RIGHT,
    FOREHEAD,
    LIPS_INNER,
    LIPS_OUTER,
    NOSE,
    OVAL,
)
from hashformer.timebase import Window
from hashformer.types import Clip
from make_faces import speech_like

_LIPS_RING = np.linspace(np.pi, -np.pi, 20, endpoint=False)


def face_points(*, opening: float = 0.2) -> np.ndarray:
    """478 points of an upright face in face heights, middle at (0, 0); `opening` moves lower lip and chin."""
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.25, 0.25, (478, 2))
    turn = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    points[OVAL] = np.stack([0.38 * np.sin(turn), -0.5 * np.cos(turn)], -1)
    points[CHEEKS] = np.stack([0.22 * (-1.0) ** np.arange(len(CHEEKS)), np.linspace(-0.05, 0.25, len(CHEEKS))], -1)
    points[NOSE] = np.stack([np.linspace(-0.05, 0.05, len(NOSE)), np.linspace(-0.2, 0.1, len(NOSE))], -1)
    points[CHIN] = (0.0, 0.4)
    points[FOREHEAD], points[BROWS, 1] = (0.0, -0.35), -0.25
    points[[164, 57, 287]] = (0.0, 0.2), (-0.16, 0.27), (0.16, 0.27)
    for ring, x in ((EYE_RIGHT, -0.17), (EYE_LEFT, 0.17)):
        around = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
        points[ring] = np.stack([x - 0.07 * np.cos(around), -0.15 + 0.03 * np.sin(around)], -1)
    for ring, width in ((LIPS_OUTER, 0.17), (LIPS_INNER, 0.12)):
        half = np.where(np.sin(_LIPS_RING) < 0, 0.03, 0.02 + opening * 0.3) * width / 0.17
        points[ring] = np.stack([width * np.cos(_LIPS_RING), 0.25 + half * np.sin(_LIPS_RING)], -1)
    return points


def talking_clip(
    n_frames: int = 32, *, size_px: int = 128, first_frame: int = 0, seed: int = 0, gaps=(), sound: bool = True
) -> Clip:
    """A face that nods and speaks, on a detailed ground, at 16 fps."""
    rng = np.random.default_rng(seed)
    frames = np.zeros((n_frames, 3, size_px, size_px), np.uint8)
    landmarks = np.full((n_frames, 478, 2), np.nan, np.float32)
    ground = cv2.GaussianBlur(np.random.default_rng(5).uniform(0, 255, (size_px, size_px, 3)), (0, 0), 0.8)
    openings = cv2.blur(rng.uniform(0, 1, (n_frames, 1)), (1, 3))[:, 0]
    for index in range(n_frames):
        if index in gaps:
            continue
        shift = 0.02 * np.array([np.sin((first_frame + index) / 5), np.cos((first_frame + index) / 7)])
        points = (face_points(opening=openings[index]) * 0.7 + 0.5 + shift) * size_px
        landmarks[index] = points
        matrix = np.array([[1, 0, shift[0] * size_px], [0, 1, shift[1] * size_px]])
        picture = cv2.warpAffine(ground, matrix, (size_px, size_px), borderMode=cv2.BORDER_REFLECT_101)
        cv2.fillPoly(picture, [np.rint(points[LIPS_OUTER]).astype(np.int32)], (170, 60, 60))
        cv2.fillPoly(picture, [np.rint(points[LIPS_INNER]).astype(np.int32)], (30, 10, 10))
        frames[index] = np.clip(picture, 0, 255).astype(np.uint8).transpose(2, 0, 1)
    window = Window(first_frame, n_frames, 16)
    corners = np.concatenate([landmarks.min(1), landmarks.max(1)], 1)
    return Clip(
        window=window,
        track_id=0,
        frames=frames,
        landmarks=landmarks,
        boxes=corners * 2,
        waveform=speech_like(n_frames / 16 + 240 / 16_000)[: n_frames * 1000 + 240] if sound else None,
        context_samples=120,
    )


def same(a: Clip, b: Clip) -> bool:
    """Whether two clips are equal to the last bit."""
    arrays = ("frames", "landmarks", "boxes", "waveform")
    equal = all(np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in arrays)
    return equal and (a.window, a.track_id, a.context_samples) == (b.window, b.track_id, b.context_samples)


def copy(clip: Clip) -> Clip:
    """A clip that shares no array."""
    arrays = {name: getattr(clip, name) for name in ("frames", "landmarks", "boxes", "waveform")}
    return replace(clip, **{name: None if array is None else array.copy() for name, array in arrays.items()})
