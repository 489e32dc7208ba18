"""`hashformer detect`: score files, tell the person, write the documents."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hashformer.cli.detect_batch import BatchAsked, detect_batch
from hashformer.cli.inputs import media_files
from hashformer.errors import SetupError, StoreError
from hashformer.system import missing_packages, remedy

if TYPE_CHECKING:
    from hashformer.detector import Detector
    from hashformer.results import Detection, Document


def detect(
    files: Annotated[list[Path] | None, typer.Argument(help="Video or sound files, or folders of them.")] = None,
    video_path: Annotated[list[Path] | None, typer.Option("--video_path", help="The same as FILES.")] = None,
    checkpoint: Annotated[str, typer.Option(help="A weight file, a released name, or a preset.")] = "small",
    out: Annotated[Path | None, typer.Option(help="Folder for results.json, report.html and their hashes.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the JSON document instead of the summary.")] = False,
    timings: Annotated[bool, typer.Option("--timings", help="Also print how long each stage took.")] = False,
    device: Annotated[str, typer.Option(help="Where the model runs, as PyTorch names it.")] = "cpu",
    backend: Annotated[
        Literal["torch", "onnxruntime"], typer.Option(help="What runs the model; onnxruntime is of hashformer[onnx].")
    ] = "torch",
    embed: Annotated[
        bool, typer.Option("--embed/--no-embed", help="Put small files into the report, so that it plays them.")
    ] = True,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Batch: so many processes, 0 for one on each core; each file is written to --out."),
    ] = None,
    reports: Annotated[
        Literal["all", "suspect", "none"], typer.Option(help="Batch: which files get an HTML report.")
    ] = "all",
    redo: Annotated[bool, typer.Option("--redo", help="Batch: score again what an earlier run scored.")] = False,
) -> None:
    """Score files: which faces, which seconds, how likely fake, or why it cannot be told.

    With --workers it is a batch: --out gets a JSON document and a report for each file as soon as it is done,
    results.csv and index.html, and the same command goes on after an interruption.

    Exit code 1 if a file could not be read; it is in the results with the reason.
    """
    words = Console(stderr=True, highlight=False)
    asked = [*(files or []), *(video_path or [])]
    paths = _wanted(asked, words)
    if workers is not None and (out is None or json or timings):
        raise typer.BadParameter("a batch needs --out, and prints no --json and no --timings", param_hint="--workers")
    if out is not None:
        # Before the work, not after it: a folder that cannot be made must not cost the results.
        with _writing(out):
            out.mkdir(parents=True, exist_ok=True)
    if missing := missing_packages():
        raise SetupError(f"system libraries are missing. As root: {remedy(missing)}")
    if workers is not None and out is not None:
        detect_batch(
            BatchAsked(
                named=asked,
                files=paths,
                checkpoint=checkpoint,
                options={"device": device, "backend": backend},
                out=out,
                workers=workers,
                reports=reports,
                redo=redo,
            ),
            words,
        )
        return
    from hashformer.detector import Detector
    from hashformer.report.document import make_document

    with Detector(checkpoint, device=device, backend=backend) as detector:
        if not detector.weights.trained:
            words.print("[bold]The weights are not trained: the scores mean nothing.[/bold]")
        results = _run(detector, paths, words, evidence=out is not None)
        settings = detector.config.model_dump(mode="json")
    document = make_document(results, settings=settings)
    _show(document, json=json, timings=timings)
    if out is not None:
        _write(document, out, paths[: len(results)] if embed else None)
        words.print(f"Wrote {out / 'results.json'} and {out / 'report.html'}", soft_wrap=True, markup=False)
    if len(results) < len(paths):
        words.print(f"Interrupted: {len(paths) - len(results)} of {len(paths)} files were not looked at.")
        raise typer.Exit(130)
    if any(result.status == "error" for result in results):
        raise typer.Exit(1)


def _wanted(asked: list[Path], words: Console) -> list[Path]:
    if not asked:
        raise typer.BadParameter("name at least one file or folder", param_hint="FILES")
    paths, n_others = media_files(asked)
    if n_others:
        words.print(f"{n_others} files in the folders have no name of a media file and were left out")
    if not paths:
        raise typer.BadParameter("there are no media files in these folders", param_hint="FILES")
    return paths


def _show(document: "Document", *, json: bool, timings: bool) -> None:
    from hashformer.report.document import to_json
    from hashformer.report.text import summary, timing_table

    if json:
        typer.echo(to_json(document), nl=False)
    else:
        typer.echo("\n\n".join(summary(file, document) for file in document.files))
    if timings:
        typer.echo("\n" + timing_table(document.files), err=json)


def _write(document: "Document", folder: Path, media: list[Path] | None) -> None:
    from hashformer.report.folder import write_folder

    with _writing(folder):
        write_folder(document, folder, media=media)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{folder}: the results cannot be written: {error.strerror}. Name another folder.") from error


def _run(detector: "Detector", paths: list[Path], words: Console, *, evidence: bool) -> "list[Detection]":
    """Score the files with a progress bar; what is done when the user interrupts is kept."""
    from hashformer.evidence import explain_all

    results: list[Detection] = []
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as bar:
        task = bar.add_task("")

        def advance(done_s: float, total_s: float | None) -> None:
            bar.update(task, completed=done_s, total=total_s)

        try:
            for number, path in enumerate(paths, start=1):
                bar.reset(task, total=None, description=f"{number}/{len(paths)} {path.name}")
                if evidence:
                    results += explain_all(detector, [path], progress=advance)
                else:
                    results += detector.detect_all([path], progress=advance)
        except KeyboardInterrupt:
            pass
    return results
