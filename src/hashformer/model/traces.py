"""What generators leave in single frames: fine texture, judged place by place before anything is a token."""

from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from hashformer.model.inputs import Stream, StreamSpec
from hashformer.model.tokens import chosen_frames, fine_detail, of_tubelets
from hashformer.types import Seen

_HIDDEN = 64
"""Width of the layer that judges what is gathered over a frame."""


class Traces(nn.Module):
    """A small residual network on single frames of each tubelet, with a logit for each place and one for the frame.

    Colours and fine detail go in side by side, 2 × 2 pixels folded into channels, so that the first map is half the
    crop's size and nothing is scaled down before the first convolution; each further stage halves it. Batch norm, not
    one over the channels of a place, which takes away how strong fine detail is there. The frame's logit rests on the
    mean and the largest of the features and on the soft maximum over its places: one forged place makes a forged frame.
    The clip's is the mean over its frames.

    Source: the map, Li et al., Face X-ray (2020); pairs of a clip and its forgery, Shiohara and Yamasaki,
    Self-blended images (2022). An addition to the paper's network, whose tokens learn texture only after very many
    clips: docs/experiments.md.

    Args:
        spec: Of the video.
        widths: Channels at a half, a quarter, … of the crop's size.
        frames: How many frames of each tubelet are looked at; 0: all.
    """

    def __init__(self, spec: StreamSpec, widths: tuple[int, ...], *, frames: int) -> None:
        super().__init__()
        self.tubelet, self.chosen = spec.patch[0], chosen_frames(spec.patch[0], frames)
        layers: list[nn.Module] = [_convolution(spec.shape[0] * 2 * 4, widths[0])]
        for narrow, wide in pairwise(widths):
            layers += [_convolution(narrow, wide, stride=2), _Residual(wide)]
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.place = nn.Conv2d(widths[-1], 1, 1)
        self.frame = nn.Sequential(nn.Linear(2 * widths[-1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))

    def train(self, mode: bool = True) -> Self:
        """Train, unless every weight is frozen: then the statistics stay as they are too."""
        return super().train(mode and any(weight.requires_grad for weight in self.parameters()))

    def forward(self, video: Stream) -> Seen:
        """Look at the frames.

        Args:
            video: Values (B, T, C, rows, columns).
        """
        looked_at = of_tubelets(video.values, self.tubelet, self.chosen)  # (B, t, C, rows, columns)
        shape = looked_at.shape[:2]
        present = torch.ones(shape, dtype=torch.bool, device=looked_at.device)
        if video.present is not None:
            tubelets = video.present.reshape(shape[0], -1, self.tubelet).any(-1)
            present = tubelets.repeat_interleave(len(self.chosen), 1)
        logits, places = self._frames(looked_at.flatten(0, 1), present.flatten())
        counted = present.to(logits.dtype)
        logit = (logits.reshape(shape) * counted).sum(1) / counted.sum(1).clamp(min=1)
        return Seen(logit, places.reshape(*shape, *places.shape[1:]), present)

    def _frames(self, images: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training or bool(present.all()):
            return self._judge(images)
        # Blank frames would be part of the batch's statistics. With none left, one is judged for nothing: each device
        # of several takes part in every sum.
        index = present.nonzero()[:, 0] if bool(present.any()) else present.new_zeros(1, dtype=torch.int64)
        logits, places = self._judge(images[index])
        whole = logits.new_zeros(len(images)).index_put((index,), logits)
        return whole, places.new_zeros(len(images), *places.shape[1:]).index_put((index,), places)

    def _judge(self, images: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([images, fine_detail(images)], 1)
        folded = functional.pixel_unshuffle(both, 2).contiguous(memory_format=torch.channels_last)
        features = self.layers(folded)  # (B·t, C, rows, columns)
        places = self.place(features)[:, 0].float()
        gathered = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
        return self.frame(gathered)[:, 0].float() + _largest(places.flatten(1)), places


def _largest(values: Tensor) -> Tensor:
    """Soft maximum over the places, near the largest when one stands out and 0 where all are 0."""
    return ((2 * values).logsumexp(1) - torch.log(torch.tensor(float(values.shape[1])))) / 2


def _convolution(n_in: int, n_out: int, *, stride: int = 1) -> nn.Sequential:
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
