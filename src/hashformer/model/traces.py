"""What generators leave in single frames and in short sounds, told by features of images before anything is a token."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hashformer.model.inputs import Stream, StreamSpec
from hashformer.model.mobile import MobileNet
from hashformer.model.tokens import chosen_frames, of_tubelets
from hashformer.types import Seen

_LEAST_VARIANCE = 1e-4
_INNER = (3 / 14, 11 / 14)
"""Where the face lies on a crop's side."""
_N_BANDS = 4
"""Parts of the spectrum that are told apart."""
_ENLARGED = 2
"""So many pixels a side has a bin of the log-mel picture, which is small beside the images that features come from."""


class Heard(NamedTuple):
    """What the sounds of a batch give away by themselves.

    Attributes:
        logit: The sound is forged, (B,); 0 where there is none.
        present: Which clips have sound, (B,) bool.
    """

    logit: Tensor
    present: Tensor


class Found(NamedTuple):
    """What linear answers are given to.

    Attributes:
        summary: Mean and spread of each feature over each region of an image, (n, D).
        features: (n, C, h, w).
        present: Which of the images are there, (n,) bool.
    """

    summary: Tensor
    features: Tensor
    present: Tensor


class _Look(nn.Module):
    """Judges images by features that were learnt on everyday images, and are kept as they are.

    The logit is linear in the mean and in the spread of each feature over each of some regions. Nothing here is trained
    step by step: the linear answers are solved for (`hashformer.train.linear`). Whatever more is trained on forgeries
    of one's own learns these by heart and tells those of unknown generators less: docs/experiments.md.

    Source: frozen features with a linear answer, Ojha et al., Towards universal fake image detectors (2023), there of
    another network; EfficientNet-Lite0. An addition to the paper's network, whose tokens learn texture only after very
    many clips.

    Args:
        stride: Pixels to one step of the features, 4, 8, 16 or 32.
        n_regions: How many there are.
        last_blocks: Blocks of the last stage that features pass: after more, less is told of unknown generators.
    """

    def __init__(self, stride: int, n_regions: int, *, last_blocks: int) -> None:
        super().__init__()
        net = MobileNet(stride, frozen_stride=stride, last_blocks=last_blocks)
        self.features = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.answer = nn.Linear(2 * net.out_channels * n_regions, 1)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)
        self.middle: Tensor
        self.register_buffer("middle", torch.zeros(self.answer.in_features))

    def summarise(self, images: Tensor, regions: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        """What `Found` holds of images.

        Args:
            images: (n, 3, H, W).
            regions: Places of the features that belong to each, (R, h, w), 0 or 1.
            keep: Places that count, on any grid, (n, rows, columns) bool; None for all. A region of which none does is
                like the mean of those that were learnt from.
        """
        features = self.features(images.contiguous(memory_format=torch.channels_last)).float()
        weights = regions[None]  # (1 or n, R, h, w)
        if keep is not None:
            weights = weights * functional.adaptive_max_pool2d(keep[:, None].to(features.dtype), features.shape[2:])
        number = weights.sum((2, 3))[:, None]  # (1 or n, 1, R)
        share = weights.flatten(2).transpose(1, 2) / number.clamp(min=1)  # (1 or n, h·w, R)
        mean = features.flatten(2) @ share  # (n, C, R)
        variance = (features.flatten(2).square() @ share - mean.square()).clamp(min=0)
        summary = torch.cat([mean, torch.sqrt(variance + _LEAST_VARIANCE)], 1).flatten(1)
        if keep is not None:
            some = (number > 0).expand(-1, 2 * features.shape[1], -1).flatten(1)
            summary = torch.where(some, summary, self.middle)
        return summary, features

    def judge(self, found: Found) -> Tensor:
        """Logits of images, (n,); 0 for those that are not there."""
        logits = self.answer(found.summary - self.middle)[:, 0].float()
        return torch.where(found.present, logits, 0.0)


class Traces(_Look):
    """Looks at the face in single frames of each tubelet; the clip's logit is a mean.

    Only the middle of the crop counts: around it, background and compression would tell sources apart. A place's logit
    is linear in the features there. Source of the map: Li et al., Face X-ray (2020).

    Args:
        spec: Of the video.
        stride: Pixels of the crop to one step of the features, 4, 8, 16 or 32.
        frames: How many frames of each tubelet are looked at; 0: all.
    """

    def __init__(self, spec: StreamSpec, stride: int, *, frames: int) -> None:
        super().__init__(stride, 1, last_blocks=1)
        self.grid = spec.grid
        self.tubelet, self.chosen = spec.patch[0], chosen_frames(spec.patch[0], frames)
        self.place = nn.Conv2d(self.features.out_channels, 1, 1)
        nn.init.zeros_(self.place.weight)
        face = torch.zeros(1, spec.shape[1] // stride, spec.shape[2] // stride)
        rows, columns = ([round(side * end) for end in _INNER] for side in face.shape[1:])
        face[0, rows[0] : rows[1], columns[0] : columns[1]] = 1
        self.face: Tensor
        self.register_buffer("face", face, persistent=False)
        self.requires_grad_(False)

    def find(self, video: Stream, keep: Tensor | None = None) -> Found:
        """Describe the frames that are looked at, B · t of them. Arguments as for `forward`."""
        looked_at = of_tubelets(video.values, self.tubelet, self.chosen)  # (B, t, C, rows, columns)
        shape = looked_at.shape[:2]
        present = torch.ones(shape, dtype=torch.bool, device=looked_at.device)
        if video.present is not None:
            tubelets = video.present.reshape(shape[0], -1, self.tubelet).any(-1)
            present = tubelets.repeat_interleave(len(self.chosen), 1)
        if keep is not None:
            grid = keep.reshape(shape[0], -1, *self.grid)  # (B, tubelets, rows, columns)
            grid = grid.repeat_interleave(len(self.chosen), 1)
            present = present & grid.any((2, 3))
            keep = grid.flatten(0, 1)
        return Found(*self.summarise(looked_at.flatten(0, 1), self.face, keep), present.flatten())

    def forward(self, video: Stream, keep: Tensor | None = None) -> Seen:
        """Look at the frames.

        Args:
            video: Values (B, T, C, rows, columns).
            keep: Patches that count, (B, N) bool; None for all. A frame of which none does is not looked at.
        """
        found = self.find(video, keep)
        shape = (len(video.values), -1)
        present, places = found.present.reshape(shape), self.place(found.features)[:, 0].float()
        logit = self.judge(found).reshape(shape).sum(1) / present.sum(1).clamp(min=1)
        return Seen(logit, places.reshape(*present.shape, *places.shape[1:]), present)


class SoundTraces(_Look):
    """Looks at the log-mel picture of a clip's sound, a quarter of its bands at a time: synthetic voices.

    Each band's mean over the clip is taken away, which is what microphones, codecs and telephones change most.

    Args:
        spec: Of the sound.
        stride: Pixels of the picture, twice as wide and high as there are bins, to one step of the features.
    """

    def __init__(self, spec: StreamSpec, stride: int) -> None:
        super().__init__(stride, _N_BANDS, last_blocks=2)
        self.bands = spec.grid[0]
        self.stride = stride
        self.requires_grad_(False)

    def find(self, sound: Stream, keep: Tensor | None = None) -> Found:
        """Describe the picture of each clip's sound. Arguments as for `forward`."""
        values = sound.values[:, :, 0, :, 0]  # (B, T, bins)
        there = values.new_ones(values.shape[:2]) if sound.present is None else sound.present.to(values.dtype)
        here = there.any(1)
        mean = (values * there[..., None]).sum(1, keepdim=True) / there.sum(1).clamp(min=1)[:, None, None]
        picture = ((values - mean) * there[..., None]).transpose(1, 2).flip(1)[:, None]  # high bands on top
        images = functional.interpolate(picture, scale_factor=_ENLARGED, mode="bilinear").expand(-1, 3, -1, -1)
        if keep is not None:
            here = here & keep.any(1)
            keep = keep.reshape(len(keep), -1, self.bands).transpose(1, 2).flip(1)
        rows, columns = ((side + self.stride - 1) // self.stride for side in images.shape[2:])
        band = torch.arange(rows, device=values.device) * _N_BANDS // rows
        regions = (band == torch.arange(_N_BANDS, device=values.device)[:, None]).to(values.dtype)  # (R, h)
        return Found(*self.summarise(images, regions[:, :, None].expand(-1, -1, columns), keep), here)

    def forward(self, sound: Stream, keep: Tensor | None = None) -> Heard:
        """Look at the sound.

        Args:
            sound: Values (B, T, 1, bins, 1).
            keep: Patches that count, (B, N) bool; None for all. Sound of which none does is not looked at.
        """
        found = self.find(sound, keep)
        return Heard(self.judge(found), found.present)
