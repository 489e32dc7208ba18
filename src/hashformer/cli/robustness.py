"""`hashformer robustness`: how much of the AUC is left when files are spoiled by known kinds at known levels."""

import hashlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from hashformer.cli.validate import check_installed

if TYPE_CHECKING:
    from hashformer.evaluate.intervals import Interval
    from hashformer.evaluate.measure import Resampling
    from hashformer.evaluate.scoring import ScoreTask
    from hashformer.perturb import Perturbation
    from hashformer.studies.robustness import KindResult

CAPTION = "mean: of levels 1 on; scored: at the worst level; same: files that kept their score"
Tables = dict["Perturbation | None", Path]


def robustness(
    manifest: Annotated[Path, typer.Option("--manifest", help="As `hashformer manifest` writes it.")],
    base_dir: Annotated[Path, typer.Option("--base_dir", help="Where the manifest's paths start: media files.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for scores, robustness.json, .csv and study.html.")],
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", "--load_from", help="A weight file, a released name, or a preset.")
    ] = "small",
    kinds: Annotated[str, typer.Option(help="Comma between several; empty for all. `list` prints them.")] = "",
    levels: Annotated[str, typer.Option(help="Such as 1,3,5; empty for all that a kind has.")] = "",
    split: Annotated[str, typer.Option(help="Only rows of this split; empty for all.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many files; 0 for all.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    batch_size: Annotated[int, typer.Option("--batch_size", min=1, help="Clips that the model sees at once.")] = 8,
    resamples: Annotated[int, typer.Option(min=100, help="Draws of each interval.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the perturbations and the draws.")] = 0,
    device: Annotated[str, typer.Option(help="Where the model runs, as PyTorch names it.")] = "cpu",
) -> None:
    """Score files as they are and under every kind and level, and compare the AUCs.

    Whole frames are spoiled before a face is looked for, and sound before its features. An interrupted run is taken
    up by the same command. Exit code 1 if files could not be read as they are.
    """
    if kinds == "list":
        _list_kinds()
        return
    check_installed(media=True)
    from hashformer.evaluate.measure import Resampling
    from hashformer.evaluate.scoring import ScoreTask
    from hashformer.studies.robustness import measure_levels, plan

    words = Console(stderr=True, highlight=False, markup=False)
    perturbations = plan(_names(kinds), _numbers(levels), seed=seed)
    task = ScoreTask(weights=checkpoint, base_dir=base_dir, device=device, batch_size=batch_size)
    tables = _scored(manifest, out, perturbations, task, words, split=split, limit=limit, workers=workers)
    if tables is None:
        words.print("This rank is done; the first one writes the tables.")
        return
    how = Resampling(n_resamples=resamples, seed=seed)
    measured = measure_levels(tables, how)
    _write(measured, tables, out, how, words)
    _show(measured)
    if any(kind.levels[0].n_scored < kind.levels[0].n_files for kind in measured) and _has_errors(tables):
        raise typer.Exit(1)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(level) for level in _names(text)]
    except ValueError as error:
        raise typer.BadParameter(f"levels are whole numbers, such as 1,3,5; got {text!r}") from error


def _scored(
    manifest: Path,
    out: Path,
    perturbations: "Sequence[Perturbation]",
    task: "ScoreTask",
    words: Console,
    *,
    split: str,
    limit: int,
    workers: int,
) -> Tables | None:
    from hashformer.cli.doctor import opened_files
    from hashformer.data.manifest import read_manifest
    from hashformer.studies.robustness import score_levels

    rows = read_manifest(manifest)
    n_runs = len(perturbations) + 1
    names: list[str] = []
    try:
        with opened_files(f"Scoring {n_runs} times") as progress:

            def advance(name: str, done: int, total: int) -> None:
                if name not in names:
                    names.append(name)
                progress((len(names) - 1) * total + done, n_runs * total)

            return score_levels(
                rows,
                out,
                perturbations,
                task=task,
                manifest_sha256=hashlib.sha256(manifest.read_bytes()).hexdigest(),
                split=split,
                limit=limit,
                workers=workers,
                advance=advance,
            )
    except KeyboardInterrupt:
        words.print("Interrupted. What is scored is kept; the same command goes on from here.")
        raise typer.Exit(130) from None


