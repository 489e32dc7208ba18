"""From grid frames to faces: detect, track, landmarks, and a crop whose place does not jitter."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hashformer.clock import Stopwatch
from hashformer.config import FaceConfig
from hashformer.faces.crop import average, crop_face
from hashformer.faces.look import Face, Found, Look
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
        self._models = Look(config)

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
        every = round(self.config.detect_every_s * fps)
        around: deque[_Seen] = deque(maxlen=2 * self.config.smooth_frames + 1)
        ahead = n_crowded = 0
        for frame in frames:
            before = around[-1] if around else None
            around.append(self._look(frame, before, every=every, tracker=tracker, stopwatch=stopwatch))
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

    def _look(
        self, frame: GridFrame, before: "_Seen | None", *, every: int, tracker: Tracker, stopwatch: Stopwatch
    ) -> "_Seen":
        if frame.rgb is None:
            return _Seen(frame.index, None, Found.nothing(), {})
        is_same_scene = tracker.enter(frame.index, frame.rgb)
        found = None
        if before is not None and before.rgb is frame.rgb:
            # The same picture is held where the file's own rate is lower than the grid's.
            found = before.found
        elif before is not None and is_same_scene and frame.index - before.found.detected_at < every:
            found = self._models.again(frame.rgb, before.found, stopwatch)
        found = found or self._models.anew(frame.index, frame.rgb, stopwatch)
        pairs = zip(tracker.assign(frame.index, found.boxes), found.faces, strict=True)
        faces = {track_id: face for track_id, face in pairs if face is not None}
        return _Seen(frame.index, frame.rgb, found, faces)

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
        self._models.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class _Seen:
    index: int
    rgb: NDArray[np.uint8] | None
    found: Found
    faces: dict[int, Face]
