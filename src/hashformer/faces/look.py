"""The faces of one picture: found by the detector, or again where they were a moment ago.

The landmarks are fitted to each picture on its own, by a network that finds the face inside a square for itself. The
square may therefore lie where the face was in the picture before: that saves the detector, and smooths nothing.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hashformer.clock import Stopwatch
from hashformer.config import FaceConfig
from hashformer.faces.crop import Place, fit_place
from hashformer.faces.detect import FaceDetector
from hashformer.faces.landmarks import FaceLandmarker
from hashformer.faces.track import overlap
from hashformer.types import Floats

STEADY = 0.5
"""Least overlap of a face's box with where it was, or of its landmarks with its box; below it the detector is asked."""


@dataclass(frozen=True)
class Face:
    """One face: its landmarks, (478, 2), in pixels of the picture, and where it lies."""

    landmarks: Floats
    place: Place


@dataclass(frozen=True)
class Found:
    """The faces of one picture.

    Attributes:
        boxes: Left, top, right, bottom, (n, 4).
        faces: One for each box; None where no landmarks could be fitted.
        n_left_out: Faces beyond those that are followed.
        detected_at: Index of the frame in which the detector found them.
    """

    boxes: Floats
    faces: list[Face | None]
    n_left_out: int
    detected_at: int

    @classmethod
    def nothing(cls) -> "Found":
        """What a frame without a picture shows."""
        return cls(np.zeros((0, 4), np.float32), [], n_left_out=0, detected_at=-1)


class Look:
    """Both face models, loaded once. Close when done."""

    def __init__(self, config: FaceConfig) -> None:
        self._config = config
        self._detector = FaceDetector(config)
        self._landmarker = FaceLandmarker()

    def anew(self, index: int, rgb: NDArray[np.uint8], stopwatch: Stopwatch) -> Found:
        """Have the detector search the whole picture, (H, W, 3) uint8, of frame `index`."""
        with stopwatch.stage("detect"):
            every = self._detector(rgb)
        boxes = every[: self._config.max_faces]
        with stopwatch.stage("landmarks"):
            faces = [self._fit(rgb, box) for box in boxes]
        return Found(boxes, faces, n_left_out=len(every) - len(boxes), detected_at=index)

    def again(self, rgb: NDArray[np.uint8], before: Found, stopwatch: Stopwatch) -> Found | None:
        """Look where the faces of the picture before were.

        Args:
            rgb: A picture of the same scene, (H, W, 3) uint8.
            before: The faces of the picture before.
            stopwatch: Takes the time of `landmarks`.

        Returns:
            The same faces in this picture, in the same order. None, so that the detector is asked, if there was none,
            if one of them is not there now or has moved by much, or if two became one.
        """
        if not _are_firm(before):
            return None
        boxes, faces = list[Floats](), list[Face | None]()
        for box, face in zip(before.boxes, before.faces, strict=True):
            with stopwatch.stage("landmarks"):
                now = self._fit(rgb, box)
            if face is None or now is None:
                return None
            boxes.append(_moved(box, face.place, now.place))
            faces.append(now)
        found = replace(before, boxes=np.stack(boxes), faces=faces)
        is_near = np.diagonal(overlap(before.boxes, found.boxes)) >= STEADY
        return found if is_near.all() and _are_firm(found) and _are_apart(found.boxes) else None

    def _fit(self, rgb: NDArray[np.uint8], box: Floats) -> Face | None:
        points = self._landmarker(rgb, box)
        return None if points is None else Face(points, fit_place(points))

    def close(self) -> None:
        """Free the models."""
        self._detector.close()
        self._landmarker.close()


def _moved(box: Floats, before: Place, now: Place) -> Floats:
    """The box of the detector, carried along with the face."""
    scale = now.width_px / max(before.width_px, 1e-3)
    corners = box.reshape(2, 2).astype(np.float64)
    return np.asarray(((corners - (before.x, before.y)) * scale + (now.x, now.y)).reshape(4), np.float32)


def _are_firm(found: Found) -> bool:
    """Whether there are faces, and the landmarks of each lie where its box is."""
    spans = [np.concatenate([face.landmarks.min(0), face.landmarks.max(0)]) for face in found.faces if face]
    if not spans or len(spans) < len(found.boxes):
        return False
    return bool((np.diagonal(overlap(found.boxes, np.stack(spans))) >= STEADY).all())


def _are_apart(boxes: Floats) -> bool:
    overlaps = overlap(boxes, boxes)
    return bool((overlaps[~np.eye(len(boxes), dtype=bool)] < STEADY).all())
