"""Whether lips and sound move together: both as vectors over time, compared at every lag."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hashformer.model.inputs import Stream, StreamSpec
from hashformer.model.tokens import from_mean

MOTION = 8.0
"""How often the way of a landmark from its mean is enlarged, unless the config says."""
_TEMPERATURE = 8.0
"""Cosines times this are logits of the lags at first."""


class Lags(NamedTuple):
    """What the comparison gives.

    Attributes:
        logit: Lips and sound do not belong together, (B,).
        lags: Logits of the lags, −reach to reach, (B, 2 · reach + 1): at lag d a frame's lips are compared with the
            sound d frames later.
    """

    logit: Tensor
    lags: Tensor


class LipSync(nn.Module):
    """Compares landmarks and sound at lags of up to `reach` frames on both sides.

    Two small convolutional encoders over time, cosine similarity of their vectors at each lag, averaged over the
    clip. Where lips and sound belong together lag 0 stands out. Source: Chung and Zisserman, Out of time (2016);
    an addition to the paper's network, whose fusion tokens find this only after very many clips.

    Args:
        audio: Spec of the sound.
        landmarks: Spec of the landmarks.
        width: Of the vectors.
        reach: Largest lag, frames of the landmarks.
        motion: How often the way from the mean face is enlarged.
    """

    def __init__(self, audio: StreamSpec, landmarks: StreamSpec, *, width: int, reach: int, motion: float) -> None:
        super().__init__()
        self.reach, self.motion = reach, motion
        self.rates_hz = (audio.rate_hz, landmarks.rate_hz)
        self.hears = _encoder(audio.shape[1], width, (5, 5, 5))
        self.sees = _encoder(landmarks.shape[0], width, (1, 3, 3))
        self.temperature = nn.Parameter(torch.tensor(_TEMPERATURE))
        n_lags = 2 * reach + 1
        self.judge = nn.Sequential(nn.Linear(n_lags, 2 * n_lags), nn.GELU(), nn.Linear(2 * n_lags, 1))

    def forward(self, audio: Stream, landmarks: Stream) -> Lags:
        """Compare.

        Args:
            audio: Values (B, Ta, 1, bins, 1).
            landmarks: Values (B, T, 2K, 1, 1).
        """
        seen = self._seen(landmarks)  # (B, T, width)
        heard = self._heard(audio, seen.shape[1])
        alike = torch.einsum("btw,buw->btu", seen.float(), heard.float())  # (B, T, T)
        there = _present(landmarks, seen)[:, :, None] & torch.ones_like(alike, dtype=torch.bool)
        lags = self.temperature * self._by_lag(alike, there)
        return Lags(self.judge(lags)[:, 0], lags)

    def _seen(self, stream: Stream) -> Tensor:
        points = stream.values.flatten(2)  # (B, T, 2K)
        x = self.motion * from_mean(points, stream.present)
        return functional.normalize(self.sees(x), dim=-1)

    def _heard(self, stream: Stream, n_frames: int) -> Tensor:
        x = self.hears(stream.values.flatten(2))  # (B, Ta, width)
        middle = (torch.arange(n_frames, device=x.device) + 0.5) * (self.rates_hz[0] / self.rates_hz[1])
        return functional.normalize(x[:, middle.long().clamp(max=x.shape[1] - 1)], dim=-1)

    def _by_lag(self, alike: Tensor, there: Tensor) -> Tensor:
        """Mean of the similarities at each lag, (B, T, T) to (B, lags); 0 at a lag that the clip does not reach."""
        steps = torch.arange(alike.shape[1], device=alike.device)
        lag = steps[None, :] - steps[:, None]  # (T, T)
        wanted = torch.arange(-self.reach, self.reach + 1, device=alike.device)
        at = (lag[None] == wanted[:, None, None]).to(alike.dtype)  # (lags, T, T)
        counted = there.to(alike.dtype)
        total = torch.einsum("btu,dtu->bd", alike * counted, at)
        return total / torch.einsum("btu,dtu->bd", counted, at).clamp(min=1.0)


def _encoder(n_in: int, width: int, kernels: tuple[int, ...]) -> nn.Sequential:
    layers = [_Layer(n_in if place == 0 else width, width, kernel) for place, kernel in enumerate(kernels)]
    return nn.Sequential(*layers)


class _Layer(nn.Module):
    """A convolution over time, layer norm, GELU; (B, T, C) in and out."""

    def __init__(self, n_in: int, n_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel, padding=kernel // 2)
        self.norm = nn.LayerNorm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        return functional.gelu(self.norm(self.conv(x.transpose(1, 2)).transpose(1, 2)))


def _present(stream: Stream, like: Tensor) -> Tensor:
    if stream.present is not None:
        return stream.present
    return torch.ones(like.shape[:2], dtype=torch.bool, device=like.device)


def lag_loss(lags: Tensor, together: Tensor) -> Tensor:
    """How far lag 0 is from standing out where lips and sound belong together.

    Args:
        lags: Logits of the lags, (B, 2 · reach + 1).
        together: Clips of which that is known, (B,) bool.

    Returns:
        The sum of their cross-entropies; chance is the logarithm of the number of lags for each.
    """
    middle = torch.full((len(lags),), lags.shape[1] // 2, device=lags.device)
    each = functional.cross_entropy(lags.float(), middle, reduction="none")
    return torch.where(together, each, 0.0).sum()
