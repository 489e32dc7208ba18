"""Which face is which over time: boxes that overlap from frame to frame are one track."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hashformer.config import FaceConfig
from hashformer.types import Floats


def overlap(a: Floats, b: Floats) -> Floats:
    """Intersection over union of every box of `a`, (n, 4), with every box of `b`, (m, 4): (n, m)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(bottom_right - top_left, 0, None), axis=-1)
    area_a, area_b = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1) for boxes in (a, b))
    return np.asarray(shared / (area_a[:, None] + area_b[None, :] - shared), np.float32)


@dataclass
class _Track:
    track_id: int
    scene: int
    box: Floats
    last_frame: int


@dataclass
class _Scene:
    thumbnail: Floats
    last_frame: int


class Tracker:
    """Gives each face of each frame the number of its track.

    A track goes on over frames without the face, up to `max_gap_s`; the frames between are gaps. A
    scene cut ends the tracks of the scene, so that two people shown one after the other at the same
    place stay two. A flash of light is a cut there and back: the scene is known again and its tracks
    go on.
    """

    def __init__(self, config: FaceConfig, *, fps: int) -> None:
        self._config = config
        self._max_gap_frames = round(config.max_gap_s * fps)
        self._tracks: list[_Track] = []
        self._scenes: dict[int, _Scene] = {}
        self._scene = 0
        self._next_id = 0
        self._n_scenes = 0

    def update(self, frame_idx: int, rgb: NDArray[np.uint8], boxes: Floats) -> list[int]:
        """Assign the faces of one frame; frames come in order: `enter`, then `assign`.

        Args:
            frame_idx: Index of the frame on the grid.
            rgb: The picture, (H, W, 3) uint8; only a tiny copy of it is kept.
            boxes: Left, top, right, bottom, (n, 4).

        Returns:
            The track's number for each box.
        """
        self.enter(frame_idx, rgb)
        return self.assign(frame_idx, boxes)

    def enter(self, frame_idx: int, rgb: NDArray[np.uint8]) -> bool:
        """Go on to a frame, and say whether it shows the scene of the frame before."""
        before = self._scene
        self._forget(frame_idx)
        self._find_scene(frame_idx, rgb)
        return self._scene == before

    def assign(self, frame_idx: int, boxes: Floats) -> list[int]:
        """Give each face of the frame that was entered last the number of its track."""
        tracks = [track for track in self._tracks if track.scene == self._scene]
        ids = [-1] * len(boxes)
        if tracks and len(boxes):
            overlaps = overlap(np.stack([track.box for track in tracks]), boxes)
            fits = overlaps >= self._config.min_overlap
            # As many faces as possible go on; among those ways, the one that overlaps most.
            for row, column in zip(*linear_sum_assignment(fits * (1 + overlaps), maximize=True), strict=True):
                if fits[row, column]:
                    tracks[row].box, tracks[row].last_frame = boxes[column], frame_idx
                    ids[column] = tracks[row].track_id
        for column, track_id in enumerate(ids):
            if track_id < 0:
                ids[column] = self._next_id
                self._tracks.append(_Track(self._next_id, self._scene, boxes[column], frame_idx))
                self._next_id += 1
        return ids

    def _forget(self, frame_idx: int) -> None:
        oldest = frame_idx - self._max_gap_frames - 1
        self._tracks = [track for track in self._tracks if track.last_frame >= oldest]
        self._scenes = {key: scene for key, scene in self._scenes.items() if scene.last_frame >= oldest}

    def _find_scene(self, frame_idx: int, rgb: NDArray[np.uint8]) -> None:
        """Set the current scene: the last one, a recent one that looks like this frame, or a new one."""
        thumbnail = np.asarray(cv2.resize(rgb, (32, 18), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
        recent = sorted(self._scenes, key=lambda key: (key != self._scene, -self._scenes[key].last_frame))
        for key in recent:
            if float(np.abs(self._scenes[key].thumbnail - thumbnail).mean()) <= self._config.cut_threshold:
                self._scene = key
                break
        else:
            self._n_scenes += 1
            self._scene = self._n_scenes
        self._scenes[self._scene] = _Scene(thumbnail, frame_idx)
