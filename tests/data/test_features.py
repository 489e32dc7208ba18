"""Sound features: against a slow plain version, and free of padding at the ends."""

import math

import numpy as np
import pytest
import torch

from hashformer.config import FeatureConfig
from hashformer.data.features import SoundFeatures, mel_bands
from hashformer.errors import ConfigError

RATE_HZ = 16_000


def slow_log_mel(waveform, config, n_fft):
    """One frame, one band, one frequency at a time."""
    hop, length = round(config.hop_s * RATE_HZ), round(config.window_s * RATE_HZ)
    mel = [2595 * math.log10(1 + hz / 700) for hz in (config.low_hz, config.high_hz)]
    steps = [mel[0] + i * (mel[1] - mel[0]) / (config.n_bins + 1) for i in range(config.n_bins + 2)]
    edges = [700 * (10 ** (m / 2595) - 1) for m in steps]
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * i / (length - 1)) for i in range(length)]
    rows = []
    for start in range(0, len(waveform) - length + 1, hop):
        piece = np.array([waveform[start + i] * hann[i] for i in range(length)])
        row = []
        powers = []
        for k in range(n_fft // 2 + 1):
            turn = np.exp(-2j * np.pi * k * np.arange(length) / n_fft)
            powers.append(abs((piece * turn).sum()) ** 2 / sum(h * h for h in hann))
        for b in range(config.n_bins):
            total = 0.0
            for k, power in enumerate(powers):
                hz = k * RATE_HZ / n_fft
                up = (hz - edges[b]) / (edges[b + 1] - edges[b])
                down = (edges[b + 2] - hz) / (edges[b + 2] - edges[b + 1])
                total += max(0.0, min(up, down)) * power
            row.append(math.log(total + 1e-8))
        rows.append(row)
    return np.array(rows)


def noise(n_samples, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.1, n_samples).astype(np.float32))


def test_log_mel_equals_the_slow_version():
    config = FeatureConfig(n_bins=12)
    features = SoundFeatures(config, sample_rate_hz=RATE_HZ)
    waveform = noise(480 + 2 * features.context_samples)
    n_fft = 2 * (mel_bands(config, window=400, sample_rate_hz=RATE_HZ).shape[0] - 1)
    expected = slow_log_mel(waveform.tolist(), config, n_fft)
    assert features(waveform[None])[0].numpy() == pytest.approx(expected, abs=2e-3)


def test_one_second_is_a_hundred_frames():
    features = SoundFeatures(FeatureConfig(), sample_rate_hz=RATE_HZ)
    assert features(noise(RATE_HZ + 2 * features.context_samples)[None]).shape == (1, 100, 128)


def test_no_filter_is_empty():
    bands = mel_bands(FeatureConfig(), window=400, sample_rate_hz=RATE_HZ)
    assert (bands.sum(0) > 0).all()


def test_a_clip_has_the_features_of_the_same_seconds_of_the_whole():
    """No padding: neighbours see the same sound, so nothing tells where a clip begins."""
    features = SoundFeatures(FeatureConfig(), sample_rate_hz=RATE_HZ)
    context = features.context_samples
    long = noise(3 * RATE_HZ + 2 * context)
    whole = features(long[None])[0]
    part = features(long[RATE_HZ : 2 * RATE_HZ + 2 * context][None])[0]
    assert torch.allclose(whole[100:200], part, atol=1e-5)


def test_a_frame_is_centred_on_its_time():
    features = SoundFeatures(FeatureConfig(), sample_rate_hz=RATE_HZ)
    waveform = torch.zeros(RATE_HZ + 2 * features.context_samples)
    waveform[features.context_samples + 8000] = 1.0  # a click at 0.5 s: on the border of frames 49 and 50
    energy = features(waveform[None])[0].mean(-1).tolist()
    assert energy[49] == pytest.approx(energy[50], abs=0.05)
    assert energy[49] > energy[48]
    assert energy[50] > energy[51]


@pytest.mark.parametrize("hz", [200, 1000, 5000])
def test_a_tone_lights_its_band(hz):
    config = FeatureConfig()
    features = SoundFeatures(config, sample_rate_hz=RATE_HZ)
    times = torch.arange(RATE_HZ + 2 * features.context_samples) / RATE_HZ
    band = features(torch.sin(2 * math.pi * hz * times)[None])[0].mean(0).argmax().item()
    low, high = (2595 * math.log10(1 + f / 700) for f in (config.low_hz, config.high_hz))
    centre = 700 * (10 ** ((low + (band + 1) * (high - low) / 129) / 2595) - 1)
    assert centre == pytest.approx(hz, rel=0.05)


def test_cepstra_are_the_cosine_transform_of_log_mel():
    from scipy.fft import dct

    waveform = noise(1600 + 240)[None]
    log_mel = SoundFeatures(FeatureConfig(n_bins=40), sample_rate_hz=RATE_HZ)(waveform)
    cepstra = SoundFeatures(FeatureConfig(n_bins=40, kind="mfcc"), sample_rate_hz=RATE_HZ)(waveform)
    assert cepstra.numpy() == pytest.approx(dct(log_mel.numpy(), type=2, norm="ortho"), abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hop_s": 0.01003}, "hop_s must be a whole number"),
        ({"window_s": 0.005}, "exceed hop_s"),
        ({"high_hz": 9000}, "half the sample rate"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        SoundFeatures(FeatureConfig(**settings), sample_rate_hz=RATE_HZ)
