"""`hashformer manifest`: write the labelled rows of a corpus, split as asked."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from hashformer.data.manifest import Row

SHOWN = 10


def manifest(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus, or `folder` for any CSV or real/ and fake/.")],
    root: Annotated[Path, typer.Argument(help="Where it was unpacked; for `folder` also a CSV.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The CSV to write; without it, stdout.")] = None,
    split: Annotated[
        str | None, typer.Option(help="official, identity, identity-drop, or a file of splits. Default: as given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of a split by identity.")] = 0,
    fractions: Annotated[str, typer.Option(help="Shares of train, val and test.")] = "0.8,0.1,0.1",
    fold: Annotated[int | None, typer.Option(help="The fold to test on, if the file of splits has folds.")] = None,
) -> None:
    """Write the manifest of a corpus: a row for each file that is there, with labels, people and split.

    Exit code 1 if files that the corpus lists are missing; they are counted and left out.
    """
    from hashformer.data.doctor import index_of, split_present
    from hashformer.data.manifest import write_manifest, write_rows

    words = Console(stderr=True, highlight=False)
    with words.status(f"Reading {corpus}"):
        rows, missing = split_present(index_of(corpus, root), root)
    if rows and split is not None:
        rows = _divided(rows, split, words, seed=seed, fractions=_shares(fractions), fold=fold)
    if output is None:
        write_rows(rows, sys.stdout)
    else:
        write_manifest(rows, output)
        words.print(f"Wrote {len(rows):,} rows to {output}", markup=False, soft_wrap=True)
    for name, counts in _counts(rows).items():
        words.print(f"  {name or 'no split'}: {counts[0]:,} real, {counts[1]:,} fake")
    if missing:
        words.print(f"{len(missing):,} listed files are missing and were left out:")
        for row in missing[:SHOWN]:
            words.print(f"  {row.path}", markup=False, soft_wrap=True)
        words.print("`hashformer doctor` lists them all and says how to mend it.")
        raise typer.Exit(1)


def _divided(
    rows: "list[Row]",
    split: str,
    words: Console,
    *,
    seed: int,
    fractions: tuple[float, float, float],
    fold: int | None,
) -> "list[Row]":
    from hashformer.data.split_lists import from_file
    from hashformer.data.splits import identity_disjoint, identity_drop, official
    from hashformer.data.tables import listed
    from hashformer.errors import ManifestError

    if split == "official":
        return official(rows)
    if split.startswith("identity") and (n_unnamed := sum(not row.identities for row in rows)):
        words.print(f"{n_unnamed:,} rows name nobody: whether the same person is in two splits is not known of them")
    if split == "identity":
        return identity_disjoint(rows, seed=seed, fractions=fractions)
    if split == "identity-drop":
        kept = identity_drop(rows, seed=seed, fractions=fractions)
        words.print(f"{len(rows) - len(kept):,} rows show people of two splits and were left out")
        return kept
    if not Path(split).exists():
        raise ManifestError(f"--split {split!r}: neither official, identity, identity-drop, nor a file or folder.")
    done = from_file(rows, Path(split), fold=fold)
    if done.n_unlisted:
        words.print(f"{done.n_unlisted:,} files are not in {split} and were left out", markup=False, soft_wrap=True)
    if done.unknown:
        names = listed(done.unknown)
        words.print(f"{len(done.unknown):,} entries of it are not here: {names}", markup=False, soft_wrap=True)
    return done.rows


def _shares(text: str) -> tuple[float, float, float]:
    try:
        train, val, test = (float(share) for share in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"three numbers such as 0.8,0.1,0.1, not {text!r}", param_hint="--fractions"
        ) from error
    return train, val, test


def _counts(rows: "list[Row]") -> dict[str, Counter[int]]:
    from hashformer.data.manifest import SPLITS

    counts = {split: Counter(row.label for row in rows if row.split == split) for split in (*SPLITS, "")}
    return {split: count for split, count in counts.items() if count}
