"""Which of the manifest's files were prepared."""

from collections.abc import Sequence
from pathlib import Path

from hashformer.data.manifest import Row
from hashformer.errors import StoreError


def prepared_rows(rows: Sequence[Row], root: Path) -> tuple[list[Row], list[Row]]:
    """Split rows into those whose file was prepared under `root` and those that are missing there."""
    done: list[Row] = []
    missing: list[Row] = []
    for row in rows:
        (done if (root / row.path / "sample.json").is_file() else missing).append(row)
    return done, missing


def check_prepared(rows: Sequence[Row], root: Path) -> None:
    """Refuse to load from nothing, or from what is not there.

    Raises:
        StoreError: If there is no row, or a row's file was not prepared.
    """
    if not rows:
        raise StoreError(f"{root}: no rows to load. Is the manifest empty, or its split misspelt?")
    if missing := prepared_rows(rows, root)[1]:
        raise StoreError(
            f"{root}: {len(missing)} of {len(rows)} files were not prepared, {missing[0].path} for one. "
            "Prepare them, or leave them out with prepared_rows."
        )
