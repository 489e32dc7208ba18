"""What one training step of a recipe costs: operations of forward and backward, and peak memory of a fresh process.

python benchmarks/train_step.py --recipe base --stage finetune --batch 4
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hashformer.config.train import TrainConfig, load_recipe
from hashformer.losses import Objective
from hashformer.losses.used import freeze_unused
from hashformer.model import HashFormer
from hashformer.profiling import example_batch
from hashformer.train.optim import parameter_groups


class Step:
    """A network with its losses and its optimiser, and a batch of noise with every stream."""

    def __init__(self, config: TrainConfig, n_clips: int) -> None:
        torch.manual_seed(0)
        self.objective = Objective(HashFormer(config.config.model), config.losses)
        freeze_unused(self.objective)
        self.optimizer = torch.optim.AdamW(parameter_groups(self.objective, 1e-4, config.optimiser))
        self.batch = example_batch(config.config, n_clips)
        self.second = example_batch(config.config, n_clips) if config.losses.needs_second_view else None
        self.labels = None
        if config.stage == "finetune":
            self.labels = {head: torch.arange(n_clips) % 2.0 for head in ("video", "audio", "sync", "overall")}

    def __call__(self) -> None:
        """Forward, backward, and a step of the optimiser."""
        self.optimizer.zero_grad()
        self.objective(self.batch, second=self.second, labels=self.labels).total.backward()
        self.optimizer.step()


def measure_operations(config: TrainConfig, n_clips: int) -> float:
    """GFLOP of a step, multiplications and additions counted one by one."""
    step = Step(config, n_clips)
    # The fused CPU kernel of attention has no formula in the counter; the plain one is counted in full.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        step()
    return float(counter.get_total_flops()) / 1e9


def measure_memory(config: TrainConfig, n_clips: int) -> float:
    """Peak memory of this process, in 10⁹ bytes, with all its imports, over two steps."""
    step = Step(config, n_clips)
    step()
    step()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024 / 1e9


def main() -> None:
    """Print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="base")
    parser.add_argument("--stage", choices=("pretrain", "finetune"), default="finetune")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--only", choices=("operations", "memory"))
    args = parser.parse_args()
    config = load_recipe(args.recipe, args.stage, args.set)
    if args.only == "memory":
        print(measure_memory(config, args.batch))
        return
    gflop = measure_operations(config, args.batch)
    # A process of its own: the counter's plain attention takes more memory than training does.
    command = [sys.executable, __file__, *sys.argv[1:], "--only", "memory"]
    memory = None
    if args.only is None:
        memory = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    told = {"recipe": args.recipe, "stage": args.stage, "batch": args.batch, "gflop_step": round(gflop, 1)}
    print(json.dumps({**told, "gflop_clip": round(gflop / args.batch, 1), "peak_memory_gb": memory}))


if __name__ == "__main__":
    main()
