"""A real film or picture and its manipulated version, moment by moment, face on face if asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from hashformer.config import FaceConfig
from hashformer.errors import MediaError
from hashformer.faces.crop import crop_face, fit_place
from hashformer.faces.detect import FaceDetector
from hashformer.faces.landmarks import FaceLandmarker
from hashformer.media.picture import RGB
from hashformer.media.video import frames
from hashformer.types import Floats

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class Pair:
    """Two pictures of one moment, of one size.

    Attributes:
        time_s: Of the moment; 0 for pictures.
        real: (H, W, 3) uint8.
        fake: The same.
        landmarks: Of the largest face of `real`, in its pixels, (478, 2); None if it shows none.
    """

    time_s: float
    real: RGB
    fake: RGB
    landmarks: Floats | None


class FacePoints:
    """Landmarks of the largest face of single pictures. A context manager."""

    def __init__(self, config: FaceConfig) -> None:
        self.config = config
        self._detector, self._landmarker = FaceDetector(config), FaceLandmarker()

    def __call__(self, rgb: RGB) -> Floats | None:
        """In pixels of the picture, (478, 2); None if there is no face."""
        boxes = self._detector(rgb)
        return self._landmarker(rgb, boxes[0]) if len(boxes) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._detector.close()
        self._landmarker.close()


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture, by its suffix."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def pairs(real: Path, fake: Path, points: FacePoints, *, fps: int, by_face: bool, notes: list[str]) -> Iterator[Pair]:
    """Put the two side by side on one grid of moments.

    Args:
        real: A film or a picture.
        fake: Its manipulated version, of the same kind.
        points: The face models.
        fps: Moments a second of films.
        by_face: Cut the largest face of both upright and to one size, each by its own landmarks; moments at which
            one shows no face are left out. Otherwise whole pictures, the fake scaled to the size of the real one.
        notes: Takes a line for each thing that was left out or changed.

    Yields:
        Pairs in order of time. Memory does not grow with the length.

    Raises:
        MediaError: If one is a film and the other a picture, or one cannot be read.
    """
    if is_picture(real) != is_picture(fake):
        raise MediaError(f"{real.name} and {fake.name}: one is a picture, the other a film. Name two of a kind.")
    n_missing = n_faceless = 0
    for index, (a, b) in enumerate(zip_longest(_pictures(real, fps), _pictures(fake, fps))):
        if a is None or b is None:
            n_missing += 1
            continue
        pair = _cut(index / fps, a, b, points) if by_face else _whole(index / fps, a, b, points, notes)
        if pair is None:
            n_faceless += 1
        else:
            yield pair
    if n_missing:
        notes.append(f"{n_missing} moments were left out: only one of the two shows a picture")
    if n_faceless:
        notes.append(f"{n_faceless} moments were left out: no face in one of the two")


def _pictures(path: Path, fps: int) -> Iterator[RGB | None]:
    if is_picture(path):
        yield _read_picture(path)
        return
    for frame in frames(path, fps=fps):
        yield frame.rgb


def _read_picture(path: Path) -> RGB:
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}). Check the name.") from error
    bgr = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if bgr is None:
        raise MediaError(f"{path}: is no picture that can be decoded.")
    return np.ascontiguousarray(np.asarray(bgr, np.uint8)[:, :, ::-1])


def _whole(time_s: float, real: RGB, fake: RGB, points: FacePoints, notes: list[str]) -> Pair:
    if real.shape != fake.shape:
        note = f"the fake was scaled from {fake.shape[1]} x {fake.shape[0]} to {real.shape[1]} x {real.shape[0]}"
        if note not in notes:
            notes.append(note)
        fake = np.asarray(cv2.resize(fake, real.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
    return Pair(time_s, real, fake, points(real))


def _cut(time_s: float, real: RGB, fake: RGB, points: FacePoints) -> Pair | None:
    found = points(real), points(fake)
    if found[0] is None or found[1] is None:
        return None
    size_px, margin = points.config.size_px, points.config.margin
    one, landmarks = crop_face(real, found[0], fit_place(found[0]), size_px=size_px, margin=margin)
    other, _ = crop_face(fake, found[1], fit_place(found[1]), size_px=size_px, margin=margin)
    upright, compared = (np.ascontiguousarray(crop.transpose(1, 2, 0)) for crop in (one, other))
    return Pair(time_s, upright, compared, landmarks)
