"""Who trains, who validates and who is tested: the manifests of a release, from that of all clips."""

import argparse
import sys
import zlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from hashformer.data.manifest import Row, read_manifest, write_manifest
from hashformer.data.splits import components
from hashformer.data.tables import listed
from hashformer.errors import HashFormerError, ManifestError
from hashformer.studies.overlap import shared

SHARE = 0.2
MIN_PEOPLE = 8
"""Of a corpus with fewer people none is held out: one would be a large part of it."""


def divided(
    rows: Sequence[Row], *, held_out: Collection[str] = (), share: float = SHARE, seed: int = 0
) -> tuple[list[Row], list[Row]]:
    """Rows to train with, split into `train` and `val`, and the rows to test on.

    Corpora in `held_out` validate as a whole, as sources that were not trained on. Of the others each person, with
    whom they share a file, validates with the chance `share`, drawn by the hash of seed and name: the same people
    whatever else there is.

    Args:
        rows: Of the manifest; those of split `train` are divided, those of `val` and `test` are tested on.
        held_out: Names of corpora.
        share: Of the people.
        seed: Of the draw.

    Raises:
        ManifestError: If there is nothing to train, validate or test on, a corpus in `held_out` has no row, or
            people are trained and tested on.
    """
    pool, tested = ([row for row in rows if (row.split == "train") is is_train] for is_train in (True, False))
    tested = [row for row in tested if row.split]
    if unknown := set(held_out) - {row.corpus for row in pool}:
        raise ManifestError(f"no row of split train is of the corpora {listed(sorted(unknown))}; leave them out.")
    groups = components(pool)
    n_groups = Counter(corpus for group in groups for corpus in {pool[i].corpus for i in group})
    validate = {
        i
        for group in groups
        for i in group
        if pool[i].corpus in held_out or (n_groups[pool[i].corpus] >= MIN_PEOPLE and _drawn(pool, group, share, seed))
    }
    training = [replace(row, split="val" if i in validate else "train") for i, row in enumerate(pool)]
    for split, members in (("train", training), ("val", training), ("dev", tested)):
        if not any(split in {"dev", row.split} for row in members):
            raise ManifestError(f"no clip is left to {split}: see the column split, and --held_out.")
    if both := shared(pool, tested):
        raise ManifestError(f"{len(both)} people or files would be trained and tested on: {listed(both)}.")
    return training, tested


def _drawn(rows: Sequence[Row], group: Sequence[int], share: float, seed: int) -> bool:
    names = sorted({name for i in group for name in rows[i].identities} or {rows[i].path for i in group})
    return zlib.crc32(f"{seed} {names[0]}".encode()) < share * 2**32


def main(words: Sequence[str] | None = None) -> int:
    """Write `train.csv` and `dev.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path, help="of all clips")
    parser.add_argument("out", type=Path, help="folder of train.csv and dev.csv")
    parser.add_argument("--held_out", default="", help="corpora that validate as a whole, comma between them")
    parser.add_argument("--seed", type=int, default=0, help="decides who validates")
    given = parser.parse_args(words)
    names = [name.strip() for name in given.held_out.split(",") if name.strip()]
    try:
        training, tested = divided(read_manifest(given.manifest), held_out=names, seed=given.seed)
        write_manifest(training, given.out / "train.csv")
        write_manifest(tested, given.out / "dev.csv")
    except HashFormerError as error:
        sys.stderr.write(f"release_split: {error}\n")
        return 2
    n_val = sum(row.split == "val" for row in training)
    sys.stdout.write(f"{len(training) - n_val} clips train, {n_val} validate, {len(tested)} are tested on\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
