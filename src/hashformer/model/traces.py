"""What generators leave in single frames and in short sounds, judged place by place before anything is a token."""

from itertools import pairwise
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from hashformer.model.inputs import Stream, StreamSpec
from hashformer.model.tokens import chosen_frames, fine_detail, of_tubelets
from hashformer.types import Seen

_HIDDEN = 64
"""Width of the layer that judges what is gathered over an image."""


class Heard(NamedTuple):
    """What the sounds of a batch give away by themselves.

    Attributes:
        logit: The sound is forged, (B,); 0 where there is none.
        present: Which clips have sound, (B,) bool.
    """

    logit: Tensor
    present: Tensor


class _Look(nn.Module):
    """A small residual network on images, with a logit for each place and one for the image.

    Batch norm, not one over the channels of a place, which takes away how strong fine detail is there. The image's
    logit rests on the mean and the largest of the features and on the soft maximum over its places: one forged place
    makes a forged image.

    Args:
        n_in: Channels that come in.
        widths: Channels of each stage; each but the first halves the map.
        stride: Of the first.
    """

    def __init__(self, n_in: int, widths: tuple[int, ...], *, stride: int | tuple[int, int] = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(n_in, widths[0], stride=stride)]
        for narrow, wide in pairwise(widths):
            layers += [_convolution(narrow, wide, stride=2), _Residual(wide)]
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.place = nn.Conv2d(widths[-1], 1, 1)
        self.frame = nn.Sequential(nn.Linear(2 * widths[-1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))

    def train(self, mode: bool = True) -> Self:
        """Train, unless every weight is frozen: then the statistics stay as they are too."""
        return super().train(mode and any(weight.requires_grad for weight in self.parameters()))

    def look(self, images: Tensor, present: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Judge images.

        Args:
            images: (n, C, H, W).
            present: Those that are not give 0, (n,) bool.
            keep: Places that count, on any grid, (n, rows, columns) bool, one at least of each image; None for all.
                Not in training.

        Returns:
            Logits (n,), and those of the places, (n, h, w).
        """
        if keep is not None:
            logits, places = self._judge(images, keep)
        elif self.training and not bool(present.all()):
            # Blank images would be part of the batch's statistics. With none left, one is judged for nothing: each
            # device of several takes part in every sum.
            index = present.nonzero()[:, 0] if bool(present.any()) else present.new_zeros(1, dtype=torch.int64)
            few, few_places = self._judge(images[index])
            logits = few.new_zeros(len(images)).index_put((index,), few)
            places = few_places.new_zeros(len(images), *few_places.shape[1:]).index_put((index,), few_places)
        else:
            logits, places = self._judge(images)
        return logits * present.to(logits.dtype), places

    def _judge(self, images: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        features = self.layers(images.contiguous(memory_format=torch.channels_last))  # (n, C, h, w)
        places = self.place(features)[:, 0].float()
        mean, largest, told = features.mean((2, 3)), features.amax((2, 3)), _largest(places.flatten(1))
        if keep is not None:
            kept = functional.adaptive_max_pool2d(keep[:, None].to(features.dtype), features.shape[2:])  # (n, 1, h, w)
            mean, largest = (features * kept).sum((2, 3)) / kept.sum((2, 3)), (features * kept).amax((2, 3))
            told = _largest(places.flatten(1), kept.flatten(1) > 0)
        return self.frame(torch.cat([mean, largest], 1))[:, 0].float() + told, places


class Traces(_Look):
    """Looks at single frames of each tubelet; the clip's logit is the mean over its frames.

    Colours and fine detail go in side by side, 2 × 2 pixels folded into channels, so that the first map is half the
    crop's size and nothing is scaled down before the first convolution.

    Source: the map, Li et al., Face X-ray (2020); pairs of a clip and its forgery, Shiohara and Yamasaki,
    Self-blended images (2022). An addition to the paper's network, whose tokens learn texture only after very many
    clips: docs/experiments.md.

    Args:
        spec: Of the video.
        widths: Channels at a half, a quarter, … of the crop's size.
        frames: How many frames of each tubelet are looked at; 0: all.
    """

    def __init__(self, spec: StreamSpec, widths: tuple[int, ...], *, frames: int) -> None:
        super().__init__(spec.shape[0] * 2 * 4, widths)
        self.grid = spec.grid
        self.tubelet, self.chosen = spec.patch[0], chosen_frames(spec.patch[0], frames)

    def forward(self, video: Stream, keep: Tensor | None = None) -> Seen:
        """Look at the frames.

        Args:
            video: Values (B, T, C, rows, columns).
            keep: Patches that count, (B, N) bool; None for all. A frame of which none does is not looked at.
        """
        looked_at = of_tubelets(video.values, self.tubelet, self.chosen)  # (B, t, C, rows, columns)
        shape = looked_at.shape[:2]
        present = torch.ones(shape, dtype=torch.bool, device=looked_at.device)
        if video.present is not None:
            tubelets = video.present.reshape(shape[0], -1, self.tubelet).any(-1)
            present = tubelets.repeat_interleave(len(self.chosen), 1)
        frames = looked_at.flatten(0, 1)
        both = functional.pixel_unshuffle(torch.cat([frames, fine_detail(frames)], 1), 2)
        if keep is not None:
            grid = keep.reshape(shape[0], -1, *self.grid).repeat_interleave(
                len(self.chosen), 1
            )  # (B, t, rows, columns)
            present = present & grid.any((2, 3))
            keep = (grid | ~present[:, :, None, None]).flatten(0, 1)
        logits, places = self.look(both, present.flatten(), keep)
        logit = logits.reshape(shape).sum(1) / present.sum(1).clamp(min=1)
        return Seen(logit, places.reshape(*shape, *places.shape[1:]), present)


class SoundTraces(_Look):
    """Looks at the log-mel picture of a clip's sound, (B, T, bins): synthetic voices, and what vocoders leave.

    Each band's mean over the clip is taken away, which is what microphones, codecs and telephones change most; beside
    the rest go its fine detail and the height of each band, for a convolution knows no frequency.

    Args:
        spec: Of the sound.
        widths: Channels of each stage; the first halves the bands, each further one halves bands and time.
    """

    def __init__(self, spec: StreamSpec, widths: tuple[int, ...]) -> None:
        super().__init__(3, widths, stride=(1, 2))
        self.bands = spec.grid[0]

    def forward(self, sound: Stream, keep: Tensor | None = None) -> Heard:
        """Look at the sound.

        Args:
            sound: Values (B, T, 1, bins, 1).
            keep: Patches that count, (B, N) bool; None for all. Sound of which none does is not looked at.
        """
        values = sound.values[:, :, 0, :, 0]  # (B, T, bins)
        there = values.new_ones(values.shape[:2]) if sound.present is None else sound.present.to(values.dtype)
        here = there.any(1)
        mean = (values * there[..., None]).sum(1, keepdim=True) / there.sum(1).clamp(min=1)[:, None, None]
        image = ((values - mean) * there[..., None])[:, None]
        height = torch.linspace(-1, 1, values.shape[2], dtype=values.dtype, device=values.device)
        channels = [image, fine_detail(image), height.expand_as(image)]
        if keep is not None:
            here = here & keep.any(1)
            keep = (keep | ~here[:, None]).reshape(len(keep), -1, self.bands)
        return Heard(self.look(torch.cat(channels, 1), here, keep)[0], here)


def _largest(values: Tensor, kept: Tensor | None = None) -> Tensor:
    """Soft maximum over the kept places, near the largest when one stands out and 0 where all are 0."""
    if kept is None:
        return ((2 * values).logsumexp(1) - torch.log(torch.tensor(float(values.shape[1])))) / 2
    return ((2 * values).masked_fill(~kept, -torch.inf).logsumexp(1) - kept.sum(1).log()) / 2


def _convolution(n_in: int, n_out: int, *, stride: int | tuple[int, int] = 1) -> nn.Sequential:
    layers = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(n_out)
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class _Residual(nn.Module):
    """Two convolutions beside what comes in, (B, C, H, W) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))
