"""What Lightning runs: a step of the objective, a validation, an optimiser."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor, nn

from hashformer.config.train import TrainConfig
from hashformer.data.loaded import Loaded
from hashformer.errors import TrainError
from hashformer.losses import Objective
from hashformer.losses.classification import UNKNOWN_METHOD
from hashformer.losses.used import freeze_unused
from hashformer.model import HashFormer
from hashformer.model.masking import SharedChance
from hashformer.train.batches import complete
from hashformer.train.optim import lr_factor, parameter_groups, train_only
from hashformer.train.scores import JudgedClip, file_table, gathered, judged_clips, validation_metrics
from hashformer.train.stages import STAGES
from hashformer.types import Batch

_NOTES = "hashformer"
_MAY_CHANGE = ("run.workers", "run.log_every", "run.patience", "run.half_weights")
"""Settings that do not touch the weights."""


class TrainModule(pl.LightningModule):
    """A model in training.

    Everything drawn in a step depends on the seed, the number of the step and the device alone, so that a
    resumed run draws what an uninterrupted one would have.

    Args:
        model: Trained in place.
        config: Of the run.
        fingerprint: Of the data; a run is not resumed on other data.
        bf16: Compute in bfloat16 where it is safe; the weights stay in 32 bits.
    """

    def __init__(self, model: HashFormer, config: TrainConfig, fingerprint: str = "", *, bf16: bool = False) -> None:
        super().__init__()
        self.bf16 = bf16
        self.config, self.fingerprint = config, fingerprint
        self.stage = STAGES[config.stage]
        self.objective = Objective(model, config.losses)
        freeze_unused(self.objective)
        if not config.optimiser.stem_lr:
            model.tokenizers.requires_grad_(False)
        train_only(model, config.optimiser.only)
        self.judged: list[JudgedClip] = []
        self._val_losses: list[tuple[float, int]] = []

    def on_train_batch_start(self, batch: Loaded, batch_idx: int) -> None:
        """Make the chance of this step its own."""
        del batch, batch_idx
        torch.manual_seed(step_seed(self.config.run.seed, self.global_step, self.global_rank))

    def training_step(self, batch: Loaded, batch_idx: int) -> Tensor:
        """The weighted loss of a batch."""
        del batch_idx
        chance = SharedChance(
            step_seed(self.config.run.seed, self.global_step), part=self.global_rank, n_parts=self.trainer.world_size
        )
        with self._autocast():
            losses = self.objective(
                self._whole(batch.batch),
                second=None if batch.second is None else self._whole(batch.second),
                generator=chance,
                **self._truth(batch),
            )
        total: Tensor = losses.total
        if not torch.isfinite(total):
            worst = [f"{name} {float(value.detach()):g}" for name, value in {**losses.named, **losses.parts}.items()]
            raise TrainError(f"the loss is {float(total.detach()):g}: {', '.join(worst)}")
        n_clips = len(batch.row_idx)
        # The means of the losses are over all devices: their mean is the loss of the joined batch.
        shown = {f"train/{name}": value.detach() for name, value in losses.named.items()}
        self.log("train/loss", total.detach(), prog_bar=True, sync_dist=True, batch_size=n_clips)
        self.log_dict(shown, sync_dist=True, batch_size=n_clips)
        parts = {f"train_parts/{name}": value for name, value in losses.parts.items()}
        self.log_dict(parts, batch_size=n_clips, rank_zero_only=True)
        return total

    def _whole(self, batch: Batch) -> Batch:
        """With every stream, as DDP wants a gradient for every weight; one device need not compute what is absent."""
        return complete(batch, self.objective.model.specs) if self.trainer.world_size > 1 else batch

    def _truth(self, batch: Loaded) -> dict[str, Any]:
        """What is known of the clips, as far as the losses read it."""
        if not self.stage.labelled:
            return {}
        labels = dict(batch.labels)
        if methods := self.objective.model.config.methods:
            index = [methods.index(name) if name in methods else UNKNOWN_METHOD for name in batch.methods]
            labels["method"] = torch.tensor(index, device=labels["overall"].device)
        return {"labels": labels, "masks": batch.masks, "pairs": batch.pairs}

    def on_train_batch_end(self, outputs: Any, batch: Loaded, batch_idx: int) -> None:
        """Let an EMA teacher follow."""
        del outputs, batch, batch_idx
        self.objective.update_teacher()

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of the gradient, log it, and refuse one that is not finite."""
        del gradient_clip_val, gradient_clip_algorithm
        parameters = [weight for group in optimizer.param_groups for weight in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.config.optimiser.clip_grad or math.inf)
        # Scaled fp16 meets infinite gradients now and then; its scaler leaves such a step out.
        if not torch.isfinite(norm) and self.trainer.precision != "16-mixed":
            raise TrainError(f"the norm of the gradient is {float(norm):g}")
        self.log("train/grad_norm", norm.detach(), rank_zero_only=True, batch_size=1)

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine, as the config says."""
        config = self.config.optimiser
        peak = config.peak_lr(self.config.run.batch_size * self.trainer.world_size)
        optimizer = torch.optim.AdamW(
            parameter_groups(self.objective, peak, config), lr=peak, betas=config.betas, weight_decay=0.0
        )
        factor = partial(
            lr_factor,
            warmup_steps=config.warmup_steps,
            steps=self.config.run.steps,
            least=min(1.0, config.min_lr / peak),
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write down what the run is."""
        checkpoint[_NOTES] = {"config": self.config.model_dump(mode="json"), "data": self.fingerprint}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to go on with another run.

        Raises:
            TrainError: If the config or the data are not those of the checkpoint; it names what differs.
        """
        notes = checkpoint.get(_NOTES)
        if notes is None:
            raise TrainError("the checkpoint was not written by this command")
        old, new = flat(notes["config"]), flat(self.config.model_dump(mode="json"))
        other = [
            f"{name} was {old.get(name)!r}, now {new.get(name)!r}"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name) and name not in _MAY_CHANGE
        ]
        if notes["data"] != self.fingerprint:
            other.append("the manifest, or which of its files are prepared, is another")
        if other:
            raise TrainError(f"--resume goes on with the same run only: {'; '.join(other)}")

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self.judged, self._val_losses = [], []

    def validation_step(self, batch: Loaded, batch_idx: int) -> None:
        """Judge clips, or measure the loss on them where there are no labels."""
        if self.stage.labelled:
            shown = batch.batch
            if all(getattr(shown, name) is None for name in self.objective.model.specs):
                return  # no head can judge one of its clips, as none could judge such a clip among others
            with self._autocast():
                output = self.objective.model(shown)
            self.judged += judged_clips(output, batch)
            return
        seed = step_seed(self.config.run.seed, batch_idx)
        chance = SharedChance(seed, part=self.global_rank, n_parts=self.trainer.world_size)
        specs = self.objective.model.specs
        second = None if batch.second is None else complete(batch.second, specs)
        with self._autocast():
            losses = self.objective(complete(batch.batch, specs), second=second, generator=chance)
        self._val_losses.append((float(losses.total), len(batch.row_idx)))

    def _autocast(self) -> torch.autocast:
        # Lightning's own keeps no cast weights: on a CPU a step then takes twice as long.
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def on_validation_epoch_end(self) -> None:
        """Join what all devices judged, and log what came of it."""
        if not self.stage.labelled:
            self.log("val/loss", self._mean_val_loss(), prog_bar=True, rank_zero_only=False, sync_dist=False)
            return
        self.judged = gathered(self.judged)
        files = file_table(self.judged, self.config.config.timeline.pool_fraction)
        metrics = validation_metrics(self.judged, files)
        best = self.config.run.best
        if (found := metrics.get("val/auc" if best == "overall" else f"val/auc_{best}")) is not None:
            metrics[self.stage.monitor] = found
        if self.stage.monitor not in metrics:
            raise TrainError(
                f"the validation split holds no real or no fake file for {best}, so that no AUC can be computed. "
                "Give it both, or let forgeries be made of its real files."
            )
        for name, value in metrics.items():
            self.log(name, value, prog_bar=name == self.stage.monitor, sync_dist=False)

    def _mean_val_loss(self) -> float:
        sums = torch.tensor(
            [sum(loss * n for loss, n in self._val_losses), float(sum(n for _, n in self._val_losses))],
            dtype=torch.float64,
        )
        if self.trainer.world_size > 1:
            dist.all_reduce(sums := sums.to(self.device))
        return float(sums[0] / sums[1])


def step_seed(seed: int, step: int, part: int = 0) -> int:
    """A seed for one step on one device, unlike those of all others."""
    words = np.random.SeedSequence((seed, step, part)).generate_state(2, np.uint32)
    return int(words[0]) << 31 | int(words[1]) >> 1


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted keys."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found
