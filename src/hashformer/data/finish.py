"""From clips as they were made to Examples: the same degradation and the same views for all of a group."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from hashformer.config.forge import ForgeConfig
from hashformer.config.views import ViewConfig
from hashformer.data.augment import augment_masked
from hashformer.data.degrade import Degradation, degrade, draw_degradation
from hashformer.data.forging import Shown
from hashformer.data.labels import clip_labels
from hashformer.data.loaded import MASK_CELLS, Example
from hashformer.data.manifest import Row
from hashformer.types import Clip, Floats, Frames

_BLIND_PX = 32
"""Side of the pictures of clips whose pictures are not shown."""


class Finisher:
    """Degrades and augments groups.

    Args:
        forge: How clips are degraded.
        views: None for clips as they are; one for augmented clips; two for pairs of views.
        sample_rate_hz: Rate of the sound.
    """

    def __init__(self, forge: ForgeConfig, views: Sequence[ViewConfig], *, sample_rate_hz: int) -> None:
        self._forge, self._views, self._rate_hz = forge, tuple(views), sample_rate_hz

    def __call__(
        self,
        group: Sequence[Shown],
        row: Row,
        row_idx: int,
        *,
        seed: tuple[int, ...],
        refused: Sequence[str],
        blind: bool = False,
    ) -> list[Example]:
        """Finish a group.

        Args:
            group: A real clip and its forgeries, or one clip.
            row: What the manifest says of the file.
            row_idx: Which row.
            seed: Decides degradation and views, for all of the group alike.
            refused: Kinds that could not be made; noted with the first.
            blind: Whether the picture will not be shown: nothing is spent on it then.
        """
        if blind:
            group = [replace(shown, clip=_small(shown.clip), mask=None) for shown in group]
        draw = draw_degradation(self._forge.degrade, np.random.default_rng((*seed, 1)), strength=self._forge.strength)
        degraded = degrade_alike([shown.clip for shown in group], draw, self._rate_hz)
        examples: list[Example] = []
        for shown, clip in zip(group, degraded, strict=True):
            labels: Mapping[str, float] = shown.labels or clip_labels(row, clip.window)
            mask = _mask(shown, labels)
            views = [self._view(clip, mask, config, (*seed, 2, k)) for k, config in enumerate(self._views)]
            first = views[0] if views else (clip, mask)
            mask_shown = None if blind or first[1] is None else _cells(first[1])
            examples.append(
                Example(
                    clip=first[0],
                    second=views[1][0] if len(views) > 1 else None,
                    labels=dict(labels),
                    row_idx=row_idx,
                    kind=shown.kind,
                    method=shown.kind or row.method,
                    corpus=row.corpus,
                    mask=mask_shown,
                    blind=blind,
                    refused=() if examples else tuple(refused),
                )
            )
        return examples

    def _view(
        self, clip: Clip, mask: Frames | None, config: ViewConfig, seed: tuple[int, ...]
    ) -> tuple[Clip, Frames | None]:
        return augment_masked(clip, mask, config, rng=np.random.default_rng(seed), sample_rate_hz=self._rate_hz)


def _small(clip: Clip) -> Clip:
    """A clip with the smallest of pictures, which landmarks fit as before: they move with it through the views."""
    if clip.frames is None or clip.landmarks is None:
        return clip
    step = max(1, clip.frames.shape[-1] // _BLIND_PX)
    frames = np.ascontiguousarray(clip.frames[..., ::step, ::step])
    scale = np.float32(frames.shape[-1] / clip.frames.shape[-1])
    return replace(clip, frames=frames, landmarks=clip.landmarks * scale)


def _mask(shown: Shown, labels: Mapping[str, float]) -> Frames | None:
    """The mask, (T, 1, H, W): that of the forgery, or all zeros where the picture is known to be real."""
    if shown.mask is not None:
        return np.ascontiguousarray(shown.mask[:, None])
    if shown.clip.frames is None or labels["video"] != 0:
        return None
    return np.zeros_like(shown.clip.frames[:, :1])


def degrade_alike(clips: Sequence[Clip], draw: Degradation, sample_rate_hz: int) -> list[Clip]:
    """Degrade a real clip and what was made of it; a stream that a forgery left as it was is degraded once.

    Args:
        clips: The real one first.
        draw: The same for all.
        sample_rate_hz: Rate of their sound.
    """
    done: list[Clip] = []
    for clip in clips:
        picture = _same(clips[0].frames, clip.frames) and _same(clips[0].landmarks, clip.landmarks)
        sound = _same(clips[0].waveform, clip.waveform)
        if not done:
            picture = sound = False
        part = replace(clip, frames=None if picture else clip.frames, waveform=None if sound else clip.waveform)
        result = degrade(part, draw, sample_rate_hz=sample_rate_hz)
        if picture:
            result = replace(result, frames=done[0].frames)
        if sound:
            result = replace(result, waveform=done[0].waveform)
        done.append(result)
    return done


def _same(one: Floats | Frames | None, other: Floats | Frames | None) -> bool:
    return one is not None and other is not None and np.array_equal(one, other, equal_nan=one.dtype != np.uint8)


def _cells(mask: Frames) -> Floats:
    """Share of each cell that is forged, from (T, 1, H, W) bytes."""
    cells = [cv2.resize(frame[0], (MASK_CELLS, MASK_CELLS), interpolation=cv2.INTER_AREA) for frame in mask]
    return np.asarray(cells, np.float32) / np.float32(255)
