"""Two processes do what one does with the joined batch."""

import csv

import pytest
import torch

from noise_data import UNEVEN, noise_run

STEPS = ("run.steps=5", "run.steps_per_epoch=5", "run.log_every=1", "optimiser.lr=0.001", "optimiser.warmup_steps=0")


def last_values(log_dir):
    """The last value of each column of the log."""
    found = {}
    with (log_dir / "logs" / "csv" / "part_0" / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            found |= {name: float(value) for name, value in row.items() if value}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_two_processes_equal_one(stage, tmp_path, in_process):
    one, two = tmp_path / "one", tmp_path / "two"
    noise_run(one, *STEPS, stage=stage, joined=8, unknown=UNEVEN)
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", 2)
    ran = in_process(*launch, "-m", "noise_data", two, "never", 8, stage, *STEPS)
    assert ran.returncode == 0, ran.stderr
    states = [torch.load(where / "checkpoints" / "last.ckpt", weights_only=True) for where in (one, two)]
    for part in ("state_dict", "current_model_state"):
        for name, value in states[0][part].items():
            torch.testing.assert_close(
                states[1][part][name], value, atol=1e-5, rtol=0, msg=lambda t, n=name: f"{n}: {t}"
            )
    alone, joined = last_values(one), last_values(two)
    shown = {name for name in alone if name.startswith("val/") or name in {"train/loss", "train/grad_norm"}}
    assert shown >= {"val/loss", "train/loss"}
    for name in shown:
        assert joined[name] == pytest.approx(alone[name], abs=1e-4), name
