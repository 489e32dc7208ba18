"""What synthetic voices leave in the sound."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hashformer.model.frozen import LEAST_VARIANCE, Found, FrozenLook
from hashformer.model.inputs import Stream, StreamSpec

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


class SoundTraces(FrozenLook):
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
        quarters = torch.arange(_N_BANDS, device=values.device)
        regions = (_quarter_of(rows, values.device) == quarters[:, None]).to(values.dtype)  # (R, h)
        return Found(*self.summarise(images, regions[:, :, None].expand(-1, -1, columns), keep), here)

    def forward(self, sound: Stream, keep: Tensor | None = None) -> Heard:
        """Look at the sound.

        Args:
            sound: Values (B, T, 1, bins, 1).
            keep: Patches that count, (B, N) bool; None for all. Sound of which none does is not looked at.
        """
        found = self.find(sound, keep)
        return Heard(self.judge(found), found.present)

    def places(self, sound: Stream) -> Tensor:
        """What each place of the picture adds to the logit, (B, rows, columns), high bands on top.

        Mean and squared spread of a feature are means over places, so that the logit is a sum over places, exactly:
        it is what all of them add, and the bias.
        """
        found = self.find(sound)
        features = found.features  # (B, C, rows, columns)
        shape, quarter = (-1, 2, features.shape[1], _N_BANDS), _quarter_of(features.shape[2], features.device)
        # Of each row, the values of its quarter: for mean and spread, (B or 1, C, rows, 1).
        (mean, spread), (slope_mean, slope_spread), (middle_mean, middle_spread) = (
            values.reshape(shape)[..., quarter, None].unbind(1)
            for values in (found.summary, self.answer.weight, self.middle[None])
        )
        shares = (features - mean).square().add(LEAST_VARIANCE) / spread
        added = slope_mean * (features - middle_mean) + slope_spread * (shares - middle_spread)
        number = quarter.bincount(minlength=_N_BANDS)[quarter, None] * features.shape[3]
        return torch.where(found.present[:, None, None], added.sum(1) / number, 0.0)


def _quarter_of(rows: int, device: torch.device) -> Tensor:
    """Which part of the spectrum each row belongs to, (rows,)."""
    return torch.arange(rows, device=device) * _N_BANDS // rows
