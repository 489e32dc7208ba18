"""What comes in: each stream's shape is checked once, and content that is absent is taken out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hashformer.config import ModelConfig
from hashformer.errors import ShapeError
from hashformer.types import MODALITIES, Batch


@dataclass(frozen=True, kw_only=True)
class StreamSpec:
    """What one stream must look like, and how it is cut into patches.

    Attributes:
        name: One of `MODALITIES`.
        rate_hz: Frames a second.
        shape: Channels, rows and columns of one frame; sound has its bins as rows.
        patch: Frames, rows and columns of one patch.
        mean: Subtracted from every value.
        std: Divides every value.
        stem: `linear`, `conv` or `mobile`.
        high_pass: Whether the conv stem is also given the fine detail by itself.
        fold: Pixels of each side that the conv stem folds into channels first.
    """

    name: str
    rate_hz: float
    shape: tuple[int, int, int]
    patch: tuple[int, int, int]
    mean: float
    std: float
    stem: str
    high_pass: bool = False
    fold: int = 1

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.shape[1] // self.patch[1], self.shape[2] // self.patch[2]

    @property
    def patch_values(self) -> int:
        """Values in one patch."""
        return self.shape[0] * self.patch[0] * self.patch[1] * self.patch[2]


class Stream(NamedTuple):
    """One stream of a batch, checked, laid out alike for all modalities.

    Attributes:
        values: Normalised, (B, T, C, rows, columns); finite wherever there is nothing.
        present: Where it is there, (B, T); None if everywhere.
    """

    values: Tensor
    present: Tensor | None


def stream_specs(config: ModelConfig) -> dict[str, StreamSpec]:
    """The streams that the model reads, in the order of `MODALITIES`."""
    side, patch = config.video_size_px, config.video_patch_px
    specs = {
        "audio": StreamSpec(
            name="audio",
            rate_hz=config.audio_rate_hz,
            shape=(1, config.audio_bins, 1),
            patch=(config.audio_patch_frames, config.audio_patch_bins, 1),
            mean=config.audio_mean,
            std=config.audio_std,
            stem="conv" if config.stem == "mobile" else config.stem,
        ),
        "video": StreamSpec(
            name="video",
            rate_hz=config.video_rate_hz,
            shape=(config.video_channels, side, side),
            patch=(config.video_patch_frames, patch, patch),
            mean=0.5,
            std=0.25,
            stem=config.stem,
            high_pass=config.high_pass,
            fold=config.stem_fold,
        ),
        "landmarks": StreamSpec(
            name="landmarks",
            rate_hz=config.landmark_rate_hz,
            shape=(2 * config.n_landmarks, 1, 1),
            patch=(1, 1, 1),
            mean=0.5,
            std=0.25,
            stem="linear",
        ),
    }
    return {name: specs[name] for name in MODALITIES if name in config.modalities}


def read_streams(batch: Batch, specs: Mapping[str, StreamSpec]) -> dict[str, Stream]:
    """Check every stream of a batch that the model reads, and lay it out.

    Args:
        batch: Streams that the model does not read are passed over.
        specs: From `stream_specs`.

    Returns:
        The streams that are there. Frames marked absent are replaced by the nearest present frame
        of their own patch, so that a patch with a gap holds only real content; a patch with none is
        zeros. What stood there before, even NaN, is never read.

    Raises:
        ShapeError: Names the stream, what came and what fits.
    """
    streams = {}
    for name, spec in specs.items():
        values: Tensor | None = getattr(batch, name)
        if values is None:
            continue
        _check_shape(values, spec)
        values = values.reshape(*values.shape[:2], *spec.shape)
        present = batch.present.get(name)
        if present is not None:
            _check_present(present, values, name)
        if present is None or _is_everywhere(present):
            streams[name] = Stream((values - spec.mean) / spec.std, None)
        else:
            streams[name] = Stream(_without_gaps((values - spec.mean) / spec.std, present, spec.patch[0]), present)
    _check_together(streams, specs)
    return streams


def _is_everywhere(present: Tensor) -> bool:
    # A compiled or exported graph must serve every mask: nothing in it may hang on what one of them holds.
    return not torch.compiler.is_compiling() and bool(present.all())


def _without_gaps(values: Tensor, present: Tensor, patch_frames: int) -> Tensor:
    n_patches = present.shape[1] // patch_frames
    here = present.reshape(len(present), n_patches, patch_frames)  # (B, n, t)
    place = torch.arange(patch_frames, device=values.device)
    distance = (place[:, None] - place[None, :]).abs()  # (t, t)
    nearest = torch.where(here[:, :, None, :], distance, patch_frames).argmin(-1)  # (B, n, t)
    start = torch.arange(n_patches, device=values.device)[:, None] * patch_frames
    source = (nearest + start).flatten(1)  # (B, T)
    item = torch.arange(len(values), device=values.device)[:, None]
    real = here.any(-1, keepdim=True).expand_as(here).flatten(1)[..., None, None, None]  # (B, T, 1, 1, 1)
    return torch.where(real, values[item, source], 0.0)


def _check_shape(values: Tensor, spec: StreamSpec) -> None:
    fits = {
        "audio": (spec.shape[1],),
        "video": spec.shape,
        "landmarks": (spec.shape[0],),
    }[spec.name]
    wanted = f"(B, T, {', '.join(str(size) for size in fits)})"
    if values.dim() != 2 + len(fits) or tuple(values.shape[2:]) != fits or 0 in values.shape[:2]:
        raise ShapeError(f"{spec.name}: got {tuple(values.shape)}, expected {wanted}")
    if not values.is_floating_point():
        raise ShapeError(f"{spec.name}: got {values.dtype}, expected floating point")
    n_frames, patch = values.shape[1], spec.patch[0]
    if n_frames % patch:
        setting = "video_patch_frames" if spec.name == "video" else "audio_patch_frames"
        near = " or ".join(str(n) for n in (n_frames // patch * patch, (n_frames // patch + 1) * patch) if n)
        divisors = ", ".join(str(n) for n in range(1, n_frames + 1) if n_frames % n == 0)
        raise ShapeError(
            f"{spec.name}: got {n_frames} frames {tuple(values.shape)}, which {setting}={patch} does not divide; "
            f"pass {near} frames, or set {setting} to one of {divisors}"
        )


def _check_present(present: Tensor, values: Tensor, name: str) -> None:
    if present.shape != values.shape[:2] or present.dtype != torch.bool:
        raise ShapeError(
            f"present[{name!r}]: got {tuple(present.shape)} {present.dtype}, "
            f"expected {tuple(values.shape[:2])} torch.bool, one for each item and frame"
        )


def _check_together(streams: Mapping[str, Stream], specs: Mapping[str, StreamSpec]) -> None:
    if not streams:
        raise ShapeError(f"no stream came; this model reads {', '.join(specs)}")
    sizes = {name: stream.values.shape[0] for name, stream in streams.items()}
    first = next(iter(sizes.values()))
    if any(size != first for size in sizes.values()):
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ShapeError(f"streams differ in batch size: {listed}; all must have the same number of items")