def _write(measured: "Sequence[KindResult]", tables: Tables, out: Path, how: "Resampling", words: Console) -> None:
    from hashformer.evaluate.summary import summarise, write_metrics
    from hashformer.evaluate.table import read_table
    from hashformer.report.document import versions
    from hashformer.report.study import write_study
    from hashformer.report.study_parts import Robustness
    from hashformer.report.study_source import read_study
    from hashformer.studies.robustness import write_robustness

    table, notes = read_table(tables[None])
    run = {"command": shlex.join(["hashformer", *sys.argv[1:]]), "versions": versions()}
    about = {"scored": notes.model_dump(mode="json", exclude={"config"}), "run": run}
    as_json, as_csv = write_robustness(measured, out, about=about)
    write_metrics(summarise(table, notes, how=how) | {"run": run}, tables[None].parent)
    curves = [
        Robustness(
            kind.kind,
            "AUC of files",
            tuple(level.level for level in kind.levels),
            tuple(level.auc for level in kind.levels),
            tuple(_parameter(kind.kind, level.parameter) for level in kind.levels),
        )
        for kind in measured
    ]
    page = write_study(read_study(tables[None].parent, title="Robustness", robustness=curves), out)
    words.print(f"Wrote {as_json}, {as_csv} and {page}", soft_wrap=True)


def _parameter(kind: str, value: float | None) -> str:
    from hashformer.perturb import KINDS

    return "as it is" if value is None else f"{value:g} {KINDS[kind].unit}"


def _show(measured: "Sequence[KindResult]") -> None:
    from hashformer.studies.robustness import literature_mean

    table = Table(title="AUC of files by level; intervals are in robustness.csv", caption=CAPTION)
    numbers = sorted({level.level for kind in measured for level in kind.levels})
    table.add_column("kind", min_width=max(len(kind.kind) for kind in measured))
    for number in numbers:
        table.add_column(str(number) if number else "as it is", justify="right")
    for heading in ("mean", "drop", "scored", "same"):
        table.add_column(heading, justify="right")
    for kind in measured:
        found = {level.level: level for level in kind.levels}
        cells = [_cell(found[number].auc) if number in found else "" for number in numbers]
        clean, mean = kind.levels[0].auc.value, kind.mean_auc
        drop = "" if clean is None or mean is None else f"{clean - mean:+.3f}"
        worst = min(kind.levels, key=lambda level: level.n_scored)
        share = f"{worst.n_scored}/{worst.n_files}"
        unchanged = str(max(level.n_unchanged for level in kind.levels if level.level))
        table.add_row(kind.kind, *cells, "undefined" if mean is None else f"{mean:.3f}", drop, share, unchanged)
    console = Console(highlight=False, markup=False)
    console.print(table)
    mean = literature_mean(measured)
    if mean is not None:
        console.print(f"Mean over the seven kinds of DeeperForensics-1.0 and five levels: {mean:.3f}")


def _cell(auc: "Interval") -> str:
    return "undefined" if auc.value is None else f"{auc.value:.3f}"


def _has_errors(tables: Tables) -> bool:
    from hashformer.evaluate.table import read_table
    from hashformer.evaluate.view import view

    return bool((view(read_table(tables[None])[0], "file").texts["status"] == "error").any())


def _list_kinds() -> None:
    from hashformer.perturb import KINDS

    table = Table(title="perturbations")
    table.add_column("kind", min_width=max(map(len, KINDS)))
    for heading in ("of", "levels 1, 2, …", "unit", "whose"):
        table.add_column(heading)
    for grid in KINDS.values():
        table.add_row(grid.name, grid.stream, " ".join(f"{value:g}" for value in grid.levels), grid.unit, grid.source)
    Console(highlight=False, markup=False).print(table)
