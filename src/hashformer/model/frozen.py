"""Images judged by features that stay as they are: what generators leave is told before anything is a token."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hashformer.model.mobile import MobileNet

LEAST_VARIANCE = 1e-4


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


class FrozenLook(nn.Module):
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
        summary = torch.cat([mean, torch.sqrt(variance + LEAST_VARIANCE)], 1).flatten(1)
        if keep is not None:
            some = (number > 0).expand(-1, 2 * features.shape[1], -1).flatten(1)
            summary = torch.where(some, summary, self.middle)
        return summary, features

    def judge(self, found: Found) -> Tensor:
        """Logits of images, (n,); 0 for those that are not there."""
        logits = self.answer(found.summary - self.middle)[:, 0].float()
        return torch.where(found.present, logits, 0.0)
