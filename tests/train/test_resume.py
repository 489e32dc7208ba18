"""A run that was killed and resumed ends as one that was not."""

import signal

import pytest
import torch

from hashformer.errors import TrainError
from noise_data import noise_run

STEPS = ("run.steps=6", "run.steps_per_epoch=2", "run.log_every=1")
# Everything that remembers: a teacher, random dropout, an average of the weights.
CHANGES = (*STEPS, "losses.distill_teacher=ema", "config.model.dropout=0.1")


def checkpoint(log_dir, name="last"):
    return torch.load(log_dir / "checkpoints" / f"{name}.ckpt", weights_only=True)


def assert_close(one, other, where=""):
    if isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0, msg=lambda text: f"{where}: {text}")
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            assert_close(one[name], other[name], f"{where}/{name}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for i, pair in enumerate(zip(one, other, strict=True)):
            assert_close(*pair, f"{where}/{i}")
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-6), where
    else:
        assert one == other, where


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_killed_and_resumed_equals_uninterrupted(stage, tmp_path, in_process):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    noise_run(whole, *CHANGES, stage=stage)
    # Step 3 is in the middle of the second epoch.
    died = in_process("-m", "noise_data", broken, 3, 4, stage, *CHANGES)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert checkpoint(broken)["global_step"] == 2
    assert not (broken / "weights.safetensors").exists()
    noise_run(broken, *CHANGES, stage=stage, resume=True)
    one, other = checkpoint(whole), checkpoint(broken)
    assert one["global_step"] == 6
    for part in ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers"):
        assert_close(one[part], other[part], part)
    assert (whole / "weights.safetensors").stat().st_size == (broken / "weights.safetensors").stat().st_size


def test_a_folder_with_a_run_is_not_written_over(tmp_path):
    noise_run(tmp_path, "run.steps=1", "run.steps_per_epoch=1")
    with pytest.raises(TrainError, match="--resume"):
        noise_run(tmp_path, "run.steps=1", "run.steps_per_epoch=1")
    with pytest.raises(TrainError, match=r"optimiser.lr was 0.002, now 0.1"):
        noise_run(tmp_path, "run.steps=1", "run.steps_per_epoch=1", "optimiser.lr=0.1", resume=True)
