"""`hashformer index`: known files, and which of them a file is a copy of."""

import json as jsonlib
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from hashformer.cli.inputs import media_files
from hashformer.errors import MediaError, SetupError, StoreError
from hashformer.system import missing_packages, remedy

if TYPE_CHECKING:
    from hashformer.search.coding import Coded
    from hashformer.search.index import Answer, Found

app = typer.Typer(
    name="index",
    help="Find a known video again, also re-encoded, scaled, cropped or trimmed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Files = Annotated[list[Path], typer.Argument(help="Video or sound files, or folders of them.", show_default=False)]
Folder = Annotated[Path, typer.Option("--index", help="Folder of the index.", show_default=False)]
Checkpoint = Annotated[str, typer.Option(help="A weight file, a released name, or a preset.")]
Device = Annotated[str, typer.Option(help="Where the model runs, as PyTorch names it.")]
Workers = Annotated[int, typer.Option(min=0, help="Files at work at once, in processes; 0: one for each core.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(
    files: Files,
    folder: Folder,
    checkpoint: Checkpoint = "small",
    device: Device = "cpu",
    workers: Workers = 1,
) -> None:
    """Add files to an index; the first ones make it.

    Each file is in the index as soon as it is done, so the same command goes on after an interruption. A file that
    is there already, by its SHA-256, is passed over. Exit code 1 if files could not be added; they are listed.
    """
    words = Console(stderr=True, highlight=False)
    paths = _media(files, words)
    from hashformer.preprocess.prepare import sha256_of
    from hashformer.search.coder import Coder
    from hashformer.search.index import HashIndex

    with Coder(checkpoint) as coder, HashIndex(folder, coder, create=True) as index:
        failed: list[str] = []
        todo: list[Path] = []
        for path in paths:
            try:
                if not index.knows(sha256_of(path)):
                    todo.append(path)
            except MediaError as error:
                failed.append(str(error))
        n_added = 0
        for coded in _coded(todo, checkpoint, device, workers, words):
            if coded.file is None:
                failed.append(coded.reason)
            else:
                n_added += index.add([coded.file])
        n_files = len(index.entries())
    for reason in failed:
        words.print(reason, soft_wrap=True, markup=False)
    typer.echo(
        f"{n_added:,} files added, {len(paths) - n_added - len(failed):,} were there; {folder} holds {n_files:,}"
    )
    if failed:
        raise typer.Exit(1)


@app.command()
def search(
    file: Annotated[Path, typer.Argument(help="A video or sound file.", show_default=False)],
    folder: Folder,
    checkpoint: Checkpoint = "small",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Find the known files that a file is a copy of, and which seconds match.

    Exit code 1 if the file could not be read. What was found, or nothing, is output, not an exit code.
    """
    _check_system()
    from hashformer.search.coder import Coder
    from hashformer.search.index import HashIndex

    with Coder(checkpoint, device=device) as coder, HashIndex(folder, coder) as index:
        try:
            answer = index.search(coder.code(file))
        except MediaError as error:
            typer.echo(f"hashformer: {error}", err=True)
            raise typer.Exit(1) from error
    typer.echo(answer.model_dump_json(indent=2) if json else _text(answer))


@app.command(name="list")
def list_files(folder: Folder, json: Json = False) -> None:
    """List the files of an index."""
    from dataclasses import asdict

    from hashformer.report.wording import clock, visible
    from hashformer.search.index import HashIndex

    with HashIndex(folder) as index:
        entries, weights = index.entries(), index.weights
    if json:
        document = {"weights": weights.model_dump(), "files": [asdict(entry) for entry in entries]}
        typer.echo(jsonlib.dumps(document, indent=2, ensure_ascii=False))
        return
    table = Table(title=f"{len(entries):,} files, weights {weights.name} ({weights.sha256[:12]})")
    for heading in ("SHA-256", "file"):
        table.add_column(heading, no_wrap=heading == "SHA-256")
    for heading in ("length", "windows", "added"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(
            entry.sha256[:12], visible(entry.name), clock(entry.duration_s), f"{entry.n_windows:,}", entry.added[:10]
        )
    Console(highlight=False, markup=False).print(table)


@app.command()
def remove(
    sha256: Annotated[str, typer.Argument(help="SHA-256 of the file, or how it begins.", show_default=False)],
    folder: Folder,
) -> None:
    """Remove a file from an index."""
    from hashformer.report.wording import visible
    from hashformer.search.index import HashIndex

    with HashIndex(folder) as index:
        gone = index.remove(sha256)
    typer.echo(f"Removed {visible(gone.name)} ({gone.sha256})")


@app.command()
def fit(
    files: Files,
    folder: Folder,
    checkpoint: Checkpoint = "small",
    device: Device = "cpu",
    workers: Workers = 1,
) -> None:
    """Make an empty index whose codes are spread evenly over ordinary videos.

    Name at least 20 videos of different people and places, of the kind that will be searched, 4.5 s or longer. Its
    threshold is measured on them until it holds 20 files itself. Without this an index takes the model's own codes,
    and finds nothing before it holds 20 files.
    """
    words = Console(stderr=True, highlight=False)
    paths = _media(files, words)
    from hashformer.search.coder import Coder
    from hashformer.search.fit import fit_profile
    from hashformer.search.index import HashIndex
    from hashformer.search.store import FILE_NAME

    if (folder / FILE_NAME).exists():
        raise StoreError(f"{folder}: holds an index, whose codes are fixed. Name a new folder with --index.")
    with Coder(checkpoint) as coder:
        coded = list(_coded(paths, checkpoint, device, workers, words))
        for one in coded:
            if one.file is None:
                words.print(one.reason, soft_wrap=True, markup=False)
        vectors = [one.file for one in coded if one.file is not None]
        profile = fit_profile(vectors, bits=coder.config.model.hash_bits, fitted_on=f"{len(vectors)} videos")
        with HashIndex(folder, coder, profile=profile, create=True):
            pass
    typer.echo(f"{folder}: an empty index, fitted to {len(vectors):,} videos")
    if profile.chance is None:
        words.print("Too few of them last 4.5 s: it finds nothing before it holds 20 files of that length.")


def _media(files: Sequence[Path], words: Console) -> list[Path]:
    _check_system()
    paths, n_others = media_files(files)
    if n_others:
        words.print(f"{n_others} files in the folders have no name of a media file and were left out")
    if not paths:
        raise typer.BadParameter("there are no media files in these folders", param_hint="FILES")
    return paths


def _check_system() -> None:
    if missing := missing_packages():
        raise SetupError(f"system libraries are missing. As root: {remedy(missing)}")


def _coded(paths: list[Path], checkpoint: str, device: str, workers: int, words: Console) -> Iterator["Coded"]:
    if not paths:
        return
    from hashformer.search.coding import code_files

    n_cores = os.cpu_count() or 1
    workers = max(1, min(workers or n_cores, len(paths)))
    columns = (
        *(TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()),
        *(TimeElapsedColumn(), TimeRemainingColumn()),
    )
    with (
        Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as bar,
        closing(
            code_files(paths, checkpoint, device=device, workers=workers, threads=max(1, n_cores // workers))
        ) as coded,
    ):
        shown = bar.add_task("Coding", total=len(paths))
        for one in coded:
            bar.update(shown, advance=1, description=one.path.name)
            yield one


def _text(answer: "Answer") -> str:
    from hashformer.report.wording import visible

    name = visible(answer.query)
    if answer.status == "cannot_tell":
        return f"{name}\n  Cannot tell: {answer.reason}"
    if answer.status == "not_found":
        lines = [f"{name}\n  No copy of any of the {answer.n_files:,} known files was found"]
        lines += [f"  nearest, and no copy by the threshold: {_line(found)}" for found in answer.candidates[:1]]
    else:
        lines = [name, *(f"  copy of {_line(found)}" for found in answer.found)]
    if not answer.weights.trained:
        lines.append("  note: the weights are not trained; codes of such weights still tell copies apart")
    return "\n".join(lines)


def _line(found: "Found") -> str:
    from hashformer.report.wording import clock, visible

    query = f"{clock(found.query.start_s)}–{clock(found.query.end_s)}"
    known = f"{clock(found.known.start_s)}–{clock(found.known.end_s)}"
    chance = "" if found.expected is None else f"; {found.expected:.1g} such matches expected by chance"
    return (
        f"{visible(found.name)} ({found.sha256[:12]}): {query} here is {known} there; {found.windows} of "
        f"{found.compared} windows match, {found.distance:.0%} of bits differ{chance}"
    )
