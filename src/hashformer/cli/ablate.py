"""`hashformer ablate`: the method without each of its parts."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from hashformer.cli.transfer import named
from hashformer.errors import ConfigError

if TYPE_CHECKING:
    from hashformer.studies.ablation import Train, Variant


def ablate(
    manifest: Annotated[Path, typer.Option("--manifest", help="As `hashformer manifest` writes it.")],
    prepared: Annotated[Path, typer.Option("--base_dir", "--prepared", help="Prepared files of the manifest.")],
    out: Annotated[Path, typer.Option("--out", help="A folder for each variant, ablation.json and ablation.csv.")],
    variants: Annotated[str, typer.Option(help="Their names, separated by commas; empty for all.")] = "",
    weights: Annotated[
        list[str] | None, typer.Option("--weights", help="VARIANT=WEIGHTS: taken, not trained; repeat it.")
    ] = None,
    load_from: Annotated[Path | None, typer.Option("--load_from", help="Pretrained weights to start from.")] = None,
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a YAML file.")] = "small",
    changes: Annotated[list[str] | None, typer.Option("--set", help="key=value over the recipe; repeat it.")] = None,
    split: Annotated[str, typer.Option(help="Rows to test on.")] = "test",
    limit: Annotated[int, typer.Option(min=0, help="Smoke run: so many files, and steps; 0 for all.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that score, one thread each.")] = 1,
    resamples: Annotated[int, typer.Option(min=100, help="Draws of each interval.")] = 1000,
    device: Annotated[Literal["auto", "cpu", "gpu"], typer.Option(help="What to train on.")] = "auto",
) -> None:
    """Switch off each part of the method, train or take the variant, and compare it with the whole.

    Every variant is trained alike, with the same data and seed. An interrupted run is taken up by the same
    command. Exit code 1 if a variant could not be trained or loaded.
    """
    from hashformer.cli.doctor import opened_files
    from hashformer.data.manifest import read_manifest
    from hashformer.evaluate.measure import Resampling
    from hashformer.studies.ablation import VARIANTS
    from hashformer.studies.ablation import ablate as run
    from hashformer.studies.transfer import Target, write_cells

    tested = Target(
        name=manifest.stem,
        rows=read_manifest(manifest),
        manifest_sha256=hashlib.sha256(manifest.read_bytes()).hexdigest(),
        base_dir=None,
        prepared=prepared,
    )
    with opened_files("Scoring") as advance:
        found = run(
            [name for name in variants.split(",") if name] or list(VARIANTS),
            tested,
            out,
            train=_trainer(
                manifest, prepared, out, load_from=load_from, recipe=recipe, changes=changes, limit=limit, device=device
            ),
            given=named(weights or [], "--weights"),
            split=split,
            limit=limit,
            workers=workers,
            how=Resampling(n_resamples=resamples),
            advance=lambda name: advance,
        )
    write_cells(found, {"variant": found["variants"]}, out / "ablation.json")
    _show(found["variants"])
    if any("error" in cell for cell in found["variants"].values()):
        raise typer.Exit(1)


def _trainer(
    manifest: Path,
    base_dir: Path,
    out: Path,
    *,
    load_from: Path | None,
    recipe: str,
    changes: list[str] | None,
    limit: int,
    device: Literal["auto", "cpu", "gpu"],
) -> "Train":
    from hashformer.cli.train import Options, run_stage
    from hashformer.config.train import load_recipe

    def train(name: str, variant: "Variant") -> Path:
        whole = list(changes or [])
        full = load_recipe(recipe, "finetune", whole)
        part = variant.over(full.config.model.modalities)
        if part and load_recipe(recipe, "finetune", [*whole, *part]) == full:
            raise ConfigError(
                f"{name}: recipe {recipe} has this off already. Switch it on with --set, or leave the variant out."
            )
        log_dir = out / name
        weights = log_dir / "weights.safetensors"
        if not weights.is_file():
            options = Options(
                base_dir=base_dir,
                manifest=manifest,
                log_dir=log_dir,
                recipe=recipe,
                changes=[*whole, *part],
                batch_size=None,
                load_from=load_from if variant.pretrained else None,
                resume=True,
                limit=limit,
                device=device,
                devices=0,
                nodes=1,
                workers=None,
                decode=False,
                seed=None,
                out=None,
            )
            run_stage("finetune", options)
        return weights

    return train


def _show(variants: dict[str, Any]) -> None:
    console = Console(highlight=False, markup=False)
    table = Table(title="the method without each of its parts, by video", caption="difference: DeLong's test")
    for heading in ("variant", "head", "AUC", "difference from full", "p"):
        table.add_column(heading, justify="left" if heading in {"variant", "head"} else "right")
    for name, cell in variants.items():
        if "error" in cell:
            table.add_row(name, "", "failed", "", "")
        elif "auc" in cell:
            table.add_row(name, "overall", *_row(cell))
            for head, found in cell["heads"].items():
                table.add_row("", head, *_row(found))
        else:
            table.add_row(name, "", "nothing scored", "", "")
    console.print(table)
    for name, cell in variants.items():
        if "error" in cell:
            console.print(f"{name}: {cell['error']}", soft_wrap=True)


def _row(cell: dict[str, Any]) -> tuple[str, str, str]:
    auc = cell["auc"]
    ends = "" if auc["low"] is None else f" ({auc['low']:.3f}–{auc['high']:.3f})"
    value = "undefined" if auc["value"] is None else f"{auc['value']:.3f}{ends}"
    found = cell.get("against_full", {}).get("video_auc")
    if found is None or found["difference"] is None:
        return value, "", ""
    ends = "" if found["low"] is None else f" ({found['low']:+.3f} to {found['high']:+.3f})"
    return value, f"{found['difference']:+.3f}{ends}", "" if found["p_value"] is None else f"{found['p_value']:.3g}"
