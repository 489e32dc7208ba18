"""What happens beside the steps: an average of the weights, and a stop that says why."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, WeightAveraging
from torch import Tensor

from hashformer.data.loaded import Loaded
from hashformer.data.manifest import Row
from hashformer.errors import TrainError
from hashformer.train.plain import save_batch

_SHOWN = 8
"""Files of a batch that an error names; its dump has all."""
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")
"""By which a plain RuntimeError of PyTorch is known as one of memory; a GPU has an error of its own."""


def averaging(decay: float) -> WeightAveraging:
    """An exponential moving average of the weights; it is validated, and what checkpoints hold as their state.

    The average forgets its start: after n updates it keeps at most (1 + n) / (10 + n) of the old, so that
    short runs are not held back by the weights that they began with.

    Args:
        decay: Share of the old average that each step keeps, in the long run.
    """
    return WeightAveraging(use_buffers=False, multi_avg_fn=_moving_average(decay))


def _moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    @torch.no_grad()
    def update(averages: Sequence[Tensor], current: Sequence[Tensor], n_averaged: Tensor | int) -> None:
        n = float(n_averaged)
        torch._foreach_lerp_(list(averages), list(current), 1 - min(decay, (1 + n) / (10 + n)))

    return update


class BatchKeeper(Callback):
    """Remembers the batch at work, so that a stop can name its files and write it down.

    Args:
        rows: Of the manifest, for `training` and `validation`: what `Loaded.row_idx` counts.
        folder: Where a dump goes.
    """

    def __init__(self, rows: Mapping[str, Sequence[Row]], folder: Path) -> None:
        self.rows, self.folder = rows, folder
        self._batch: Loaded | None = None
        self._phase = ""

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, *_: Any) -> None:
        """Remember it."""
        del trainer, pl_module
        self._batch, self._phase = batch, "training"

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, *_: Any
    ) -> None:
        """Remember it."""
        del trainer, pl_module
        self._batch, self._phase = batch, "validation"

    def explain(self, step: int, rank: int, why: str) -> TrainError:
        """Write the batch down and say what happened to it.

        Args:
            step: Steps that were done before.
            rank: Of this device.
            why: What went wrong, and the way out.
        """
        if self._batch is None:
            return TrainError(f"step {step}, before its batch was read: {why}")
        batch = self._batch
        rows = self.rows[self._phase]
        files = list(dict.fromkeys(rows[row_idx].path for row_idx in batch.row_idx))
        dump = self.folder / f"failed_step{step}_rank{rank}.pt"
        self.folder.mkdir(parents=True, exist_ok=True)
        save_batch(batch, dump, files=files)
        shown = ", ".join(files[:_SHOWN]) + (f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else "")
        return TrainError(
            f"{self._phase} stopped at step {step}: {why} Files of the batch: {shown}. The whole batch is in {dump}."
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is used up, on a GPU or on the CPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _MEMORY_WORDS)
