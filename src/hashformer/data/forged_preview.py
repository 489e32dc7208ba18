"""Pictures of what a forgery did: frames before and after, the mask, and the spectrogram with the forged seconds."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hashformer.data.forge.base import Forged
from hashformer.timebase import Window
from hashformer.types import Clip, Floats, Frames

Picture = NDArray[np.uint8]
"""(H, W, 3) RGB."""

_CAPTION_PX = 92
_GROUND, _INK = (255, 255, 255), (40, 40, 40)
_MARK = {"video": (214, 96, 77), "audio": (33, 102, 172), "sync": (230, 160, 30)}
_MARK_PX = 4
_MASK_TINT = np.array([1.0, 0.65, 0.25])[:, None, None]
"""So that a mask that is full does not look like empty paper."""
_RANGE_DB = 70.0
_WINDOW_SAMPLES, _TEXT_SCALE = 512, 0.42


def sheet(real: Clip, forged: Forged, *, sample_rate_hz: int, columns: int = 6, side_px: int = 112) -> Picture:
    """Show a forgery: rows before, after and mask; or the sound before and after.

    Rows of what the forgery left alone are left out. Coloured lines mark the forged seconds.

    Args:
        real: The clip, of the same seconds as the forgery.
        forged: What was made of it.
        sample_rate_hz: Rate of the sound.
        columns: Frames of a row, evenly spread.
        side_px: Of a frame.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    width = columns * side_px
    rows = [_caption_bar(forged, width)]
    if real.frames is not None and forged.clip.frames is not None and _shows_change(real, forged):
        at = np.unique(np.linspace(0, len(real.frames) - 1, columns).round().astype(int))
        rows.append(_row("before", _strip(real.frames[at], side_px), width))
        rows.append(_row("after", _strip(forged.clip.frames[at], side_px), width))
        if forged.mask is not None:
            mask = (forged.mask[at][:, None] * _MASK_TINT).astype(np.uint8)
            rows.append(_row("mask", _strip(mask, side_px), width))
    if real.waveform is not None and forged.clip.waveform is not None and _sounds_change(real, forged):
        size = (side_px * 3 // 4, width)
        rows.append(_row("before", spectrogram(inside(real), size, sample_rate_hz=sample_rate_hz), width))
        rows.append(_row("after", spectrogram(inside(forged.clip), size, sample_rate_hz=sample_rate_hz), width))
    rows += _marks(forged, width)
    return np.concatenate(rows)


def write_jpeg(picture: Picture, *, quality: int = 82) -> bytes:
    """An RGB picture as the bytes of a JPEG."""
    _, coded = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return coded.tobytes()


def spectrogram(sound: Floats, size: tuple[int, int], *, sample_rate_hz: int) -> Picture:
    """A spectrogram up to half the rate, low tones below, 70 dB from dark to bright.

    Args:
        sound: (S,) float32.
        size: Height and width of the picture.
        sample_rate_hz: Of the sound.
    """
    hop = max(1, len(sound) // size[1])
    padded = np.pad(sound, _WINDOW_SAMPLES // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_SAMPLES)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW_SAMPLES), axis=1)) ** 2
    level = 10 * np.log10(power.T[::-1] + 1e-9)  # (bins, T), high tones above
    top = 10 * np.log10((_WINDOW_SAMPLES / 8) ** 2)
    grey = np.clip(255 * (level - top + _RANGE_DB) / _RANGE_DB, 0, 255).astype(np.uint8)
    scaled = cv2.resize(grey, size[::-1], interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.asarray(cv2.applyColorMap(scaled, cv2.COLORMAP_INFERNO), np.uint8)[..., ::-1])


def inside(clip: Clip) -> Floats:
    """The sound of a clip without its context.

    Raises:
        ValueError: If it has none.
    """
    if clip.waveform is None:
        raise ValueError("the clip has no sound")
    return clip.waveform[clip.context_samples : len(clip.waveform) - clip.context_samples]


def _shows_change(real: Clip, forged: Forged) -> bool:
    return bool(forged.spans.get("video")) or not np.array_equal(real.frames, forged.clip.frames)  # type: ignore[arg-type]


def _sounds_change(real: Clip, forged: Forged) -> bool:
    return bool(forged.spans.get("audio")) or not np.array_equal(inside(real), inside(forged.clip))


def _strip(frames: Frames, side_px: int) -> Picture:
    small = [cv2.resize(frame.transpose(1, 2, 0), (side_px, side_px), interpolation=cv2.INTER_AREA) for frame in frames]
    return np.concatenate([np.asarray(picture, np.uint8) for picture in small], axis=1)


def _row(caption: str, content: Picture, width: int) -> Picture:
    room = width - content.shape[1]
    padded = np.pad(content, ((0, 2), (0, room), (0, 0)), constant_values=255)
    label = np.full((len(padded), _CAPTION_PX, 3), _GROUND, np.uint8)
    return np.concatenate([_written(label, caption, (6, len(content) // 2 + 4)), padded], axis=1)


def _caption_bar(forged: Forged, width: int) -> Picture:
    bar = np.full((26, width + _CAPTION_PX, 3), _GROUND, np.uint8)
    return _written(bar, f"{forged.kind}, {forged.clip.window.n_frames / forged.clip.window.fps:.2f} s", (6, 18))


def _marks(forged: Forged, width: int) -> list[Picture]:
    """A line for each truth that has forged seconds."""
    rows = []
    window: Window = forged.clip.window
    for truth, spans in forged.spans.items():
        if not spans:
            continue
        line = np.full((18, width, 3), _GROUND, np.uint8)
        for start_s, end_s in spans:
            ends = [(t - window.start_s) / (window.end_s - window.start_s) * width for t in (start_s, end_s)]
            first, last = (round(min(max(end, 0), width)) for end in ends)
            line[7 : 7 + _MARK_PX, first:last] = _MARK[truth]
        rows.append(_row(f"{truth} forged", line, width))
    return rows


def _written(picture: Picture, text: str, place: Sequence[int]) -> Picture:
    written = cv2.putText(
        picture, text, (place[0], place[1]), cv2.FONT_HERSHEY_SIMPLEX, _TEXT_SCALE, _INK, 1, cv2.LINE_AA
    )
    return np.asarray(written, np.uint8)
