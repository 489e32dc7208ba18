"""From streams to tokens: cut into patches, project, say where on the picture or spectrum each stands."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hashformer.config import ModelConfig
from hashformer.model.inputs import Stream, StreamSpec
from hashformer.model.mobile import MobileNet
from hashformer.model.positions import grid_positions


class Segment(NamedTuple):
    """Tokens of one kind.

    Attributes:
        tokens: (B, N, D).
        present: Which of them are real, (B, N); None if all.
        time_s: Centre of each token's patch, seconds from the start of the clip, (N,); (B, N) where
            the items of a batch keep different tokens.
    """

    tokens: Tensor
    present: Tensor | None
    time_s: Tensor


def patches(values: Tensor, patch: tuple[int, int, int]) -> Tensor:
    """Cut a stream into patches, time slowest, columns fastest.

    Args:
        values: (B, T, C, rows, columns).
        patch: Frames, rows and columns of one patch; each divides its axis.

    Returns:
        (B, N, frames · rows · columns · C), the values of each patch, channels fastest.
    """
    batch, frames, channels, rows, columns = values.shape
    t, h, w = patch
    cut = values.reshape(batch, frames // t, t, channels, rows // h, h, columns // w, w)
    cut = cut.permute(0, 1, 4, 6, 2, 5, 7, 3)  # (B, T/t, rows/h, columns/w, t, h, w, C)
    return cut.reshape(batch, -1, t * h * w * channels)


def patch_present(present: Tensor, spec: StreamSpec) -> Tensor:
    """Which patches have anything: those with at least one present frame.

    Args:
        present: Where the stream is there, (B, T).
        spec: Of the stream.

    Returns:
        (B, N).
    """
    steps = present.reshape(len(present), -1, spec.patch[0]).any(-1)  # (B, T/t)
    return steps.repeat_interleave(spec.grid[0] * spec.grid[1], dim=1)


def patch_times(n_frames: int, spec: StreamSpec) -> Tensor:
    """Centre of each patch in seconds, (N,); frame `i` covers `i` to `i + 1` frame lengths."""
    steps = (torch.arange(n_frames // spec.patch[0]) + 0.5) * (spec.patch[0] / spec.rate_hz)
    return steps.repeat_interleave(spec.grid[0] * spec.grid[1])


def spread_mask(keep: Tensor, n_frames: int, spec: StreamSpec) -> Tensor:
    """A choice of patches as a choice of values, to lay over (B, T, C, rows, columns).

    Args:
        keep: Which patches, (B, N) bool.
        n_frames: Frames T of the stream.
        spec: Of the stream.

    Returns:
        (B, T, 1, rows, columns) bool.
    """
    (t, h, w), (rows, columns) = spec.patch, spec.grid
    grid = keep.reshape(len(keep), n_frames // t, 1, rows, columns)
    return grid.repeat_interleave(t, 1).repeat_interleave(h, 3).repeat_interleave(w, 4)


def without(stream: Stream, keep: Tensor | None, spec: StreamSpec) -> Stream:
    """A stream with the mean value, 0, wherever a patch is not kept.

    Args:
        stream: Values (B, T, C, rows, columns).
        keep: Which patches, (B, N) bool; None for all.
        spec: Of the stream.
    """
    if keep is None:
        return stream
    return stream._replace(values=torch.where(spread_mask(keep, stream.values.shape[1], spec), stream.values, 0.0))


class ChannelNorm(nn.Module):
    """Layer norm over the channels at each place of (B, C, H, W), as in ConvNeXt (arXiv 2201.03545)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class ConvStem(nn.Module):
    """Small convolutions on each frame (each spectrogram), halving it towards the patch grid.

    Early convolutions need less data than one linear projection of raw patches (Xiao et al. 2021,
    arXiv 2106.14881). Norms are over the channels of one place: what one patch is given must not tell
    of another that is masked.
    """

    def __init__(self, spec: StreamSpec, channels: tuple[int, ...], frames: int = 0) -> None:
        super().__init__()
        self.over_time = spec.name == "audio"
        self.tubelet, self.chosen = spec.patch[0], chosen_frames(spec.patch[0], frames)
        self.high_pass = spec.high_pass
        # Folding first keeps no map of the full size, which costs more than all the arithmetic that follows.
        self.fold = 1 if self.over_time else spec.fold
        image_channels = spec.shape[0] * (1 + spec.high_pass) * self.fold**2
        left = [spec.patch[0], spec.patch[1]]
        if not self.over_time:
            left = [spec.patch[1] // self.fold, spec.patch[2] // self.fold]
        layers: list[nn.Module] = []
        for width in channels:
            stride = (2 - left[0] % 2, 2 - left[1] % 2)
            left = [left[0] // stride[0], left[1] // stride[1]]
            layers += [nn.Conv2d(image_channels, width, 3, stride=stride, padding=1), ChannelNorm(width), nn.GELU()]
            image_channels = width
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.patch = (left[0], left[1], 1) if self.over_time else (len(self.chosen), left[0], left[1])
        self.patch_values = image_channels * self.patch[0] * self.patch[1] * self.patch[2]

    def forward(self, values: Tensor) -> Tensor:
        """Take a stream (B, T, C, rows, columns) to patches of features, (B, N, patch_values)."""
        if self.over_time:
            image = values[..., 0].transpose(1, 2)  # (B, C, T, bins)
            features = self.layers(image.contiguous(memory_format=torch.channels_last))
            return patches(features.transpose(1, 2)[..., None], self.patch)
        looked_at = of_tubelets(values, self.tubelet, self.chosen)
        images = looked_at.flatten(0, 1)  # (B·t, C, H, W)
        if self.high_pass:
            images = torch.cat([images, fine_detail(images)], 1)
        images = nn.functional.pixel_unshuffle(images, self.fold).contiguous(memory_format=torch.channels_last)
        return patches(self.layers(images).unflatten(0, looked_at.shape[:2]), self.patch)


def fine_detail(images: Tensor) -> Tensor:
    """What a blur over 3 × 3 pixels takes away, four times enlarged, (B, C, H, W).

    Generators leave their traces there, under the much stronger picture.
    """
    around = nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
    rows = around[..., :-2, :] + around[..., 1:-1, :] + around[..., 2:, :]
    total = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]  # sums of slices: twice as fast as a pooling layer
    return 4 * images - (4 / 9) * total


def chosen_frames(tubelet: int, frames: int) -> list[int]:
    """Which frames of a tubelet are looked at, spread over it evenly; all for 0."""
    return [index * tubelet // frames for index in range(frames)] if frames else list(range(tubelet))


def of_tubelets(values: Tensor, tubelet: int, chosen: list[int]) -> Tensor:
    """Keep the chosen frames of each tubelet, (B, T, …) to (B, T · chosen / tubelet, …)."""
    if len(chosen) == tubelet:
        return values
    tubelets = values.reshape(len(values), -1, tubelet, *values.shape[2:])
    return tubelets[:, :, chosen].flatten(1, 2)


class MobileStem(nn.Module):
    """`mobile.MobileNet` on frames of each tubelet, spread over it evenly."""

    def __init__(self, spec: StreamSpec, frames: int, frozen_stride: int) -> None:
        super().__init__()
        self.net = MobileNet(spec.patch[1], frozen_stride=frozen_stride).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.tubelet = spec.patch[0]
        self.chosen = chosen_frames(self.tubelet, frames)
        self.patch_values = len(self.chosen) * self.net.out_channels

    def forward(self, values: Tensor) -> Tensor:
        """Take frames (B, T, 3, H, W) to patches of features, (B, N, patch_values)."""
        looked_at = of_tubelets(values, self.tubelet, self.chosen)
        images = looked_at.flatten(0, 1).contiguous(memory_format=torch.channels_last)  # (B·t, 3, H, W)
        features = self.net(images).unflatten(0, looked_at.shape[:2])  # (B, t, C, rows, columns)
        return patches(features, (len(self.chosen), 1, 1))


class Tokenizer(nn.Module):
    """Turns one stream into tokens, with fixed positions on the picture or spectrum added.

    Position in time is not added: the encoder turns queries and keys by it instead.
    """

    grid_table: Tensor

    def __init__(self, spec: StreamSpec, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.spec = spec
        self.stem: ConvStem | MobileStem | None = None
        if spec.stem == "conv":
            self.stem = ConvStem(spec, config.stem_channels, 0 if spec.name == "audio" else config.stem_frames)
        elif spec.stem == "mobile":
            self.stem = MobileStem(spec, config.stem_frames, config.stem_frozen_stride)
        self.motion = config.landmark_motion if spec.name == "landmarks" else 0.0
        n_values = self.stem.patch_values if self.stem else spec.patch_values
        self.project = nn.Linear(n_values * (2 if self.motion else 1), width)
        self.norm = nn.LayerNorm(width, bias=False)
        table = grid_positions([torch.arange(size) for size in spec.grid], width)
        self.register_buffer("grid_table", table, persistent=False)

    def forward(self, stream: Stream, keep: Tensor | None = None) -> Segment:
        """Embed the stream, or only some of its patches.

        Args:
            stream: Values (B, T, C, rows, columns), from `read_streams`.
            keep: Patches to keep, (B, N) bool, equally many for each item; None keeps all. Others are
                dropped, and nothing of what they show reaches the tokens that are kept.

        Returns:
            Tokens (B, n, D) of the n patches kept, in their order.
        """
        n_frames = stream.values.shape[1]
        steps = n_frames // self.spec.patch[0]
        values = stream.values
        if keep is not None and self.stem is not None:
            values = without(stream, keep, self.spec).values
        cut = self.stem(values) if self.stem is not None else patches(values, self.spec.patch)  # (B, N, P)
        present = None if stream.present is None else patch_present(stream.present, self.spec)
        time_s = patch_times(n_frames, self.spec).to(cut.device)
        table = self.grid_table.repeat(steps, 1)  # (N, D)
        if keep is not None:
            index = kept_index(keep)  # (B, n)
            cut = cut.gather(1, index[..., None].expand(-1, -1, cut.shape[-1]))
            present = None if present is None else present.gather(1, index)
            table, time_s = table[index], time_s[index]
        if self.motion:
            cut = torch.cat([cut, self.motion * from_mean(cut, present)], -1)
        return Segment(self.norm(self.project(cut)) + table, present, time_s)


def from_mean(values: Tensor, present: Tensor | None) -> Tensor:
    """What differs from the mean over a clip: lips move by little, where a face is differs by much.

    Args:
        values: (B, N, P).
        present: Which of the N are there, (B, N); None if all. The others neither count nor differ.

    Returns:
        (B, N, P).
    """
    if present is None:
        return values - values.mean(1, keepdim=True)
    here = present[..., None]
    mean = torch.where(here, values, 0.0).sum(1, keepdim=True) / here.sum(1, keepdim=True).clamp(min=1)
    return torch.where(here, values - mean, 0.0)


def kept_index(keep: Tensor) -> Tensor:
    """Indices of the patches kept, in order.

    Args:
        keep: (B, N) bool, equally many for each item.

    Returns:
        (B, n).

    Raises:
        ValueError: If the items keep different numbers of patches.
    """
    counts = keep.sum(1)
    if bool((counts != counts[0]).any()):
        raise ValueError(f"every item must keep equally many patches, got {counts.tolist()}")
    return keep.nonzero()[:, 1].reshape(len(keep), -1)
