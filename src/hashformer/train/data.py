"""Loaders of a run: clips and forgeries of the people who train, and those of the people who validate."""

import hashlib
import math
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytorch_lightning as pl
import torch

from hashformer.config.train import TrainConfig
from hashformer.data.draws import DrawSampler, training_loader, validation_loader
from hashformer.data.features import SoundFeatures
from hashformer.data.loaded import Loaded
from hashformer.data.manifest import Row
from hashformer.data.training import ForgedValidation, TrainingClips
from hashformer.train.finish import counted
from hashformer.train.plain import KeptLoader
from hashformer.train.split import TrainValRows
from hashformer.train.stages import STAGES

_VAL_SEED = 1_000_003
"""Added to the seed for validation, so that it does not draw what training draws."""


class TrainData(pl.LightningDataModule):
    """Loaders of a run.

    Training draws depend on the seed and their number alone, and epoch e has the draws after those of epoch
    e − 1, so that a run that is resumed at the end of an epoch reads what an uninterrupted one would have.

    Args:
        rows: Who trains and who validates.
        root: Where prepared files are.
        config: Of the run.
    """

    def __init__(self, rows: TrainValRows, root: Path, config: TrainConfig) -> None:
        super().__init__()
        self.split, self.root, self.config = rows, root, config
        self._kept: KeptLoader | None = None

    @property
    def train_rows(self) -> list[Row]:
        """Rows that train; `row_idx` of a training batch counts them."""
        return self.split.train

    @property
    def val_rows(self) -> list[Row]:
        """Rows that validate."""
        return self.split.val

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the manifest says of the files that are read."""
        whole = hashlib.sha256()
        for row in (*self.train_rows, *self.val_rows):
            whole.update(repr(row).encode())
        return whole.hexdigest()

    def facts(self) -> dict[str, str]:
        """What the weight file says of the data."""
        train, val = self.train_rows, self.val_rows
        return {
            "manifest_sha256": self.fingerprint,
            "train_files": counted([row.method for row in train]),
            "val_files": counted([row.method for row in val]),
            "train_people": str(len({name for row in train for name in row.identities})),
            "val_people": str(len({name for row in val for name in row.identities})),
            "forgeries": ", ".join(name for name, chance in self.config.forge.chances.by_name.items() if chance),
            "val_split": "made here, by identity" if self.split.made else "of the manifest",
        }

    def transfer_batch_to_device(self, batch: Loaded, device: torch.device, dataloader_idx: int) -> Loaded:
        """The batch, with its tensors on the device."""
        del dataloader_idx
        return batch.to(device)

    def train_dataloader(self) -> Iterable[Loaded]:
        """Batches of the epoch that comes."""
        return self.epoch(self.trainer.current_epoch if self.trainer else 0)

    def epoch(self, epoch: int) -> Iterable[Loaded]:
        """Batches of an epoch, counted from 0."""
        per_step = self.config.batch_draws * self._world
        n = self.config.run.steps_per_epoch * per_step
        sampler = DrawSampler(epoch * n, n, batch_draws=self.config.batch_draws, rank=self._rank, world=self._world)
        clips = self._clips(self.train_rows, self.config.strength(epoch), self.config.run.seed)
        return training_loader(clips, self._features, sampler, workers=self.config.run.workers)

    def val_dataloader(self) -> Iterable[Loaded]:
        """Validation clips of this device's share: the same every time."""
        if self._kept is None:
            self._folder = TemporaryDirectory(prefix="hashformer_validation_")
            self._kept = KeptLoader(self._fresh_validation(), Path(self._folder.name))
        return self._kept

    def _fresh_validation(self) -> Iterable[Loaded]:
        workers, seed = self.config.run.workers, self.config.run.seed + _VAL_SEED
        if STAGES[self.config.stage].labelled:
            forged = ForgedValidation(
                self.val_rows, self.root, config=self.config.config, forge=self.config.forge, seed=seed
            )
            kinds = [chance for chance in self.config.forge.chances.by_name.values() if chance]
            batch_rows = max(1, round(self.config.run.batch_size / (1 + len(kinds))))
            return validation_loader(
                forged, self._features, batch_rows=batch_rows, rank=self._rank, world=self._world, workers=workers
            )
        per_step = self.config.batch_draws * self._world
        n = math.ceil(len(self.val_rows) / per_step) * per_step
        sampler = DrawSampler(0, n, batch_draws=self.config.batch_draws, rank=self._rank, world=self._world)
        return training_loader(self._clips(self.val_rows, 1.0, seed), self._features, sampler, workers=workers)

    def _clips(self, rows: list[Row], strength: float, seed: int) -> TrainingClips:
        config, stage = self.config, STAGES[self.config.stage]
        changes = {"strength": config.forge.strength * strength} | (
            {} if stage.labelled else {"per_clip": 0, "blind": 0.0}
        )
        return TrainingClips(
            rows,
            self.root,
            config=config.config,
            forge=config.forge.model_copy(update=changes),
            views=stage.views[: 1 + config.losses.needs_second_view],
            seed=seed,
            step_draws=config.batch_draws * self._world,
        )

    @property
    def _features(self) -> SoundFeatures:
        return SoundFeatures(self.config.config.features, sample_rate_hz=self.config.config.clip.sample_rate_hz)

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self.trainer else 1
