"""Films to measure with, made from the sample clip: any size, length and number of faces, 25 pictures a second."""

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.assets import SAMPLE_CLIP, asset_path
from hashformer.media.video import frames
from hashformer.media.writer import write_video

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from make_faces import speech_like  # type: ignore[import-not-found]
from make_media import make_long  # type: ignore[import-not-found]

FPS = 25
_ONCE_S = 20.0
"""What is encoded; a longer film plays it over and over, and a film of any length is a multiple of it."""
_COLUMNS = 3
_FACE_ROOM = 0.9
"""Share of its cell that a face's picture fills."""


def talking(folder: Path, *, height: int = 720, duration_s: float = 20.0, n_faces: int = 1) -> Path:
    """Make a film, or take the one that lies in `folder` from before.

    Args:
        folder: Where to.
        height: Of the picture; it is 16:9.
        duration_s: Up to 20 s, or a multiple of it.
        n_faces: 1 to 6; each moves on a circle of its own. With one, the face is as wide as a talking head's.

    Returns:
        H.264 with AAC: a moving, textured background, as a real one keeps the decoder busy.
    """
    path = folder / f"{height}p_{n_faces}faces_{duration_s:g}s.mp4"
    if path.is_file():
        return path
    if duration_s > _ONCE_S:
        make_long(path, duration_s, source=talking(folder, height=height, duration_s=_ONCE_S, n_faces=n_faces))
        return path
    n_frames = round(duration_s * FPS)
    size = height, round(height * 16 / 9 / 2) * 2
    write_video(path, _pictures(size, n_frames, n_faces), fps=FPS, waveform=speech_like(duration_s), crf=23)
    return path


def _pictures(size: tuple[int, int], n_frames: int, n_faces: int) -> Iterator[NDArray[np.uint8]]:
    man = [frame.rgb for frame in frames(asset_path(SAMPLE_CLIP), fps=FPS) if frame.rgb is not None]
    there_and_back = man + man[-2:0:-1]
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (size[0] // 12, size[1] // 8, 3), dtype=np.uint8)
    wall = np.asarray(cv2.resize(coarse, (size[1] * 3 // 2, size[0]), interpolation=cv2.INTER_CUBIC), np.uint8)
    for i in range(n_frames):
        shift = (i * 2) % (wall.shape[1] - size[1])
        picture = np.ascontiguousarray(wall[:, shift : shift + size[1]])
        for face in range(n_faces):
            _paste(picture, there_and_back[(i + 17 * face) % len(there_and_back)], face, n_faces, turn=i / FPS)
        yield picture


def _paste(picture: NDArray[np.uint8], man: NDArray[np.uint8], face: int, n_faces: int, *, turn: float) -> None:
    """Lay the man's picture into its cell, in place."""
    columns, rows = (1, 1) if n_faces == 1 else (_COLUMNS, 2)
    cell_h, cell_w = picture.shape[0] // rows, picture.shape[1] // columns
    scale = _FACE_ROOM * min(cell_h / man.shape[0], cell_w / man.shape[1])
    copy = cv2.resize(man, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    height, width = copy.shape[:2]
    middle = cell_w * (face % columns) + cell_w / 2, cell_h * (face // columns) + cell_h / 2
    reach = (1 - _FACE_ROOM) / 2 * min(cell_h, cell_w)
    left = round(middle[0] - width / 2 + reach * np.cos(turn))
    top = round(middle[1] - height / 2 + reach * np.sin(turn))
    left, top = max(0, left), max(0, top)
    there = picture[top : top + height, left : left + width]
    there[:] = copy[: there.shape[0], : there.shape[1]]
