"""`hashformer preprocess`: a corpus as it was downloaded to prepared folders."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hashformer.cli.inputs import media_files
from hashformer.errors import SetupError
from hashformer.system import missing_packages, remedy

if TYPE_CHECKING:
    from hashformer.config import Config
    from hashformer.preprocess.run import Outcome, Summary

SHOWN = 20
"""Failures that are printed; all are in failures.csv."""


def preprocess(
    base_dir: Annotated[Path, typer.Option("--base_dir", help="Top folder of the corpus.", show_default=False)],
    output_dir: Annotated[
        Path, typer.Option("--output_dir", help="Top folder of the result, not inside the corpus.", show_default=False)
    ],
    workers: Annotated[int, typer.Option("--workers", min=1, help="Files at work at once.")] = 1,
    num_gpus: Annotated[int | None, typer.Option("--num_gpus", min=1, help="The same as --workers.")] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes of this machine, or a Ray cluster.")
    ] = "local",
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="CSV whose column `path` lists files relative to --base_dir.")
    ] = None,
    config: Annotated[str, typer.Option(help="Preset or YAML file; its rates and faces are used.")] = "small",
) -> None:
    """Find and crop every face of a corpus, with landmarks and sound, ready for training.

    What was prepared before is skipped, so an interrupted run is taken up by the same command. Exit
    code 1 if a file could not be prepared; failures.csv in the output folder says why.
    """
    words = Console(stderr=True, highlight=False)
    if num_gpus is not None:
        workers = num_gpus
        words.print(f"The face models run on the CPU: --num_gpus {num_gpus} is taken as the number of workers.")
    if not base_dir.is_dir():
        raise typer.BadParameter(f"{base_dir} is no folder", param_hint="--base_dir")
    files = _listed(manifest, base_dir) if manifest is not None else media_files([base_dir])[0]
    if not files:
        raise typer.BadParameter("there are no media files", param_hint="--manifest" if manifest else "--base_dir")
    if missing := missing_packages():
        raise SetupError(f"system libraries are missing. As root: {remedy(missing)}")
    from hashformer.config import load_config

    summary = _run(files, (base_dir, output_dir), load_config(config), workers, engine)
    typer.echo(_text(summary, output_dir))
    if summary.failures:
        raise typer.Exit(1)


def _listed(manifest: Path, base_dir: Path) -> list[Path]:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if "path" not in (rows.fieldnames or ()):
                found = ", ".join(rows.fieldnames or ()) or "none"
                raise typer.BadParameter(f"{manifest} has no column path, only {found}", param_hint="--manifest")
            return [base_dir / row["path"] for row in rows if row["path"]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise typer.BadParameter(f"{manifest} cannot be read: {error}", param_hint="--manifest") from error


def _run(
    files: list[Path], folders: tuple[Path, Path], config: "Config", workers: int, engine: Literal["local", "ray"]
) -> "Summary":
    from hashformer.preprocess.run import preprocess_files

    words = Console(stderr=True, highlight=False)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as bar:
        task = bar.add_task("", total=len(files), rate="")
        n_prepared = 0

        def show(outcome: "Outcome") -> None:
            nonlocal n_prepared
            n_prepared += outcome.status == "done"
            minutes = (bar.tasks[task].elapsed or 0) / 60
            bar.update(task, advance=1, rate=f"{n_prepared / minutes:.1f} files/min" if minutes else "")

        try:
            return preprocess_files(files, *folders, config=config, workers=workers, engine=engine, on_outcome=show)
        except KeyboardInterrupt:
            words.print("Interrupted. What is done is kept; the same command goes on from here.")
            raise typer.Exit(130) from None


def _text(summary: "Summary", output_dir: Path) -> str:
    n_ready = summary.n_done + summary.n_skipped
    lines = [
        f"{n_ready} of {summary.n_files} files are prepared ({summary.coverage:.1%}): "
        f"{summary.n_done} now, {summary.n_skipped} before; {len(summary.failures)} failed.",
        f"{len(summary.no_face)} show no face (no_face.csv) and {summary.n_sound_only} hold sound alone.",
    ]
    if summary.n_done:
        minutes = summary.elapsed_s / 60
        rates = f"{summary.n_done / minutes:.1f} files a minute, {summary.media_s / summary.elapsed_s:.2f} × real time"
        lines.append(f"{minutes:.1f} min: {rates}.")
    lines += [f"  {name}: {reason}" for name, reason in sorted(summary.failures)[:SHOWN]]
    if summary.failures:
        lines.append(f"All failures: {output_dir / 'failures.csv'}")
    return "\n".join(lines)
