"""Settings of network and losses that cannot work are refused."""

import pytest

from hashformer.config import Config, LossConfig, ModelConfig
from hashformer.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head_dim": 7}, "head_dim must be even, got 7"),
        ({"video_patch_px": 15}, "video_patch_px=15 does not divide video_size_px=224"),
        ({"audio_patch_bins": 15}, "audio_patch_bins=15 does not divide audio_bins=128"),
        ({"modalities": ["audio", "audio"]}, "names a stream twice"),
        ({"modalities": []}, "modalities"),
        ({"modalities": ["smell"]}, "modalities"),
        ({"rotary_min_period_s": 99}, "must be below rotary_max_period_s"),
        ({"stem": "convolution"}, "stem"),
        ({"hash_bits": 60}, "hash_bits"),
        ({"widht": 3}, "did you mean 'width'"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig.parse(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoder_width": 30}, "even multiple of decoder_heads=4"),
        ({"contrast_intra": False, "contrast_inter": False}, "both off"),
        ({"distill_masked": False, "distill_cross": False}, "both off"),
        ({"cls_loss_weight": -1}, "cls_loss_weight"),
        ({"video_mask_mode": "freq"}, "video_mask_mode"),
        ({"audio_mask_ratio": 1.0}, "audio_mask_ratio"),
    ],
)
def test_losses_that_cannot_be_computed_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LossConfig.parse(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": {"video_rate_hz": 25}}, r"model\.video_rate_hz=25 must equal clip\.fps=16"),
        ({"model": {"audio_bins": 64}}, r"model\.audio_bins=64 must equal features\.n_bins=128"),
        ({"faces": {"size_px": 96}}, r"model\.video_size_px=224 must equal faces\.size_px=96"),
        ({"features": {"hop_s": 0.02}}, r"model\.audio_rate_hz=100 must equal 1 / features\.hop_s=50"),
        ({"model": {"video_patch_frames": 5}}, r"video_patch_frames=5 must divide the 16 video frames"),
        ({"model": {"audio_patch_frames": 16}}, r"audio_patch_frames=16 must divide the 100 audio frames"),
    ],
)
def test_network_and_clips_must_agree(settings, message):
    with pytest.raises(ConfigError, match=message):
        Config.parse(settings)
