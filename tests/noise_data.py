"""Training data of noise in which fake clips differ: no files, the same for every process."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch

from hashformer.config.train import load_recipe
from hashformer.data.batch import PackedBatch
from hashformer.data.loaded import Loaded
from hashformer.data.manifest import Row
from hashformer.timebase import Window
from hashformer.train.data import TrainData
from hashformer.train.run import Machines, Places, train
from hashformer.train.split import TrainValRows

N_VAL = 16
UNEVEN = frozenset(8 * step + k for step in range(5) for k in (0, 1, 2))
"""Of joined batches of eight clips: most of those that the first of two devices gets, and none of the second's."""


def rows(split, n=8):
    return [
        Row(
            path=f"{split}/{i}.mp4",
            label=i % 2,
            split=split,
            method="swap" if i % 2 else "real",
            identity_source=f"{split}{i}",
        )
        for i in range(n)
    ]


def noise_batch(numbers, *, second=True, unknown=()):
    """Clips of these numbers; odd ones are fake and bright. `unknown`: numbers whose labels are not known."""
    packed, other = _packed(numbers, 0), _packed(numbers, 1)
    label = torch.tensor([float("nan") if i in unknown else float(i % 2) for i in numbers])
    return Loaded(
        packed=packed,
        packed_second=other if second else None,
        labels={"video": label, "audio": label.clone(), "sync": label * float("nan"), "overall": label.clone()},
        row_idx=[i % 8 for i in numbers],
        windows=[Window(8 * i, 16, 16) for i in numbers],
        track_ids=[0 for _ in numbers],
        kinds=["" for _ in numbers],
        methods=["swap" if i % 2 else "real" for i in numbers],
        corpora=["noise" for _ in numbers],
        masks=None,
        pairs=torch.zeros(0, 2, dtype=torch.int64),
    )


def _packed(numbers, view):
    parts = []
    for i in numbers:
        draw = torch.Generator().manual_seed(1000 * view + i)
        frames = torch.randint(0, 160, (16, 3, 32, 32), generator=draw) + 90 * (i % 2)
        audio = torch.randn(100, 128, generator=draw) * 4 - 10 + 3 * (i % 2)
        parts.append((frames.to(torch.uint8), audio, torch.rand(16, 956, generator=draw)))
    frames, audio, landmarks = (torch.stack(stream) for stream in zip(*parts, strict=True))
    here = torch.ones(len(parts), 16, dtype=torch.bool)
    sound = torch.ones(len(parts), 100, dtype=torch.bool)
    # Every third clip has no sound.
    sound[[k for k, i in enumerate(numbers) if i % 3 == 0]] = False
    return PackedBatch(
        frames=frames, audio=audio, landmarks=landmarks, present={"video": here, "landmarks": here, "audio": sound}
    )


class Loader:
    """What Lightning takes for a loader; a plain list would be many loaders to it."""

    def __init__(self, length, make):
        self.length, self.make = length, make

    def __len__(self):
        return self.length

    def __iter__(self):
        return (self.make(i) for i in range(self.length))


class NoiseData(TrainData):
    """Batches by number; devices share each joined batch of `joined` clips.

    `broken`: a step whose sound is NaN. `killed`: a step at which the process ends on the spot.
    """

    def __init__(self, config, *, joined=4, broken=None, killed=None, unknown=()):
        super().__init__(TrainValRows(train=rows("train"), val=rows("val"), made=False, n_missing=0), None, config)
        self.joined, self.broken, self.killed, self.unknown = joined, broken, killed, unknown

    def _share(self, numbers):
        n = len(numbers) // self._world
        start = self._rank * n
        return numbers[start : start + n]

    def epoch(self, epoch):
        per_epoch = self.config.run.steps_per_epoch
        first = epoch * per_epoch
        return Loader(per_epoch, lambda i: self._step(first + i))

    def _step(self, step):
        if step == self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        loaded = noise_batch(self._share(range(step * self.joined, (step + 1) * self.joined)), unknown=self.unknown)
        if step == self.broken:
            loaded = replace(loaded, packed=replace(loaded.packed, audio=loaded.packed.audio * float("nan")))
        return loaded

    def val_dataloader(self):
        # Joined batches are shared, as in training: alignment depends on which clips come together.
        firsts = range(10_000, 10_000 + N_VAL, self.joined)
        return Loader(len(firsts), lambda i: noise_batch(self._share(range(firsts[i], firsts[i] + self.joined))))


def noise_run(log_dir, *changes, stage="finetune", resume=False, devices=1, load_from=None, **data):
    """A run of the tiny recipe on noise, on the CPU."""
    config = load_recipe("tiny", stage, [*changes, "run.batch_size=4"])
    return train(
        config,
        NoiseData(config, **data),
        Places(log_dir=Path(log_dir), load_from=load_from),
        resume=resume,
        machines=Machines(accelerator="cpu", devices=devices),
    )


if __name__ == "__main__":
    # As a process of its own: log_dir, the number of the step at which it dies (or "never"), joined clips, changes.
    log_dir, killed, joined, stage, *changes = sys.argv[1:]
    unknown = UNEVEN if joined == "8" else ()
    torch.set_num_threads(1)
    noise_run(
        log_dir,
        *changes,
        stage=stage,
        joined=int(joined),
        killed=None if killed == "never" else int(killed),
        unknown=unknown,
    )
