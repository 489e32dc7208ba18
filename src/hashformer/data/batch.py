"""Clips into a Batch: tensors where a stream is, presence masks where it is not."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hashformer.data.features import SoundFeatures
from hashformer.types import Batch, Clip


def collate(clips: Sequence[Clip], features: SoundFeatures) -> Batch:
    """Stack clips.

    A stream that no clip has is None; one that some lack is masked for those.

    Args:
        clips: At least one; all of one length, rate and crop size.
        features: How sound is read; its `context_samples` must be the clips'.

    Returns:
        Audio (B, T, bins), video (B, T, 3, H, W) in 0–1, landmarks (B, T, 2K) in 0–1 of the crop.
    """
    present: dict[str, Tensor] = {}
    audio = _audio(clips, features, present)
    video = landmarks = None
    shown = next((clip for clip in clips if clip.frames is not None), None)
    if shown is not None and shown.frames is not None:
        n_frames, size_px = shown.frames.shape[0], shown.frames.shape[-1]
        points = np.full((len(clips), n_frames, 478, 2), np.nan, np.float32)
        pixels = np.zeros((len(clips), *shown.frames.shape), np.uint8)
        for row, clip in enumerate(clips):
            if clip.frames is not None and clip.landmarks is not None:
                pixels[row], points[row] = clip.frames, clip.landmarks
        there = torch.from_numpy(~np.isnan(points[:, :, 0, 0]))  # (B, T)
        video = torch.from_numpy(pixels).float() / 255
        landmarks = torch.from_numpy(np.nan_to_num(points) / np.float32(size_px)).flatten(2)
        present["video"] = present["landmarks"] = there
    return Batch(audio=audio, video=video, landmarks=landmarks, present=present)


def _audio(clips: Sequence[Clip], features: SoundFeatures, present: dict[str, Tensor]) -> Tensor | None:
    heard = next((clip.waveform for clip in clips if clip.waveform is not None), None)
    if heard is None:
        return None
    silence = np.zeros_like(heard)
    waveforms = np.stack([silence if clip.waveform is None else clip.waveform for clip in clips])
    audio = features(torch.from_numpy(waveforms))
    has_sound = torch.tensor([clip.waveform is not None for clip in clips])
    present["audio"] = has_sound[:, None].expand(-1, audio.shape[1])
    return audio
