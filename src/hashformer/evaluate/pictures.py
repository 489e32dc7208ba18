"""A small picture of a file, for the list of the worst mistakes."""

import base64
from pathlib import Path

import cv2
import numpy as np

from hashformer.errors import MediaError, StoreError
from hashformer.media import probe
from hashformer.media.video import frames
from hashformer.preprocess.store import read_samples
from hashformer.types import Frames

HEIGHT_PX = 120
_JPEG_QUALITY = 80


def picture_uri(path: str, *, base_dir: Path | None, prepared: Path | None) -> str | None:
    """What a file shows first, as `data:image/jpeg` URI.

    Args:
        path: As the manifest has it.
        base_dir: Where media files lie: the first picture.
        prepared: Where prepared files lie, taken if given: the first face.

    Returns:
        None if the file shows nothing, or cannot be read: it is in the table with that reason.
    """
    try:
        rgb = _face(prepared / path) if prepared is not None else _picture((base_dir or Path()) / path)
    except (MediaError, StoreError, OSError):
        return None
    if rgb is None:
        return None
    height, width = rgb.shape[:2]
    size = (max(1, round(width * HEIGHT_PX / height)), HEIGHT_PX)
    small = cv2.resize(np.ascontiguousarray(rgb[:, :, ::-1]), size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"


def _picture(path: Path) -> Frames | None:
    if probe(path).video is None:
        return None
    return next((frame.rgb for frame in frames(path, fps=1) if frame.rgb is not None), None)  # (H, W, 3)


def _face(folder: Path) -> Frames | None:
    for sample in read_samples(folder):
        for track in sample.tracks:
            first = int(np.argmax(track.present))
            return np.asarray(np.moveaxis(track.crops[first], 0, -1))  # (H, W, 3)
    return None
