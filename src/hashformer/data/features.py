"""What the model reads of the sound: log-mel bands, or cepstral coefficients."""

import math

import torch
from torch import Tensor

from hashformer.config import FeatureConfig
from hashformer.errors import ConfigError

_FLOOR = 1e-8
"""Added to the power before the logarithm: below the noise of 16-bit sound, so digital silence is no outlier."""


class SoundFeatures:
    """Turns sound into feature frames.

    Frame `i` of a clip is centred on `(i + 0.5) · hop_s` from the clip's start. The windows at the two
    ends reach into `context_samples` of real sound on each side instead of padding, which would mark
    the ends of a clip (and so tell absolute time).
    """

    def __init__(self, config: FeatureConfig, *, sample_rate_hz: int) -> None:
        self.config = config
        self._hop = _whole(config.hop_s * sample_rate_hz, "features.hop_s", sample_rate_hz)
        window = _whole(config.window_s * sample_rate_hz, "features.window_s", sample_rate_hz)
        if window < self._hop or (window - self._hop) % 2:
            raise ConfigError(
                f"features.window_s must exceed hop_s by an even number of samples, got {window} and {self._hop}"
            )
        if config.high_hz > sample_rate_hz / 2:
            raise ConfigError(
                f"features.high_hz={config.high_hz:g} exceeds half the sample rate, {sample_rate_hz / 2:g}"
            )
        self.context_samples = (window - self._hop) // 2
        self._window = torch.hann_window(window, periodic=False)
        self._bands = mel_bands(config, window=window, sample_rate_hz=sample_rate_hz)  # (F, bins)

    def __call__(self, waveform: Tensor) -> Tensor:
        """Compute the features of clips.

        Args:
            waveform: Mono sound with `context_samples` on each side, (B, S + 2 · context), −1 to 1.

        Returns:
            Natural logarithm of mel power, or its cepstrum, (B, S / hop, n_bins) float32.
        """
        pieces = waveform.unfold(-1, self._window.numel(), self._hop) * self._window  # (B, T, W)
        n_fft = 2 * (self._bands.shape[0] - 1)
        spectrum: Tensor = torch.fft.rfft(pieces, n=n_fft)  # (B, T, F)
        power = spectrum.abs().square() / self._window.square().sum()
        log_mel = (power @ self._bands + _FLOOR).log()  # (B, T, bins)
        return log_mel if self.config.kind == "log_mel" else log_mel @ _cosines(self.config.n_bins)


def mel_bands(config: FeatureConfig, *, window: int, sample_rate_hz: int) -> Tensor:
    """Triangular mel filters, (n_fft / 2 + 1, n_bins), on the smallest transform in which none is empty.

    The scale is 2595 · log10(1 + f / 700); a filter rises from its left neighbour's centre and falls to
    its right neighbour's, and weighs 1 at its own.
    """
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (config.low_hz, config.high_hz))
    mel = torch.linspace(low, high, config.n_bins + 2, dtype=torch.float64)
    edges = 700 * (10 ** (mel / 2595) - 1)
    n_fft = 1 << (window - 1).bit_length()
    while True:
        hz = torch.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1, dtype=torch.float64)[:, None]
        rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
        bands = torch.minimum(rising, falling).clamp(min=0)
        if (bands.sum(0) > 0).all():
            return bands.float()
        n_fft *= 2


def _cosines(n_bins: int) -> Tensor:
    """The orthonormal cosine transform of type II, (n_bins, n_bins)."""
    k = torch.arange(n_bins, dtype=torch.float64)
    matrix = torch.cos(math.pi / n_bins * (k[:, None] + 0.5) * k[None, :]) * math.sqrt(2 / n_bins)
    matrix[:, 0] /= math.sqrt(2)
    return matrix.float()


def _whole(samples: float, name: str, sample_rate_hz: int) -> int:
    if abs(samples - round(samples)) > 1e-6 or round(samples) < 1:
        raise ConfigError(f"{name} must be a whole number of samples at {sample_rate_hz} Hz, got {samples:g}")
    return round(samples)
