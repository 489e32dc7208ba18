"""One training run, from a config and data to a weight file; Lightning does the loops."""

import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.strategies import DDPStrategy, Strategy
from pytorch_lightning.utilities import rank_zero_only

from hashformer.config.train import TrainConfig
from hashformer.errors import ConfigError, TrainError
from hashformer.model.calibration import Calibration
from hashformer.train.by_kind import KindAuc, auc_by_kind, write_auc_by_kind
from hashformer.train.callbacks import BatchKeeper, averaging, is_out_of_memory
from hashformer.train.data import TrainData
from hashformer.train.finish import Finished, calibrate, load_average, portable, versions, write_weights
from hashformer.train.linear import solve
from hashformer.train.module import TrainModule
from hashformer.train.scores import file_table, validation_metrics
from hashformer.train.stages import STAGES
from hashformer.train.start import initial_model

LAST, BEST = "last.ckpt", "best.ckpt"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Machines:
    """What the run computes on.

    Attributes:
        accelerator: `auto`, `cpu` or `gpu`.
        devices: On each node; 0 for all. Under torchrun its own number counts.
        nodes: Computers. Under torchrun its own number counts.
    """

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 0
    nodes: int = 1

    @property
    def sizes(self) -> tuple[int | str, int]:
        """Devices on a node, and nodes."""
        local = int(os.environ.get("LOCAL_WORLD_SIZE", "0"))
        if local:
            return local, int(os.environ["WORLD_SIZE"]) // local
        return self.devices or "auto", self.nodes


@dataclass(frozen=True, kw_only=True)
class Places:
    """Files of a run.

    Attributes:
        log_dir: Logs, checkpoints and the config go here.
        out: The weight file; `log_dir/weights.safetensors` if None.
        load_from: A weight file or preset to start from; None for fresh weights.
    """

    log_dir: Path
    out: Path | None = None
    load_from: Path | None = None

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.log_dir / "checkpoints"

    @property
    def weights(self) -> Path:
        """The weight file."""
        return self.out or self.log_dir / "weights.safetensors"


def train(
    config: TrainConfig, data: TrainData, places: Places, *, resume: bool = False, machines: Machines | None = None
) -> Finished | None:
    """Train, and write the weight file.

    Args:
        config: Of the run.
        data: Loaders.
        places: Where things are and go.
        resume: Go on from the last checkpoint; start if there is none.
        machines: What to compute on.

    Returns:
        What came of it, on the first device; None on all others.

    Raises:
        TrainError: If the run cannot go on: the message names step and files.
        ConfigError: If a setting does not fit the machine.
        WeightsError: If `load_from` does not fit.
    """
    machines = machines or Machines()
    last, found = places.checkpoints / LAST, places.log_dir / "found"
    if (last.is_file() or found.is_dir()) and not resume:
        raise TrainError(f"{places.log_dir} holds a run already. Go on with it by --resume, or name another --log_dir.")
    pl.seed_everything(config.run.seed, workers=True, verbose=False)
    precision = _precision(config, machines)
    model = initial_model(config, places.load_from)
    if config.optimiser.solve:
        if machines.sizes[1] > 1 or machines.sizes[0] not in {"auto", 1}:
            raise ConfigError("optimiser.solve runs in one process: start it without torchrun, on one device")
        _write_config(config, places.log_dir)
        steps = solve(model, config, data, found)
        return _finish(TrainModule(model, config, data.fingerprint), data, places, machines, steps=steps)
    module = TrainModule(model, config, data.fingerprint, bf16=precision == "bf16")
    keeper = BatchKeeper({"training": data.train_rows, "validation": data.val_rows}, places.log_dir)
    trainer = _trainer(config, machines, places.log_dir, [keeper, *_callbacks(config, places.checkpoints)])
    _write_config(config, places.log_dir)
    _guarded(trainer, keeper, module, data, last if resume and last.is_file() else None)
    steps = load_average(places.checkpoints / BEST, model)
    return _finish(module, data, places, machines, steps=steps)


def calibrate_only(
    config: TrainConfig, data: TrainData, places: Places, *, machines: Machines | None = None
) -> Finished | None:
    """Judge the validation split with the weights as they are, fit their scores to it, and write them.

    Otherwise as `train`; `places.load_from` says which weights.
    """
    machines = machines or Machines()
    pl.seed_everything(config.run.seed, workers=True, verbose=False)
    model = initial_model(config, places.load_from)
    module = TrainModule(model, config, data.fingerprint, bf16=_precision(config, machines) == "bf16")
    places.log_dir.mkdir(parents=True, exist_ok=True)
    return _finish(module, data, places, machines, steps=0)


def _guarded(trainer: pl.Trainer, keeper: BatchKeeper, module: TrainModule, data: TrainData, last: Path | None) -> None:
    try:
        trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
    except TrainError as error:
        raise keeper.explain(trainer.global_step, trainer.global_rank, f"{error}.") from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        why = f"memory is used up; lower --batch_size, now {module.config.run.batch_size}."
        raise keeper.explain(trainer.global_step, trainer.global_rank, why) from error
    if trainer.interrupted:
        raise KeyboardInterrupt


