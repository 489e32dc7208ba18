"""From grid frames to faces: detect, track, landmarks, and a crop whose place does not jitter."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hashformer.clock import Stopwatch
from hashformer.config import FaceConfig
from hashformer.faces.crop import Place, average, crop_face, fit_place
from hashformer.faces.detect import FaceDetector
from hashformer.faces.landmarks import FaceLandmarker
from hashformer.faces.track import Tracker
from hashformer.media.video import GridFrame
from hashformer.types import Floats, Frames


@dataclass(frozen=True)
class FaceCrop:
    """One face in one frame.

    Attributes:
        track_id: The same for one face throughout a file.
        pixels: The aligned crop, (3, size, size) uint8.
        landmarks: In pixels of the crop, (478, 2) float32.
        box: Left, top, right, bottom of the landmarks in the source picture, (4,) float32.
    """

    track_id: int
    pixels: Frames
    landmarks: Floats
    box: Floats


@dataclass(frozen=True)
class FrameFaces:
    """The faces of one grid frame; `has_picture` is false where the file shows nothing."""

    index: int
    has_picture: bool
    faces: tuple[FaceCrop, ...]


class FaceFinder:
    """Both face models, loaded once and used for many files. A context manager."""

    def __init__(self, config: FaceConfig) -> None:
        self.config = config
        self._detector = FaceDetector(config)
        self._landmarker = FaceLandmarker()

    def follow(
        self, frames: Iterable[GridFrame], *, fps: int, stopwatch: Stopwatch, problems: list[str] | None = None
    ) -> Iterator[FrameFaces]:
        """Find and follow the faces of one file.

        The place of a crop is the mean over the frames around it, so `smooth_frames` pictures are
        kept ahead; nothing else grows.

        Args:
            frames: Every frame of the grid, in order.
            fps: Rate of the grid.
            stopwatch: Takes the times of the stages `detect`, `landmarks` and `crop`.
            problems: Takes a line, at the end, if there were more faces than are followed.

        Yields:
            Every frame, in order, with the faces whose landmarks could be found.
        """
        tracker = Tracker(self.config, fps=fps)
        around: deque[_Seen] = deque(maxlen=2 * self.config.smooth_frames + 1)
        ahead = n_crowded = 0
        for frame in frames:
            around.append(self._look(frame, around[-1] if around else None, tracker, stopwatch))
            n_crowded += around[-1].found.n_left_out > 0
            ahead += 1
            if ahead > self.config.smooth_frames:
                ahead -= 1
                yield self._crop(around, len(around) - 1 - self.config.smooth_frames, stopwatch)
        for position in range(len(around) - ahead, len(around)):
            yield self._crop(around, position, stopwatch)
        if n_crowded and problems is not None:
            most = self.config.max_faces
            problems.append(f"{n_crowded} frames show more than {most} faces; the {most} largest were followed")

    def _look(self, frame: GridFrame, before: "_Seen | None", tracker: Tracker, stopwatch: Stopwatch) -> "_Seen":
        if frame.rgb is None:
            return _Seen(frame.index, None, _Found.nothing(), {})
        # The same picture is held where the file's own rate is lower than the grid's.
        is_held = before is not None and before.rgb is frame.rgb
        found = before.found if before and is_held else self._find(frame.rgb, stopwatch)
        ids = tracker.update(frame.index, frame.rgb, found.boxes)
        pairs = zip(ids, found.landmarks, strict=True)
        faces = {track_id: _Face(points, fit_place(points)) for track_id, points in pairs if points is not None}
        return _Seen(frame.index, frame.rgb, found, faces)

    def _find(self, rgb: NDArray[np.uint8], stopwatch: Stopwatch) -> "_Found":
        with stopwatch.stage("detect"):
            every = self._detector(rgb)
        boxes = every[: self.config.max_faces]
        with stopwatch.stage("landmarks"):
            landmarks = [self._landmarker(rgb, box) for box in boxes]
        return _Found(boxes, landmarks, n_left_out=len(every) - len(boxes))

    def _crop(self, around: "deque[_Seen]", position: int, stopwatch: Stopwatch) -> FrameFaces:
        seen = around[position]
        near = list(around)[max(0, position - self.config.smooth_frames) :]
        crops = []
        if seen.rgb is None:
            return FrameFaces(seen.index, has_picture=False, faces=())
        with stopwatch.stage("crop"):
            for track_id, face in seen.faces.items():
                place = average([other.faces[track_id].place for other in near if track_id in other.faces])
                pixels, landmarks = crop_face(
                    seen.rgb, face.landmarks, place, size_px=self.config.size_px, margin=self.config.margin
                )
                box = np.concatenate([face.landmarks.min(0), face.landmarks.max(0)])
                crops.append(FaceCrop(track_id, pixels, landmarks, box))
        return FrameFaces(seen.index, has_picture=True, faces=tuple(crops))

    def close(self) -> None:
        """Free the models."""
        self._detector.close()
        self._landmarker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class _Found:
    boxes: Floats
    landmarks: list[Floats | None]
    n_left_out: int

    @classmethod
    def nothing(cls) -> "_Found":
        return cls(np.zeros((0, 4), np.float32), [], n_left_out=0)


@dataclass(frozen=True)
class _Face:
    landmarks: Floats
    place: Place


@dataclass(frozen=True)
class _Seen:
    index: int
    rgb: NDArray[np.uint8] | None
    found: _Found
    faces: dict[int, _Face]
