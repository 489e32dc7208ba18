"""Clips into a Batch: tensors where a stream is, presence masks where it is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashformer.data.features import SoundFeatures
from hashformer.types import Batch, Clip, Floats, Mask


@dataclass(frozen=True, kw_only=True)
class Stacked:
    """A PackedBatch before its arrays are tensors.

    Attributes:
        streams: `frames`, `audio` and `landmarks` of `PackedBatch`; each owns its memory.
        present: As in `Batch`.
    """

    streams: dict[str, NDArray[Any] | None]
    present: dict[str, Mask]


@dataclass(frozen=True, kw_only=True)
class PackedBatch:
    """A Batch whose pictures are still bytes: what goes between processes and to another device.

    Attributes:
        frames: RGB, (B, T, 3, H, W) uint8; None if no clip has a face.
        audio: As in `Batch`.
        landmarks: As in `Batch`.
        present: As in `Batch`.
    """

    frames: Tensor | None
    audio: Tensor | None
    landmarks: Tensor | None
    present: Mapping[str, Tensor]

    def to(self, device: torch.device) -> Self:
        """The same on another device."""
        streams = (self.frames, self.audio, self.landmarks)
        frames, audio, landmarks = (None if stream is None else stream.to(device) for stream in streams)
        present = {name: mask.to(device) for name, mask in self.present.items()}
        return type(self)(frames=frames, audio=audio, landmarks=landmarks, present=present)

    def unpack(self) -> Batch:
        """What the model reads: pictures in 0–1."""
        video = None if self.frames is None else self.frames.float().div_(255)
        return Batch(audio=self.audio, video=video, landmarks=self.landmarks, present=self.present)


def collate(clips: Sequence[Clip], features: SoundFeatures) -> Batch:
    """Stack clips.

    A stream that no clip has is None; one that some lack is masked for those.

    Args:
        clips: At least one; all of one length, rate and crop size.
        features: How sound is read; its `context_samples` must be the clips'.

    Returns:
        Audio (B, T, bins), video (B, T, 3, H, W) in 0–1, landmarks (B, T, 2K) in 0–1 of the crop.
    """
    return pack(clips, features).unpack()


def pack(clips: Sequence[Clip], features: SoundFeatures) -> PackedBatch:
    """Stack clips, as `collate` does, and leave their pictures as bytes."""
    return packed_from(stack(clips, features))


def packed_from(arrays: Stacked) -> PackedBatch:
    """What `stack` made, as tensors that borrow its memory."""
    streams = {name: None if array is None else torch.from_numpy(array) for name, array in arrays.streams.items()}
    present = {name: torch.from_numpy(mask) for name, mask in arrays.present.items()}
    return PackedBatch(**streams, present=present)


def stack(clips: Sequence[Clip], features: SoundFeatures) -> Stacked:
    """Stack clips, as `collate` does, into arrays, which own their memory."""
    present: dict[str, Mask] = {}
    streams: dict[str, NDArray[Any] | None] = {"frames": None, "landmarks": None}
    streams["audio"] = _audio(clips, features, present)
    shown = next((clip for clip in clips if clip.frames is not None), None)
    if shown is not None and shown.frames is not None:
        n_frames, size_px = shown.frames.shape[0], shown.frames.shape[-1]
        points = np.full((len(clips), n_frames, 478, 2), np.nan, np.float32)
        pixels = np.zeros((len(clips), *shown.frames.shape), np.uint8)
        for row, clip in enumerate(clips):
            if clip.frames is not None and clip.landmarks is not None:
                pixels[row], points[row] = clip.frames, clip.landmarks
        there = ~np.isnan(points[:, :, 0, 0])  # (B, T)
        streams["frames"] = pixels
        streams["landmarks"] = (np.nan_to_num(points) / np.float32(size_px)).reshape(len(clips), n_frames, -1)
        present["video"] = present["landmarks"] = there
    return Stacked(streams=streams, present=present)


def _audio(clips: Sequence[Clip], features: SoundFeatures, present: dict[str, Mask]) -> Floats | None:
    heard = next((clip.waveform for clip in clips if clip.waveform is not None), None)
    if heard is None:
        return None
    silence = np.zeros_like(heard)
    waveforms = np.stack([silence if clip.waveform is None else clip.waveform for clip in clips])
    audio = np.array(features(torch.from_numpy(waveforms)).numpy())
    has_sound = np.array([clip.waveform is not None for clip in clips])
    present["audio"] = np.repeat(has_sound[:, None], audio.shape[1], axis=1)
    return audio
