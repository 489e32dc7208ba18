"""`hashformer audit`: whether a manifest is fit to train on."""

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from hashformer.cli.doctor import opened_files

if TYPE_CHECKING:
    from hashformer.data.audit import Audit

SHOWN = 10
MEASURES = {"auc": "AUC", "cramers_v": "Cramér's V"}


def audit(
    manifest: Annotated[Path, typer.Argument(help="A manifest, as `hashformer manifest` writes it.")],
    root: Annotated[Path | None, typer.Option(help="Where its paths start; without it, its folder.")] = None,
    sample: Annotated[int, typer.Option(min=0, help="Look at so many files of each class; 0 for all.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Files opened at a time; 0 takes one for each core.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every file.")] = False,
) -> None:
    """Check a manifest: people in two splits, balance, and facts of the files that give the class away.

    Such a fact (codec, size, length, silence at the start) is a shortcut: a model learns it instead of the forgery.
    Exit code 1 if files could not be read; they are listed. What was found is output, not an exit code.
    """
    from hashformer.data.audit import audit as check
    from hashformer.data.manifest import read_manifest

    rows = read_manifest(manifest)
    with opened_files("Looking at files") as progress:
        found = check(rows, root or manifest.parent, sample=sample, seed=seed, workers=workers, progress=progress)
    if json:
        typer.echo(jsonlib.dumps({**asdict(found), "shortcuts": found.shortcuts}, indent=2, ensure_ascii=False))
    else:
        _show(found)
    if found.unreadable:
        raise typer.Exit(1)


def _show(found: "Audit") -> None:
    console = Console(highlight=False, markup=False)
    console.print(_balance(found))
    console.print(_features(found))
    for line in _findings(found):
        console.print(line, soft_wrap=True)


def _balance(found: "Audit") -> Table:
    table = Table(title=f"{found.n_rows:,} rows by split and method")
    splits = list(found.balance)
    table.add_column("method")
    for split in splits:
        table.add_column(split or "no split", justify="right")
    for method in dict.fromkeys(method for split in splits for method in found.balance[split]):
        table.add_row(method, *(f"{found.balance[split].get(method, 0):,}" for split in splits))
    return table


def _features(found: "Audit") -> Table:
    n_read = found.n_files - len(found.unreadable)
    table = Table(title=f"facts of {n_read:,} files", caption="AUC 0.5 and V 0: no difference between the classes")
    for heading in ("fact", "real", "fake"):
        table.add_column(heading)
    for heading in ("files", "strength"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for feature in found.features:
        counts = f"{feature.n_real:,} + {feature.n_fake:,}"
        strength = f"{MEASURES[feature.measure]} {feature.strength:.2f}"
        flag = "shortcut" if feature.shortcut else ""
        table.add_row(feature.name, feature.real, feature.fake, counts, strength, flag)
    return table


def _findings(found: "Audit") -> list[str]:
    lines = [f"{len(found.leaks):,} people are in more than one split"]
    for leak in found.leaks[:SHOWN]:
        counts = ", ".join(f"{split} {count:,}" for split, count in leak.rows.items())
        lines.append(f"    {leak.identity}: {counts}")
    if found.torn:
        lines.append(f"{len(found.torn):,} fakes are in another split than their original, such as {found.torn[0]}")
    if found.n_unnamed:
        lines.append(f"{found.n_unnamed:,} rows name nobody: whether they leak is not known")
    lines.append(f"{len(found.shortcuts):,} shortcuts: {', '.join(found.shortcuts) or 'none found'}")
    lines.append(f"{len(found.unreadable):,} files could not be read")
    lines += [f"    {path}: {why}" for path, why in list(found.unreadable.items())[:SHOWN]]
    return lines
