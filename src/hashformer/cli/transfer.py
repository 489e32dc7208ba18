"""`hashformer transfer`: every checkpoint on every manifest."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from hashformer.studies.transfer import Target, Trained


def transfer(
    out: Annotated[Path, typer.Option("--out", help="Folder for the score tables, transfer.json and transfer.csv.")],
    checkpoint: Annotated[list[str], typer.Option("--checkpoint", help="NAME=WEIGHTS; repeat it.")],
    test: Annotated[list[str], typer.Option("--test", help="NAME=MANIFEST; repeat it.")],
    base_dir: Annotated[list[str] | None, typer.Option("--base_dir", help="TEST_NAME=FOLDER of media.")] = None,
    prepared: Annotated[
        list[str] | None, typer.Option("--prepared", help="TEST_NAME=FOLDER of `hashformer preprocess`.")
    ] = None,
    trained_on: Annotated[
        list[str] | None, typer.Option("--trained_on", help="CHECKPOINT_NAME=MANIFEST: who must not be tested on.")
    ] = None,
    split: Annotated[str, typer.Option(help="Only rows of this split; empty for all.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many files of each manifest; 0 for all.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes, one thread each.")] = 1,
    resamples: Annotated[int, typer.Option(min=100, help="Draws of each interval.")] = 1000,
    allow_overlap: Annotated[
        bool, typer.Option("--allow_overlap", help="Also test on people of the training.")
    ] = False,
) -> None:
    """Test checkpoints on corpora that they were not trained on: a matrix of AUC by video, with intervals.

    A pair that shares people or files is refused. An interrupted run is taken up by the same command. Exit code 1
    if files gave no score because they could not be read.
    """
    from hashformer.cli.doctor import opened_files
    from hashformer.evaluate.measure import Resampling
    from hashformer.studies.transfer import transfer as run
    from hashformer.studies.transfer import write_cells

    trained = _trained(named(checkpoint, "--checkpoint"), named(trained_on or [], "--trained_on"))
    places = (named(base_dir or [], "--base_dir"), named(prepared or [], "--prepared"))
    tested = _tested(named(test, "--test"), *places)
    with opened_files("Scoring") as advance:
        found = run(
            trained,
            tested,
            out,
            split=split,
            limit=limit,
            workers=workers,
            how=Resampling(n_resamples=resamples),
            allow_overlap=allow_overlap,
            advance=lambda name: advance,
        )
    if not all(found["cells"].values()):
        return  # the first rank tells
    write_cells(found, found["cells"], out / "transfer.json")
    _show(found["cells"])
    if any(cell["coverage"]["n_errors"] for row in found["cells"].values() for cell in row.values()):
        raise typer.Exit(1)


def named(texts: list[str], option: str) -> dict[str, str]:
    """Values by name, from NAME=VALUE."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not value or not name or "/" in name or name in found:
            raise typer.BadParameter(f"write NAME=VALUE with a name of its own, got {text!r}", param_hint=option)
        found[name] = value
    return found


def _trained(weights: dict[str, str], manifests: dict[str, str]) -> "list[Trained]":
    from hashformer.data.manifest import read_manifest
    from hashformer.studies.transfer import Trained

    if unknown := manifests.keys() - weights.keys():
        raise typer.BadParameter(f"no checkpoint is called {min(unknown)}", param_hint="--trained_on")
    rows = {name: read_manifest(Path(path)) for name, path in manifests.items()}
    return [Trained(name=name, weights=path, rows=rows.get(name)) for name, path in weights.items()]


def _tested(manifests: dict[str, str], base_dirs: dict[str, str], prepared: dict[str, str]) -> "list[Target]":
    from hashformer.data.manifest import read_manifest
    from hashformer.studies.transfer import Target

    found = []
    for name, path in manifests.items():
        folders = [Path(places[name]) if name in places else None for places in (base_dirs, prepared)]
        if folders == [None, None]:
            raise typer.BadParameter(f"where are the files of {name}? --base_dir or --prepared", param_hint="--test")
        rows, sha256 = read_manifest(Path(path)), hashlib.sha256(Path(path).read_bytes()).hexdigest()
        found.append(Target(name=name, rows=rows, manifest_sha256=sha256, base_dir=folders[0], prepared=folders[1]))
    return found


def _show(cells: dict[str, dict[str, Any]]) -> None:
    console = Console(highlight=False, markup=False)
    table = Table(
        title="AUC by video, 95 % intervals", caption="* shares people or files with its training; ? not known"
    )
    table.add_column("checkpoint")
    for name in next(iter(cells.values())):
        table.add_column(f"on {name}", justify="right")
    for name, row in cells.items():
        table.add_row(name, *(_cell(cell) for cell in row.values()))
    console.print(table)


def _cell(cell: dict[str, Any]) -> str:
    mark = "?" if cell["n_shared"] is None else "*" if cell["n_shared"] else ""
    auc = cell["auc"]
    if auc["value"] is None:
        return f"undefined{mark}"
    ends = "" if auc["low"] is None else f" ({auc['low']:.3f}–{auc['high']:.3f})"
    return f"{auc['value']:.3f}{ends}{mark}"
