"""Whether lips and sound move together: both as vectors over time, compared at every lag."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hashformer.model.inputs import Stream, StreamSpec
from hashformer.model.tokens import from_mean

MOTION = 8.0
"""How often the way of a landmark from its mean is enlarged, unless the config says."""
_HEARS, _SEES = (5, 5, 5), (1, 3, 3)
"""Kernels over time: of the sound's frames, 10 ms each, and of the landmarks'."""


def _lost(kernels: tuple[int, ...]) -> int:
    """Steps that convolutions without padding lose at each end."""
    return sum(kernel // 2 for kernel in kernels)


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
    clip. Where lips and sound belong together lag 0 stands out. The convolutions are not padded: the ends of a clip
    would tell time itself, lips and sound alike, and lag 0 would stand out for any sound.

    Source: Chung and Zisserman, Out of time (2016). An addition to the paper's network, whose fusion tokens find this
    only after very many clips.

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
        self.hears = _encoder(audio.shape[1], width, _HEARS)
        self.sees = _encoder(landmarks.shape[0], width, _SEES)
        self.temperature = nn.Parameter(torch.tensor(_TEMPERATURE))
        n_lags = 2 * reach + 1
        self.judge = nn.Sequential(nn.Linear(n_lags, 2 * n_lags), nn.GELU(), nn.Linear(2 * n_lags, 1))
        self.surprise = nn.Parameter(torch.tensor([1.0, -1.0]))

    def forward(self, audio: Stream, landmarks: Stream) -> Lags:
        """Compare.

        Args:
            audio: Values (B, Ta, 1, bins, 1).
            landmarks: Values (B, T, 2K, 1, 1).
        """
        seen = self._seen(landmarks)  # (B, T, width)
        heard = self._heard(audio, seen.shape[1])
        alike = torch.einsum("btw,buw->btu", seen.float(), heard.float())  # (B, T, T)
        there = self._there(landmarks)[:, :, None] & torch.ones_like(alike, dtype=torch.bool)
        lags = self.temperature * self._by_lag(alike, there)
        chances = lags.log_softmax(1)
        surprise = -chances[:, self.reach]  # of hearing at lag 0 what fits best
        return Lags(self.judge(chances)[:, 0] + self.surprise[0] * surprise + self.surprise[1], lags)

    def _seen(self, stream: Stream) -> Tensor:
        points = stream.values.flatten(2)  # (B, T, 2K)
        return _vectors(self.sees, self.motion * from_mean(points, stream.present), _SEES)

    def _heard(self, stream: Stream, n_frames: int) -> Tensor:
        vectors = _vectors(self.hears, stream.values.flatten(2), _HEARS)  # (B, Ta, width)
        middle = torch.arange(n_frames, device=vectors.device) + _lost(_SEES) + 0.5  # in frames of the landmarks
        index = (middle * (self.rates_hz[0] / self.rates_hz[1])).long() - _lost(_HEARS)
        return vectors[:, index.clamp(min=0, max=vectors.shape[1] - 1)]

    @staticmethod
    def _there(stream: Stream) -> Tensor:
        """Vectors that rest on the clip alone, and on a frame that shows the face, (B, T)."""
        lost, values = _lost(_SEES), stream.values
        steps = torch.arange(values.shape[1], device=values.device)
        inside = (steps < values.shape[1] - 2 * lost).expand(len(values), -1)
        if stream.present is None:
            return inside
        return inside & functional.pad(stream.present, (0, lost))[:, lost:]

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
    """A convolution over time without padding, layer norm, GELU; (B, T, C) in and out."""

    def __init__(self, n_in: int, n_out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel)
        self.norm = nn.LayerNorm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        return functional.gelu(self.norm(self.conv(x.transpose(1, 2)).transpose(1, 2)))


def _vectors(encoder: nn.Module, x: Tensor, kernels: tuple[int, ...]) -> Tensor:
    """Unit vectors, as many as steps, (B, T, C) to (B, T, width): the first is that of step `_lost(kernels)`.

    The last ones rest on zeros behind the end, so that a clip of any length can be read; they are not to be used.
    """
    return functional.normalize(encoder(functional.pad(x, (0, 0, 0, 2 * _lost(kernels)))), dim=-1)


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
