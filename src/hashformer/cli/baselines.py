"""`hashformer baselines`: what a detector must beat, measured on the same files."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hashformer.cli.transfer import named
from hashformer.cli.validate import check_installed

if TYPE_CHECKING:
    from hashformer.data.manifest import Row
    from hashformer.studies.baselines import Answers

CAPTION = "AUC by file, 95 % intervals by file; by person in baselines.csv"
SHOWN = 10


def baselines(
    manifest: Annotated[Path, typer.Option("--manifest", help="As `hashformer manifest` writes it.")],
    base_dir: Annotated[Path, typer.Option("--base_dir", help="Where the manifest's paths start.")],
    prepared: Annotated[Path, typer.Option("--prepared", help="Folder of `hashformer preprocess`.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for baselines.json and baselines.csv.")],
    scores: Annotated[
        list[str] | None, typer.Option("--scores", help="NAME=scores.parquet of the same files; repeat it.")
    ] = None,
    split: Annotated[str, typer.Option(help="Only rows of this split; empty for all.")] = "",
    workers: Annotated[int, typer.Option(min=0, help="Files opened at a time; 0 takes one for each core.")] = 0,
    resamples: Annotated[int, typer.Option(min=100, help="Draws of each interval.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds and the draws.")] = 0,
) -> None:
    """Measure what needs no detector: statistics of the files, the offset of lips and sound; and set tables beside it.

    Nothing is trained on other files than these. Exit code 1 if files could not be read; baselines.json tells which.
    """
    check_installed(media=True)
    from hashformer.data.manifest import read_manifest
    from hashformer.evaluate.measure import Resampling
    from hashformer.evaluate.scoring import selected
    from hashformer.report.document import versions
    from hashformer.studies.baselines import compare_answers, table_answers, write_baselines

    rows = selected(read_manifest(manifest), split=split)
    tables = {name: table_answers(Path(path), rows) for name, path in named(scores or [], "--scores").items()}
    own, unreadable = _own(rows, base_dir, prepared, workers=workers, seed=seed)
    if clash := own.keys() & tables.keys():
        raise typer.BadParameter(f"{min(clash)} is a baseline: choose another name", param_hint="--scores")
    how = Resampling(n_resamples=resamples, seed=seed)
    found = compare_answers(rows, own | tables, tables=list(tables), how=how)
    run = {"command": shlex.join(["hashformer", *sys.argv[1:]]), "versions": versions()}
    paths = write_baselines(found | {"split": split, "seed": seed, "unreadable": unreadable, "run": run}, out)
    _show(found)
    words = Console(stderr=True, highlight=False, markup=False)
    words.print(f"Wrote {paths[0]} and {paths[1]}", soft_wrap=True)
    for path, why in list(unreadable.items())[:SHOWN]:
        words.print(f"could not be read: {path}: {why}", soft_wrap=True)
    if unreadable:
        raise typer.Exit(1)


def _own(
    rows: "list[Row]", base_dir: Path, prepared: Path, *, workers: int, seed: int
) -> "tuple[dict[str, Answers], dict[str, str]]":
    from hashformer.cli.doctor import opened_files
    from hashformer.studies.baselines import OFFSET, offset_baseline, statistics_baselines
    from hashformer.studies.file_statistics import gather_facts

    with opened_files("Looking at files") as progress:
        facts, unreadable = gather_facts(rows, base_dir, prepared, workers=workers, progress=progress)
    found = statistics_baselines(rows, facts, unreadable, seed=seed)
    with opened_files("Comparing lips and sound") as progress:
        found[OFFSET] = offset_baseline(rows, prepared, progress=progress)
    return found, unreadable


def _show(found: dict[str, Any]) -> None:
    detectors = found["detectors"]
    table = Table(title="baselines and detectors on the same files", caption=CAPTION)
    for heading in ("part", "real + fake"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for name, detector in detectors.items():
        table.add_column(
            f"{name}\n{detector['n_scored']} of {detector['n_files']} scored", justify="right", overflow="fold"
        )
    for part, first in next(iter(detectors.values()))["parts"].items():
        cells = [_number(detector["parts"][part]["auc"]) for detector in detectors.values()]
        table.add_row(part, f"{first['n_real']:,} + {first['n_fake']:,}", *cells)
    console = Console(highlight=False, markup=False)
    console.print(table)
    for baseline, others in found["against"].items():
        for name, entry in others.items():
            console.print(_against(baseline, name, entry), soft_wrap=True)


def _number(entry: dict[str, Any]) -> str:
    if entry["value"] is None:
        return "undefined"
    ends = "" if entry["low"] is None else f" ({entry['low']:.2f}–{entry['high']:.2f})"
    return f"{entry['value']:.3f}{ends}"


def _against(baseline: str, name: str, entry: dict[str, Any]) -> str:
    if entry.get("difference") is None:
        return f"{name} against {baseline}: not compared, {entry['reason']}"
    ends = "" if entry["low"] is None else f" ({entry['low']:+.3f} to {entry['high']:+.3f})"
    return f"AUC of {name} less that of {baseline}, {entry['n']:,} files: {entry['difference']:+.3f}{ends}"
