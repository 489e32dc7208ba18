"""`hashformer export`: a weight file as one file for another runtime."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from hashformer.cli.inputs import media_files
from hashformer.errors import SetupError
from hashformer.system import missing_packages, remedy

if TYPE_CHECKING:
    from hashformer.export import Agreement


def export(
    out: Annotated[Path, typer.Option("--out", help="The .onnx file to write.")],
    checkpoint: Annotated[str, typer.Option(help="A weight file, a released name, or a preset.")] = "small",
    format: Annotated[Literal["onnx"], typer.Option(help="What to write.")] = "onnx",
    clips: Annotated[
        list[Path] | None,
        typer.Option("--clips", help="Video or sound, or a folder of them: also compare on their clips; repeat it."),
    ] = None,
) -> None:
    """Write weights as one ONNX file that describes itself, and compare its answers with PyTorch's.

    The file appears only if every logit of every clip agrees to 1e-4. The clips are generated: one and three at once,
    two lengths, every set of streams, with gaps; --clips adds real ones.
    """
    paths, _ = media_files(clips or [])
    if paths and (missing := missing_packages()):
        raise SetupError(f"system libraries are missing. As root: {remedy(missing)}")
    from hashformer.export.clips import real_batches
    from hashformer.export.file import export_model
    from hashformer.model.weights import load_model

    words = Console(stderr=True, highlight=False)
    loaded = load_model(checkpoint)
    with words.status(f"Exporting {loaded.info.name} to {format.upper()}; this takes up to a minute"):
        agreement = export_model(loaded, out, batches=real_batches(paths, loaded.config) if paths else None)
    if not loaded.info.trained:
        words.print("[bold]The weights are not trained: the scores mean nothing.[/bold]")
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {loaded.info.name}, SHA-256 {loaded.info.sha256[:16]}…")
    typer.echo(_agrees(agreement))


def _agrees(agreement: "Agreement") -> str:
    found = ", ".join(f"{head} {value:.1g}" for head, value in agreement.largest.items() if not math.isnan(value))
    return (
        f"{agreement.n_clips} clips judged by both: logits differ by at most {found}; "
        f"{agreement.differing_bits:.2%} of the bits of the hash codes differ"
    )