def _callbacks(config: TrainConfig, folder: Path) -> list[Callback]:
    stage = STAGES[config.stage]
    callbacks: list[Callback] = [LearningRateMonitor("step")]
    if config.run.ema_decay:
        callbacks.append(averaging(config.run.ema_decay))
    if config.run.patience:
        callbacks.append(
            EarlyStopping(stage.monitor, mode=stage.better, patience=config.run.patience, check_on_train_epoch_end=True)
        )
    if sys.stderr.isatty():
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    common: dict[str, Any] = {
        "dirpath": folder,
        "enable_version_counter": False,
        "save_on_train_epoch_end": True,
        "auto_insert_metric_name": False,
    }
    # The best first: the last then holds which is the best.
    best = ModelCheckpoint(filename="best", monitor=stage.monitor, mode=stage.better, save_top_k=1, **common)
    last = ModelCheckpoint(filename="last", save_top_k=1, **common)
    return [*callbacks, best, last]


def _trainer(config: TrainConfig, machines: Machines, log_dir: Path, callbacks: list[Callback]) -> pl.Trainer:
    devices, nodes = machines.sizes
    has_bar = any(isinstance(callback, RichProgressBar) for callback in callbacks)
    return pl.Trainer(
        accelerator=machines.accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=_strategy(devices, nodes),
        precision="16-mixed" if _precision(config, machines) == "fp16" else "32-true",
        max_epochs=config.run.epochs,
        limit_train_batches=config.run.steps_per_epoch,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        log_every_n_steps=config.run.log_every,
        logger=_loggers(log_dir),
        callbacks=callbacks,
        default_root_dir=log_dir,
        enable_progress_bar=has_bar,
        enable_model_summary=False,
    )


def _strategy(devices: int | str, nodes: int) -> Strategy | str:
    several = nodes > 1 or (devices == "auto" and torch.cuda.device_count() > 1) or devices not in {"auto", 1}
    return DDPStrategy() if several else "auto"


def _precision(config: TrainConfig, machines: Machines) -> Literal["fp32", "bf16", "fp16"]:
    on_gpu = machines.accelerator != "cpu" and torch.cuda.is_available()
    wanted = config.run.precision
    if wanted == "auto":
        return "bf16" if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if wanted == "fp16" and not on_gpu:
        raise ConfigError("run.precision=fp16 needs a GPU; a CPU computes in fp32, or in bf16 if it is asked to")
    return wanted


def _loggers(log_dir: Path) -> list[Logger]:
    """CSV and TensorBoard; each start of a run, resumed or not, writes a folder of its own."""
    logs = log_dir / "logs"
    n_before = len(list(logs.glob("csv/part_*")))
    return [
        CSVLogger(logs, name="csv", version=f"part_{n_before}"),
        TensorBoardLogger(logs, name="tensorboard", version=f"part_{n_before}", default_hp_metric=False),
    ]


@rank_zero_only
def _write_config(config: TrainConfig, log_dir: Path) -> None:
    log_dir.mkdir(parents=True, exist_ok=True)
    (log_dir / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")


def _finish(module: TrainModule, data: TrainData, places: Places, machines: Machines, *, steps: int) -> Finished | None:
    config, stage = module.config, STAGES[module.config.stage]
    calibration, metrics, by_kind = None, {}, list[KindAuc]()
    if stage.labelled:
        # A bare trainer: the average is in place already, and nothing is to be written.
        devices, nodes = machines.sizes
        judge = pl.Trainer(
            accelerator=machines.accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=_strategy(devices, nodes),
            precision="16-mixed" if _precision(config, machines) == "fp16" else "32-true",
            logger=False,
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        judge.validate(module, datamodule=data, verbose=False)
        pool_fraction = config.config.timeline.pool_fraction
        calibration = calibrate(module.judged, pool_fraction, of_parts=config.config.model.evidence)
        files = file_table(module.judged, pool_fraction, calibration)
        metrics = validation_metrics(module.judged, files)
        by_kind = auc_by_kind(files, data.val_rows)
    if module.global_rank:
        return None
    if by_kind:
        write_auc_by_kind(by_kind, places.log_dir / "auc_by_kind.csv")
    facts = data.facts() | {f"version_{name}": version for name, version in versions().items()}
    facts |= {
        "stage": stage.name,
        "steps": str(steps),
        "seed": str(config.run.seed),
        "recipe": portable(config).to_yaml(),
    }
    facts |= {name: f"{value:.4f}" for name, value in metrics.items()}
    model = module.objective.model.cpu()
    write_weights(places.weights, model, config, trained=stage.trained, calibration=calibration, facts=facts)
    return Finished(
        weights=places.weights,
        checkpoint=places.checkpoints / BEST if steps and not config.optimiser.solve else None,
        metrics=metrics,
        facts=facts,
        calibration=calibration or Calibration(),
        by_kind=by_kind,
    )
