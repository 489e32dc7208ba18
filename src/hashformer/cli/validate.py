"""`hashformer validate`: score a labelled manifest, and say how good the scores are and how sure that is."""

import hashlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from hashformer.errors import SetupError
from hashformer.system import missing_packages, remedy

if TYPE_CHECKING:
    from hashformer.evaluate.scoring import ScoreTask

SHOWN = 10
"""Reasons and failures that are printed; all are in the files."""
PRINTED = {
    "auc": "AUC",
    "ap": "AP",
    "eer": "EER",
    "accuracy": "accuracy at 0.5",
    "balanced_accuracy": "balanced accuracy",
    "tpr_at_fpr_1": "TPR at 1 % FPR",
    "tpr_at_fpr_5": "TPR at 5 % FPR",
    "ece": "ECE",
}


def validate(
    manifest: Annotated[Path, typer.Option("--manifest", help="As `hashformer manifest` writes it.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for scores.parquet, metrics.json and the report.")],
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", "--load_from", help="A weight file, a released name, or a preset.")
    ] = "small",
    base_dir: Annotated[Path | None, typer.Option("--base_dir", help="Where the manifest's paths start.")] = None,
    prepared: Annotated[
        Path | None, typer.Option("--prepared", help="Folder of `hashformer preprocess`: much faster.")
    ] = None,
    split: Annotated[str, typer.Option(help="Only rows of this split; empty for all.")] = "",
    workers: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    batch_size: Annotated[int, typer.Option("--batch_size", min=1, help="Clips that the model sees at once.")] = 8,
    limit: Annotated[int, typer.Option(min=0, help="At most so many files; 0 for all.")] = 0,
    resamples: Annotated[int, typer.Option(min=100, help="Draws of each interval.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    compare: Annotated[Path | None, typer.Option("--compare", help="Another scores.parquet of the same files.")] = None,
    asv_scores: Annotated[
        Path | None, typer.Option("--asv_scores", help="ASVspoof's official ASV scores, for min t-DCF.")
    ] = None,
    thresholds: Annotated[bool, typer.Option("--thresholds", help="Also fit thresholds for 1, 5, 10 % FPR.")] = False,
    device: Annotated[str, typer.Option(help="Where the model runs, as PyTorch names it.")] = "cpu",
    backend: Annotated[
        Literal["torch", "onnxruntime"], typer.Option(help="What runs the model; onnxruntime is of hashformer[onnx].")
    ] = "torch",
) -> None:
    """Score every file of a manifest once and compute metrics with 95 % intervals, by file and by clip.

    An interrupted run is taken up by the same command. Exit code 1 if files could not be read; they are in the
    table with the reason, and the metrics are given with and without them.
    """
    if base_dir is None and prepared is None:
        raise typer.BadParameter("name where the files are: --base_dir, or --prepared", param_hint="--base_dir")
    check_installed(media=prepared is None)
    from hashformer.evaluate.scoring import ScoreTask

    words = Console(stderr=True, highlight=False)
    task = ScoreTask(
        weights=checkpoint,
        base_dir=base_dir,
        prepared=prepared,
        device=device,
        batch_size=batch_size,
        backend=backend,
    )
    table = _scored(manifest, out, task, words, split=split, limit=limit, workers=workers)
    if table is None:
        words.print("This rank is done; the first one writes the table.")
        return
    metrics = _metrics(table, asv_scores, compare, thresholds=thresholds, n_resamples=resamples, seed=seed)
    _write(metrics, out, task, words)
    _show(metrics)
    if metrics["coverage"]["error"]:
        raise typer.Exit(1)


def check_installed(*, media: bool) -> None:
    """Refuse to begin without the packages of `hashformer[train]`, and for media without the system libraries.

    Raises:
        SetupError: Naming what is missing and how to install it.
    """
    from importlib.util import find_spec

    if lacking := [name for name in ("pyarrow", "sklearn") if find_spec(name) is None]:
        raise SetupError(f"{' and '.join(lacking)} cannot be imported. Install hashformer[train].")
    if media and (missing := missing_packages()):
        raise SetupError(f"system libraries are missing. As root: {remedy(missing)}")


def _scored(
    manifest: Path, out: Path, task: "ScoreTask", words: Console, *, split: str, limit: int, workers: int
) -> Path | None:
    from hashformer.cli.doctor import opened_files
    from hashformer.data.manifest import read_manifest
    from hashformer.evaluate.scoring import score_manifest

    rows = read_manifest(manifest)
    sha256 = hashlib.sha256(manifest.read_bytes()).hexdigest()
    try:
        with opened_files("Scoring") as advance:
            return score_manifest(
                rows,
                out,
                task=task,
                manifest_sha256=sha256,
                split=split,
                limit=limit,
                workers=workers,
                advance=advance,
            )
    except KeyboardInterrupt:
        words.print("Interrupted. What is scored is kept; the same command goes on from here.")
        raise typer.Exit(130) from None


def _metrics(
    table_path: Path, asv_scores: Path | None, other: Path | None, *, thresholds: bool, n_resamples: int, seed: int
) -> dict[str, Any]:
    from hashformer.evaluate.asvspoof import read_asv_scores
    from hashformer.evaluate.measure import Resampling
    from hashformer.evaluate.summary import compare, set_thresholds, summarise
    from hashformer.evaluate.table import read_table
    from hashformer.report.document import versions

    how = Resampling(n_resamples=n_resamples, seed=seed)
    table, notes = read_table(table_path)
    metrics = summarise(table, notes, how=how, asv=None if asv_scores is None else read_asv_scores(asv_scores))
    metrics["run"] = {"command": shlex.join(["hashformer", *sys.argv[1:]]), "versions": versions()}
    if thresholds:
        metrics["thresholds"] = set_thresholds(table)
    if other is not None:
        metrics["compared"] = compare(table, other, how=how)
    return metrics


def _write(metrics: dict[str, Any], out: Path, task: "ScoreTask", words: Console) -> None:
    from functools import partial

    from hashformer.evaluate.pictures import picture_uri
    from hashformer.evaluate.summary import write_metrics
    from hashformer.report.study import write_study
    from hashformer.report.study_source import read_study

    write_metrics(metrics, out)
    picture = partial(picture_uri, base_dir=task.base_dir, prepared=task.prepared)
    page = write_study(read_study(out, thumbnail=picture), out)
    words.print(
        f"Wrote scores.parquet, metrics.json, metrics.csv and {page.name} to {out}", soft_wrap=True, markup=False
    )


def _show(metrics: dict[str, Any]) -> None:
    console = Console(highlight=False, markup=False)
    if not metrics["scored"]["weights"]["trained"]:
        console.print("The weights are not trained: these scores mean nothing.")
    console.print(_levels(metrics))
    console.print(_parts(metrics["per_method"]))
    for line in _covered(metrics["coverage"]) + _compared(metrics.get("compared")) + _set(metrics.get("thresholds")):
        console.print(line, soft_wrap=True)


def _levels(metrics: dict[str, Any]) -> Table:
    table = Table(title="overall score, 95 % intervals by video", caption="a video: one file, by its most suspect face")
    for heading in ("", "by video", "with failures as errors", "by clip"):
        table.add_column(heading, justify="right" if heading else "left")
    sides = [metrics["video"], metrics["video_failures_as_errors"], metrics["clip"]]
    for name, word in PRINTED.items():
        table.add_row(word, *(_number(side[name]) for side in sides))
    table.add_row("n", *(str(side["auc"]["n"]) for side in sides))
    return table


def _parts(parts: dict[str, Any]) -> Table:
    table = Table(title="fakes of each method against real files, by video")
    for heading in ("method", "fake + real", "compared with", "AUC", "EER"):
        table.add_column(heading, justify="right" if heading in {"fake + real", "AUC", "EER"} else "left")
    for name, part in parts.items():
        counts = f"{part['n_fake']:,} + {part['n_real']:,}"
        table.add_row(name, counts, part["reals"], _number(part["auc"]), _number(part["eer"]))
    return table


def _number(entry: dict[str, Any]) -> str:
    if entry["value"] is None:
        return "undefined"
    ends = "" if entry["low"] is None else f" ({entry['low']:.3f}–{entry['high']:.3f})"
    return f"{entry['value']:.3f}{ends}"


def _covered(coverage: dict[str, Any]) -> list[str]:
    n_files, n_scored = coverage["n_files"], coverage["n_scored"]
    lines = [f"{n_scored:,} of {n_files:,} files gave a score ({coverage['share']:.1%})"]
    for status, word in (("cannot_tell", "cannot be told"), ("error", "could not be read")):
        lines += [f"    {count:,} {word}: {why}" for why, count in list(coverage["reasons"][status].items())[:SHOWN]]
    return lines


def _compared(compared: dict[str, Any] | None) -> list[str]:
    if compared is None:
        return []
    found = compared["video_auc"]
    if found["difference"] is None:
        return [f"Not compared with {compared['other']['name']}: {found['reason']}"]
    ends = "" if found["low"] is None else f" ({found['low']:+.3f} to {found['high']:+.3f}, p = {found['p_value']:.3g})"
    return [
        f"AUC by video less that of {compared['other']['name']}, {found['n']:,} files: {found['difference']:+.3f}{ends}"
    ]


def _set(thresholds: dict[str, Any] | None) -> list[str]:
    if thresholds is None:
        return []
    told = [f"{name.removeprefix('fpr_')} %: {entry['threshold']:.4f}" for name, entry in _rates(thresholds)]
    return [f"Thresholds for false alarms of {', '.join(told) or thresholds['reason']}"]


def _rates(thresholds: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, entry) for name, entry in thresholds.items() if name.startswith("fpr_")]
