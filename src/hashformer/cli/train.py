"""`hashformer train`: from prepared clips to a calibrated detector."""

import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from hashformer.config.train import StageName, TrainConfig
    from hashformer.train.finish import Finished

BaseDir = Annotated[
    Path, typer.Option("--base_dir", help="Prepared files: the --output_dir of `hashformer preprocess`.")
]
Manifest = Annotated[Path, typer.Option("--manifest", help="As `hashformer manifest` writes it.")]
LogDir = Annotated[Path, typer.Option("--log_dir", help="Logs, checkpoints, config and the weight file go here.")]
Recipe = Annotated[str, typer.Option("--recipe", help="Name of a recipe, or a YAML file.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", help="key=value over the recipe, such as optimiser.lr=0.001; repeat it.")
]
BatchSize = Annotated[int | None, typer.Option("--batch_size", min=1, help="Clips a step on each device.")]
LoadFrom = Annotated[Path | None, typer.Option("--load_from", help="A weight file to start from.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last epoch in --log_dir.")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Smoke run: so many files of a split, and steps.")]
Device = Annotated[Literal["auto", "cpu", "gpu"], typer.Option("--device", help="What to compute on.")]
Devices = Annotated[int, typer.Option("--devices", min=0, help="Devices of each node; 0: all GPUs, or one CPU.")]
Nodes = Annotated[int, typer.Option("--nodes", min=1, help="Computers; torchrun's own number counts.")]
Workers = Annotated[int | None, typer.Option("--workers", min=0, help="Loading processes for each device.")]
Decode = Annotated[
    bool, typer.Option("--decode", help="First lay all crops out as pixels in --base_dir: faster, 147 kB a crop.")
]
CalibrateOnly = Annotated[
    bool, typer.Option("--calibrate_only", help="Train nothing: judge the val split with --load_from, fit its scores.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Decides every draw.")]
Out = Annotated[Path | None, typer.Option("--out", help="The weight file; else it goes to --log_dir.")]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What both verbs take."""

    base_dir: Path
    manifest: Path
    log_dir: Path
    recipe: str
    changes: list[str] | None
    batch_size: int | None
    load_from: Path | None
    resume: bool
    limit: int
    device: Literal["auto", "cpu", "gpu"]
    devices: int
    nodes: int
    workers: int | None
    decode: bool
    calibrate_only: bool = False
    seed: int | None
    out: Path | None


def train(
    base_dir: BaseDir,
    manifest: Manifest,
    log_dir: LogDir,
    recipe: Recipe = "small",
    changes: Changes = None,
    batch_size: BatchSize = None,
    load_from: LoadFrom = None,
    resume: Resume = False,
    limit: Limit = 0,
    device: Device = "auto",
    devices: Devices = 0,
    nodes: Nodes = 1,
    workers: Workers = None,
    decode: Decode = False,
    calibrate_only: CalibrateOnly = False,
    seed: Seed = None,
    out: Out = None,
) -> None:
    """Train a detector on prepared clips and on forgeries made of them, calibrate it and write its weight file.

    Real clips are enough. Where the manifest has no val split, people are held out of it. The same command
    runs on a CPU, on GPUs, and under torchrun on several nodes.
    """
    run_stage("finetune", Options(**locals()))


def run_stage(stage: "StageName", options: Options) -> None:
    """Run one stage and say what came of it.

    Raises:
        HashFormerError: If the run cannot be set up or cannot go on.
    """
    from hashformer.data.manifest import read_manifest
    from hashformer.errors import ConfigError
    from hashformer.train.data import TrainData
    from hashformer.train.run import Machines, Places, calibrate_only
    from hashformer.train.run import train as run
    from hashformer.train.split import limited, train_val_rows

    _quiet()
    config = _config(stage, options)
    rows = train_val_rows(
        read_manifest(options.manifest), options.base_dir, fraction=config.run.val_fraction, seed=config.run.seed
    )
    if options.limit:
        rows = replace(rows, train=limited(rows.train, options.limit), val=limited(rows.val, options.limit))
    if options.decode:
        _decode([options.base_dir / row.path for row in (*rows.train, *rows.val)])
    machines = Machines(accelerator=options.device, devices=options.devices, nodes=options.nodes)
    places = Places(log_dir=options.log_dir, out=options.out, load_from=options.load_from)
    data = TrainData(rows, options.base_dir, config)
    if not options.calibrate_only:
        finished = run(config, data, places, resume=options.resume, machines=machines)
    elif options.load_from is None:
        raise ConfigError("--calibrate_only fits the scores of weights: name them by --load_from")
    else:
        finished = calibrate_only(config, data, places, machines=machines)
    if finished is not None:
        _show(finished)


def _decode(folders: Sequence[Path]) -> None:
    from hashformer.preprocess.decoded import decode_crops

    words = Console(stderr=True, highlight=False)
    written = sum(decode_crops(folder) for folder in track(folders, "decoding crops", console=words, transient=True))
    words.print(f"decoded crops: {written / 1e9:.2f} GB written")


def _config(stage: "StageName", options: Options) -> "TrainConfig":
    from hashformer.config.train import load_recipe

    named = {"run.batch_size": options.batch_size, "run.workers": options.workers, "run.seed": options.seed}
    changes = [f"{key}={value}" for key, value in named.items() if value is not None]
    config = load_recipe(options.recipe, stage, [*(options.changes or []), *changes])
    if options.limit:
        config = config.model_copy(update={"run": config.run.limited(options.limit)})
    return config


def _quiet() -> None:
    """Leave out what Lightning says of itself, after its import set that up; warnings of ours go through."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning.*")
    warnings.filterwarnings("ignore", module="torch.*", category=FutureWarning)


def _show(finished: "Finished") -> None:
    words = Console(file=sys.stderr, highlight=False)
    for name, value in sorted(finished.metrics.items()):
        if not name.startswith("val/auc_of/"):
            words.print(f"{name:32} {value:.4f}")
    if finished.by_kind:
        words.print(_kinds(finished))
    for fpr, threshold in finished.calibration.thresholds.items():
        words.print(f"threshold for {float(fpr):.0%} false alarms  {threshold:.4f}")
    if finished.checkpoint is not None:
        words.print(f"made of {finished.checkpoint} (step {finished.facts['steps']})", soft_wrap=True)
    typer.echo(finished.weights)


def _kinds(finished: "Finished") -> Table:
    table = Table(title="AUC by kind against the real clips that it was made of; 95 % intervals over people")
    for name in ("kind", "score", "AUC", "fake + real", "people"):
        table.add_column(name, justify="left" if name in {"kind", "score"} else "right")
    for row in finished.by_kind:
        ends = "" if row.low is None else f" ({row.low:.2f}–{row.high:.2f})"
        auc = "undefined" if row.auc is None else f"{row.auc:.3f}{ends}"
        table.add_row(row.kind, row.head, auc, f"{row.n_fake} + {row.n_real}", str(row.n_people))
    return table
