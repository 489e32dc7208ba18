"""`hashformer pack`: prepared folders to shards for training on a cluster."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def pack(
    prepared: Annotated[Path, typer.Argument(metavar="OUT", help="The --output_dir of preprocess.")],
    shards: Annotated[Path, typer.Argument(metavar="SHARDS", help="Folder for the shards; an old pack is replaced.")],
    max_mb: Annotated[int, typer.Option("--max_mb", min=1, help="Most megabytes in a shard.")] = 1000,
    seed: Annotated[
        int | None, typer.Option(help="Shuffle the files by this number; without it they follow their names.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="Pack each file's row with it, so that shards carry labels.")
    ] = None,
) -> None:
    """Pack prepared folders into WebDataset shards of bounded size; the same folders give the same bytes.

    Exit code 1 if a prepared folder is damaged; it is named and left out.
    """
    from hashformer.data.manifest import read_manifest
    from hashformer.data.pack import pack_folders

    rows = read_manifest(manifest) if manifest else []
    words = Console(stderr=True, highlight=False)
    with words.status("Packing") as status:

        def show(n_done: int, n_total: int) -> None:
            status.update(f"Packing {n_done} of {n_total}")

        summary = pack_folders(prepared, shards, max_bytes=max_mb * 1_000_000, seed=seed, rows=rows, on_packed=show)
    typer.echo(f"{summary.n_packed} files in {summary.n_shards} shards, {summary.n_bytes / 1e6:.1f} MB: {shards}")
    for name, reason in summary.failures:
        typer.echo(f"  {name}: {reason}")
    if summary.failures:
        raise typer.Exit(1)
