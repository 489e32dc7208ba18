"""The autoencoder learns, is stored with its settings, and forges."""

import cv2
import numpy as np
import pytest
import torch

from hashformer.data.forge.autoencoder import Autoencoder, AutoencoderSettings, train_autoencoder
from hashformer.data.forge.resynthesis import neural_kind
from hashformer.errors import ConfigError, TrainError, WeightsError
from make_talker import copy, same, talking_clip

SMALL = AutoencoderSettings(size_px=32, channels=(8, 16), latent_channels=4)


@pytest.fixture(scope="module")
def frames():
    frames = talking_clip(16, size_px=64, gaps=(3,)).frames
    return np.stack([cv2.blur(frame.transpose(1, 2, 0), (5, 5)).transpose(2, 0, 1) for frame in frames])


@pytest.fixture(scope="module")
def trained(frames):
    return train_autoencoder([frames], steps=80, seed=0, settings=SMALL, batch_size=4)


def error(model, frames):
    return np.abs(model.reconstruct(frames).astype(int) - frames).mean()


def test_training_brings_reconstructions_closer(trained, frames):
    faces = np.delete(frames, 3, axis=0)
    begun = train_autoencoder([frames], steps=1, seed=0, settings=SMALL, batch_size=4)
    assert error(trained, faces) < 0.9 * error(begun, faces)
    made = trained.reconstruct(faces)
    assert made.shape == faces.shape
    assert made.dtype == np.uint8


def test_the_same_seed_trains_the_same_weights(frames):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    a, b, c = (train_autoencoder([frames], steps=3, seed=s, settings=SMALL, batch_size=4) for s in (5, 5, 6))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not all(torch.equal(x, y) for x, y in zip(a.parameters(), c.parameters(), strict=True))


def test_a_stored_one_reconstructs_alike(trained, frames, tmp_path):
    trained.save(tmp_path / "faces.safetensors")
    loaded = Autoencoder.load(tmp_path / "faces.safetensors")
    assert loaded.settings == SMALL
    assert np.array_equal(loaded.reconstruct(frames), trained.reconstruct(frames))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_flicker_is_drawn_from_the_rng(trained, frames):
    first, second, other = (
        trained.reconstruct(frames, flicker=0.2, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    with pytest.raises(ValueError, match="rng"):
        trained.reconstruct(frames, flicker=0.2)


@pytest.mark.parametrize("upsample", ["resize", "transposed"])
def test_every_decoder_writes_the_size_it_reads(upsample):
    model = Autoencoder(AutoencoderSettings(size_px=48, channels=(8, 8, 8), upsample=upsample))
    assert model(torch.rand(2, 3, 48, 48)).shape == (2, 3, 48, 48)


def test_it_reads_other_sides_than_it_was_trained_at(trained, frames):
    smooth = trained.reconstruct(frames, side_px=16)
    assert smooth.shape == frames.shape
    assert np.diff(smooth.astype(int)).std() < np.diff(trained.reconstruct(frames, side_px=64).astype(int)).std()
    with pytest.raises(ValueError, match="multiple of 4, got 30"):
        trained.reconstruct(frames, side_px=30)


def test_the_default_is_small():
    n_parameters = sum(parameter.numel() for parameter in Autoencoder(AutoencoderSettings()).parameters())
    assert 3e5 < n_parameters < 1e6


@pytest.mark.parametrize("seed", range(4))
def test_neural_resynthesis_changes_only_what_is_under_the_mask(trained, seed):
    clip = talking_clip(12, gaps=(4,))
    before = copy(clip)
    kind = neural_kind(trained)

    def forge():
        return kind.make(clip, None, rng=np.random.default_rng(seed), sample_rate_hz=16_000)

    forged = forge()
    assert forged.kind == kind.name == "neural_resynthesis"
    outside = np.broadcast_to(forged.mask[:, None] == 0, clip.frames.shape)
    assert np.array_equal(forged.clip.frames[outside], clip.frames[outside])
    assert np.array_equal(forged.clip.frames[4], clip.frames[4])
    assert not np.array_equal(forged.clip.frames, clip.frames)
    assert forged.labels(clip.window) == {"video": 1, "audio": 0, "sync": 0, "overall": 1}
    assert same(forge().clip, forged.clip)
    assert same(clip, before)


def test_what_cannot_be_read_or_trained_is_refused(tmp_path):
    (tmp_path / "junk.safetensors").write_bytes(b"no weights")
    for name in ("junk.safetensors", "missing.safetensors"):
        with pytest.raises(WeightsError, match="not a readable"):
            Autoencoder.load(tmp_path / name)
    with pytest.raises(TrainError, match="no frame"):
        train_autoencoder([np.zeros((3, 3, 32, 32), np.uint8)], steps=1, seed=0, settings=SMALL)
    with pytest.raises(ConfigError, match="multiple of 8"):
        AutoencoderSettings.parse({"size_px": 100})
