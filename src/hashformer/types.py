"""The nouns that cross stages: FaceTrack, Sample, Clip, Batch, ModelOutput."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashformer.timebase import Window

Frames = NDArray[np.uint8]
"""RGB frames at rest: (T, C, H, W), uint8."""
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

MODALITIES = ("audio", "video", "landmarks")
"""The streams that the model reads, in the order in which it keeps them."""
HEADS = ("overall", "video", "audio", "sync")
"""What the model judges: all together, the picture, the sound, and whether the two belong together."""


@dataclass(frozen=True, kw_only=True)
class FaceTrack:
    """One face over a stretch of the frame grid. Frames without the face are gaps, never left out.

    Attributes:
        track_id: The same for one face throughout a file.
        window: The stretch, in frames of the grid.
        crops: Aligned square crops, RGB, (T, 3, size, size) uint8; zeros in gaps.
        landmarks: x and y in pixels of the crop, (T, 478, 2) float32; NaN in gaps.
        boxes: Left, top, right, bottom of the landmarks in the source picture, (T, 4) float32; NaN in gaps.
    """

    track_id: int
    window: Window
    crops: Frames
    landmarks: Floats
    boxes: Floats

    @property
    def present(self) -> Mask:
        """Where the face is, (T,)."""
        return ~np.isnan(self.landmarks[:, 0, 0])


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A prepared stretch of one media file; a short file is one Sample, a long one a row of them.

    Attributes:
        window: The stretch, in frames of the grid.
        sample_rate_hz: Rate of the sound.
        waveform: Mono sound of just these seconds, (S,) float32; None if the file has no sound.
        waveform_present: Where there is sound, (S,); false in gaps and past the end of the stream.
        picture_present: Grid frames for which the file has a picture, (T,).
        tracks: The faces seen in the stretch.
    """

    window: Window
    sample_rate_hz: int
    waveform: Floats | None
    waveform_present: Mask | None
    picture_present: Mask
    tracks: tuple[FaceTrack, ...]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What the model sees at once: one face, or none, and the sound of the same seconds.

    Attributes:
        window: The seconds it covers.
        track_id: Which face; None for sound alone.
        frames: RGB, (T, 3, H, W) uint8; None without a face.
        landmarks: Pixels of the crop, (T, 478, 2) float32, NaN in gaps; None without a face.
        boxes: Of the landmarks in the source picture, (T, 4) float32, NaN in gaps; None without a face.
        waveform: (S + 2 · context,) float32; None without sound. The context on both sides lets every
            feature frame be computed from real sound, so that no padding marks the ends of a clip.
        context_samples: Samples on each side of `waveform` that lie outside the window.
    """

    window: Window
    track_id: int | None
    frames: Frames | None
    landmarks: Floats | None
    boxes: Floats | None
    waveform: Floats | None
    context_samples: int = 0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What the model takes. The one type that `model` and `data` share.

    A stream is None when no item has it. Where some items or some moments lack it, its presence mask
    says so and the tensor's content there is never read.

    Attributes:
        audio: Log-mel or MFCC frames, (B, T, bins) float32.
        video: RGB in 0–1, (B, T, C, H, W) float32.
        landmarks: x and y by turns, 0–1 of the crop, (B, T, 2K) float32.
        present: For each stream that is not None, where it is there, (B, T) bool.
    """

    audio: Tensor | None = None
    video: Tensor | None = None
    landmarks: Tensor | None = None
    present: Mapping[str, Tensor]

    def to(self, device: torch.device) -> Self:
        """The same batch on another device."""
        streams = {name: getattr(self, name) for name in MODALITIES}
        moved = {name: None if stream is None else stream.to(device) for name, stream in streams.items()}
        return replace(self, **moved, present={name: mask.to(device) for name, mask in self.present.items()})


class Seen(NamedTuple):
    """What single frames of a batch show by themselves.

    Attributes:
        logit: The picture is forged, (B,); 0 where no frame is there.
        places: A place of a frame is forged, logits (B, t, rows, columns).
        present: Which of the frames are there, (B, t) bool.
    """

    logit: Tensor
    places: Tensor
    present: Tensor


class ModelOutput(NamedTuple):
    """What the model answers for a batch.

    Attributes:
        logits: For each of `HEADS`, (B,); read one only where `valid` holds.
        valid: For each of `HEADS`, whether the streams it needs are there, (B,) bool; `sync` needs sound and a face,
            in pixels or as landmarks.
        tokens: For each stream given, its encoded tokens, (B, N, D).
        token_present: For each stream given, which of them are real, (B, N) bool.
        pooled: For each stream given, one vector, (B, D).
        codes: For each stream given, the hash code in −1 and 1, (B, Q); none with hashing off.
        method_logits: Which generator made it, (B, methods); None if the model has no such head.
        where: Whether each video token shows something forged, logits (B, N), in the order of
            `tokens["video"]`; None without video or if the model has no such head.
        lags: How well lips and sound fit at each lag, logits (B, lags), the sound early to late; None without both
            or if the model does not compare them.
        seen: What single frames show by themselves; None without video or if the model does not look at them so.
    """

    logits: dict[str, Tensor]
    valid: dict[str, Tensor]
    tokens: dict[str, Tensor]
    token_present: dict[str, Tensor]
    pooled: dict[str, Tensor]
    codes: dict[str, Tensor]
    method_logits: Tensor | None = None
    where: Tensor | None = None
    lags: Tensor | None = None
    seen: Seen | None = None
