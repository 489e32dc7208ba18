"""`hashformer doctor`: what is wrong with a corpus on disk, and how to mend it."""

import json as jsonlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from hashformer.data.doctor import Diagnosis
    from hashformer.data.survey import Advance

SHOWN = 20


def doctor(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus, or `folder`.")],
    root: Annotated[Path, typer.Argument(help="Where it was unpacked.")],
    quick: Annotated[bool, typer.Option("--quick", help="Do not open files: corrupt ones are not found.")] = False,
    workers: Annotated[int, typer.Option(min=0, help="Files opened at a time; 0 takes one for each core.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every file.")] = False,
) -> None:
    """Compare a corpus with what it should hold: missing, extra, empty, corrupt and duplicate files.

    Exit code 1 if a listed file is missing, empty or corrupt.
    """
    from hashformer.data.doctor import diagnose

    with opened_files(f"Opening the files of {corpus}") as progress:
        found = diagnose(corpus, root, probing=not quick, workers=workers, progress=progress)
    typer.echo(jsonlib.dumps(asdict(found), indent=2, ensure_ascii=False) if json else _told(found))
    if not found.healthy:
        raise typer.Exit(1)


@contextmanager
def opened_files(title: str) -> "Iterator[Advance]":
    """A progress bar on the terminal, if there is one; yields what to tell it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _told(found: "Diagnosis") -> str:
    lines = [found.release, f"{found.n_rows:,} files listed"]
    lines += _list("missing", found.missing)
    lines += _list("not listed", found.extra)
    lines += _list("empty", found.zero_byte)
    lines += _list("corrupt", [f"{path}: {why}" for path, why in found.corrupt.items()])
    lines += _list("groups with the same content", [" = ".join(paths) for paths in found.duplicates])
    if not found.probed:
        lines.append("corrupt files were not looked for (--quick)")
    return "\n".join([*lines, *found.advice] if found.advice else [*lines, "Nothing to mend."])


def _list(title: str, names: Sequence[str]) -> list[str]:
    more = [f"    and {len(names) - SHOWN:,} more; --json lists all"] if len(names) > SHOWN else []
    return [f"{len(names):,} {title}", *(f"    {name}" for name in names[:SHOWN]), *more]
