"""Which rows are trained on and which validate."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hashformer.data.dataset import prepared_rows
from hashformer.data.manifest import Row
from hashformer.data.splits import identity_disjoint
from hashformer.errors import ManifestError

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainValRows:
    """Rows whose files were prepared.

    Attributes:
        train: To train on.
        val: To validate on.
        made: Whether the validation split was made here, for want of one in the manifest.
        n_missing: Rows of either split that were not prepared.
    """

    train: list[Row]
    val: list[Row]
    made: bool
    n_missing: int


def train_val_rows(rows: Sequence[Row], root: Path, *, fraction: float, seed: int) -> TrainValRows:
    """Take the splits of a manifest; where it has no `val`, hold people out of `train`.

    Rows of split `test` are never read. Rows that were not prepared are left out, and counted in a warning.

    Args:
        rows: Of the manifest.
        root: Where prepared files are.
        fraction: Share of the files to hold out, whole people at a time, if the manifest has no `val`.
        seed: Decides who.

    Raises:
        ManifestError: If a split stays empty, or people must be held out and none is named.
    """
    usable = [row for row in rows if row.split in {"train", "val"}]
    made = not any(row.split == "val" for row in usable)
    if made:
        pool = [row for row in rows if row.split == "train"] or [row for row in rows if not row.split]
        usable = identity_disjoint(
            [replace(row, split="") for row in pool], seed=seed, fractions=(1 - fraction, fraction, 0.0)
        )
    done, missing = prepared_rows(usable, root)
    if missing:
        _logger.warning(
            "%d of %d files were not prepared and are left out, %s for one", len(missing), len(usable), missing[0].path
        )
    parts = {split: [row for row in done if row.split == split] for split in ("train", "val")}
    for split, members in parts.items():
        if not members:
            raise ManifestError(
                f"{root}: split {split} has no prepared file. Prepare its files with `hashformer preprocess`, "
                "or check the column split of the manifest."
            )
    if made:
        people = [len({name for row in parts[split] for name in row.identities}) for split in ("train", "val")]
        _logger.warning(
            "the manifest has no val split: %d files of %d people train, %d files of %d others validate (seed %d)",
            *(len(parts["train"]), people[0], len(parts["val"]), people[1], seed),
        )
    return TrainValRows(train=parts["train"], val=parts["val"], made=made, n_missing=len(missing))


def limited(rows: Sequence[Row], limit: int) -> list[Row]:
    """At most `limit` rows, real and fake by turns as long as there are both."""
    if limit <= 0 or limit >= len(rows):
        return list(rows)
    turns = {0: 0, 1: 0}
    order = []
    for row in rows:
        order.append((turns[row.label], row.label))
        turns[row.label] += 1
    first = sorted(range(len(rows)), key=lambda i: order[i])[:limit]
    return [rows[i] for i in sorted(first)]
