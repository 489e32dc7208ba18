"""Faces and spectrograms as JPEG, plain and with a heat map over them."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.types import Clip, Floats, Mask

Picture = NDArray[np.uint8]
"""RGB, (H, W, 3)."""

_FACE_PX = 280
_SOUND_PX = (440, 280)
_MOST_HEAT = 0.65
"""How far the hottest place is painted over."""
_QUALITY = 86


class Shown(NamedTuple):
    """A face at one moment of a clip."""

    time_s: float
    rgb: Picture


def middle_frame(clip: Clip) -> Shown | None:
    """The middle one of the frames that show the face, enlarged; None without a face."""
    if clip.frames is None or clip.landmarks is None:
        return None
    there = np.flatnonzero(~np.isnan(clip.landmarks[:, 0, 0]))
    middle = int(there[len(there) // 2])
    rgb = np.ascontiguousarray(np.moveaxis(clip.frames[middle], 0, -1))
    return Shown((clip.window.first_frame + middle) / clip.window.fps, _resized(rgb, (_FACE_PX, _FACE_PX)))


def spectrogram(log_mel: Floats) -> Picture:
    """Sound features as a grey picture: time to the right, high pitch above, loud is bright.

    Args:
        log_mel: (T, bins).
    """
    low, high = np.percentile(log_mel, (2, 99.5))
    grey = np.clip((log_mel.T[::-1] - low) / max(float(high - low), 1e-6), 0, 1) * 255
    return _resized(np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2), _SOUND_PX)


def plain(rgb: Picture) -> bytes:
    """A picture as JPEG."""
    return _jpeg(rgb)


def overlaid(rgb: Picture, heat: Floats, marked: Mask) -> bytes:
    """A picture under a heat map, as JPEG; the marked places are outlined.

    Args:
        rgb: (H, W, 3).
        heat: (rows, columns), 0–1; spread over the whole picture.
        marked: (rows, columns).
    """
    height, width = rgb.shape[:2]
    grey = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    smooth = np.clip(cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    hues = cv2.applyColorMap((smooth * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    share = _MOST_HEAT * smooth[..., None]
    mixed = (grey * (1 - share) + hues * share).astype(np.uint8)
    inside = cv2.resize(marked.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    outline, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    drawn = np.ascontiguousarray(mixed)
    cv2.drawContours(drawn, outline, -1, (0, 0, 0), 3)
    cv2.drawContours(drawn, outline, -1, (255, 255, 255), 1)
    return _jpeg(drawn)


def _resized(rgb: Picture, size: tuple[int, int]) -> Picture:
    enlarges = size[0] > rgb.shape[1]
    resized: Any = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC if enlarges else cv2.INTER_AREA)
    return resized  # type: ignore[no-any-return]


def _jpeg(rgb: Picture) -> bytes:
    _, data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(data)
