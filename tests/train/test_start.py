"""Weights go from clips of one length to those of another, and never to another network."""

import pytest
import torch

from hashformer.config.train import load_recipe
from hashformer.errors import WeightsError
from hashformer.model.weights import save_model
from hashformer.train.start import initial_model

LONG = ("config.clip.duration_s=2.0", "config.clip.stride_s=1.0")


def saved(tmp_path, *changes):
    config = load_recipe("tiny", "finetune", changes)
    model = initial_model(config, None)
    save_model(tmp_path / "weights.safetensors", model, config=config.config, trained=True)
    return model


def test_weights_start_a_training_on_clips_of_another_length(tmp_path):
    other = saved(tmp_path, *LONG)
    started = initial_model(load_recipe("tiny", "finetune", ["run.seed=9"]), tmp_path / "weights.safetensors")
    for name, tensor in started.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


@pytest.mark.parametrize("change", ["config.model.depth=1", "config.clip.fps=8", "config.features.n_bins=64"])
def test_weights_of_another_network_or_other_clips_are_refused(tmp_path, change):
    name, value = change.split("=")
    saved(tmp_path)
    changes = (
        [change] if "clip" not in name else [change, "config.model.video_rate_hz=8", "config.model.landmark_rate_hz=8"]
    )
    if "n_bins" in name:
        changes.append("config.model.audio_bins=64")
    with pytest.raises(WeightsError, match=f"{name} is .*, the recipe says {value}"):
        initial_model(load_recipe("tiny", "finetune", changes), tmp_path / "weights.safetensors")
