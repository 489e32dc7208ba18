"""Clips a second that training gets through: the data alone, the model alone, and both together.

python benchmarks/training.py PREPARED MANIFEST --recipe small small-sync --out training.json
python benchmarks/training.py PREPARED MANIFEST --recipe small --profile

The three are measured by turns, round after round, on the same draws. The model alone takes batches that were drawn
before. `both` below the lesser of the two is waiting. `--profile` prints what a step spends its time on.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from path import machine
from torch import nn

from hashformer.config.train import load_recipe
from hashformer.data.loaded import Loaded
from hashformer.data.manifest import read_manifest
from hashformer.model import HashFormer
from hashformer.system import keep_freed_memory
from hashformer.train.data import TrainData
from hashformer.train.module import TrainModule
from hashformer.train.optim import parameter_groups
from hashformer.train.split import train_val_rows


class Training:
    """A recipe's model, optimiser and draws, without the loops around them."""

    def __init__(self, recipe: str, args: argparse.Namespace) -> None:
        config = load_recipe(recipe, "finetune", args.set)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(0)
        is_bf16 = config.run.precision == "bf16"
        self.module = TrainModule(HashFormer(config.config.model), config, bf16=is_bf16).to(self.device)
        rows = read_manifest(args.manifest)
        split = train_val_rows(rows, args.prepared, fraction=config.run.val_fraction, seed=config.run.seed)
        self._data = TrainData(split, args.prepared, config)
        optimiser = config.optimiser
        peak = optimiser.peak_lr(config.run.batch_size)
        groups = parameter_groups(self.module.objective, peak, optimiser)
        self._optimiser = torch.optim.AdamW(groups, lr=peak, betas=optimiser.betas, weight_decay=0.0)

    def batches(self) -> Iterator[Loaded]:
        """The first draws of a run, always the same."""
        return iter(self._data.train_dataloader())

    def step(self, batch: Loaded) -> None:
        """Forward, backward, clipping, and a step of the optimiser."""
        batch = batch.to(self.device)
        self._optimiser.zero_grad()
        with self.module._autocast():
            losses = self.module.objective(batch.batch, second=batch.second, **self.module._truth(batch))
        losses.total.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self._optimiser.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main() -> None:
    """Print a line for each recipe; write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--recipe", nargs="+", default=["small", "small-sync"])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--steps", type=int, default=8, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    keep_freed_memory()
    told: dict[str, Any] = {"machine": machine(), "recipes": {}}
    for recipe in args.recipe:
        training = Training(recipe, args)
        if args.profile:
            _profile(training)
            continue
        told["recipes"][recipe] = _measure(training, args.steps, args.rounds)
        print(_line(recipe, told["recipes"][recipe]), flush=True)
    if args.out:
        args.out.write_text(json.dumps(told, indent=1))


def _measure(training: Training, steps: int, rounds: int) -> dict[str, Any]:
    kept = list(islice(training.batches(), steps))
    for batch in kept[:2]:
        training.step(batch)  # warms up
    found: dict[str, list[float]] = {"data": [], "model": [], "both": []}
    for _ in range(rounds):
        for name, speeds in found.items():
            source = iter(kept)
            if name != "model":
                source = training.batches()
                next(source)  # the workers have started
            start = time.perf_counter()
            n_clips = _count(islice(source, steps), None if name == "data" else training.step)
            speeds.append(n_clips / (time.perf_counter() - start))
    return {
        "clips_per_s": {name: statistics.median(values) for name, values in found.items()},
        "runs": found,
        "batch_clips": [len(batch.row_idx) for batch in kept],
        "load": os.getloadavg()[0],
    }


def _count(batches: Any, step: Callable[[Loaded], None] | None = None) -> int:
    n_clips = 0
    for batch in batches:
        if step is not None:
            step(batch)
        n_clips += len(batch.row_idx)
    return n_clips


def _profile(training: Training) -> None:
    batch = next(training.batches())
    training.step(batch)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if training.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        training.step(batch)
    print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))


def _line(recipe: str, found: dict[str, Any]) -> str:
    speeds = ", ".join(f"{name} {speed:.1f}" for name, speed in found["clips_per_s"].items())
    return f"{recipe}: clips a second: {speeds}; load {found['load']:.1f}"


if __name__ == "__main__":
    main()
