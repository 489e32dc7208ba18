"""Train on one corpus, test on another: how far each checkpoint carries, as a matrix."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashformer.cache import atomic_path
from hashformer.data.manifest import Row
from hashformer.evaluate.measure import FEW, Resampling, measure
from hashformer.evaluate.scoring import Advance, ScoreTask, score_manifest, selected
from hashformer.evaluate.table import read_table
from hashformer.evaluate.view import view
from hashformer.studies.overlap import refuse_overlap, shared, training_rows

SCHEMA_VERSION = 1
Cell = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A checkpoint, by a name of the user's.

    Attributes:
        weights: A weight file, a released name or a preset.
        rows: Of the manifest that it was trained on; None if that is not known.
    """

    name: str
    weights: str
    rows: Sequence[Row] | None


@dataclass(frozen=True, kw_only=True)
class Target:
    """A manifest to test on, by a name of the user's, and where its files are."""

    name: str
    rows: Sequence[Row]
    manifest_sha256: str
    base_dir: Path | None
    prepared: Path | None

    def task(self, weights: str) -> ScoreTask:
        """To score it with these weights."""
        return ScoreTask(weights=weights, base_dir=self.base_dir, prepared=self.prepared)


def transfer(  # noqa: PLR0913 -- each is one plain property of the study
    trained: Sequence[Trained],
    tested: Sequence[Target],
    out: Path,
    *,
    split: str = "",
    limit: int = 0,
    workers: int = 1,
    how: Resampling | None = None,
    allow_overlap: bool = False,
    advance: Callable[[str], Advance] = lambda name: lambda done, total: None,
) -> dict[str, Any]:
    """Score every manifest with every checkpoint; what was scored before is kept.

    Args:
        trained: The rows of the matrix.
        tested: Its columns.
        out: A folder for each pair, `<checkpoint>__<manifest>`, with its score table; `transfer.json`, `.csv`.
        split: Only rows of this split are tested.
        limit: At most so many files of each manifest.
        workers: Processes.
        how: Of the intervals.
        allow_overlap: Also test on people or files that a checkpoint was trained on; the cell says so.
        advance: Gives for a pair's name what to tell of its progress.

    Returns:
        `cells[checkpoint][manifest]`: metrics by video, `coverage`, and `n_shared`, how many people and files
        both share: None if the training manifest is not known.

    Raises:
        EvaluationError: If a pair shares people or files, before anything is scored.
    """
    chosen = {test.name: selected(test.rows, split=split, limit=limit) for test in tested}
    common: dict[tuple[str, str], int | None] = {}
    for train in trained:
        for test in tested:
            found = None if train.rows is None else shared(training_rows(train.rows), chosen[test.name])
            common[train.name, test.name] = None if found is None else len(found)
            if found and not allow_overlap:
                refuse_overlap(found, train.name, test.name)
    cells: dict[str, dict[str, Cell]] = {train.name: {} for train in trained}
    for train in trained:
        for test in tested:
            name = f"{train.name}__{test.name}"
            table = score_manifest(
                test.rows,
                out / name,
                task=test.task(train.weights),
                manifest_sha256=test.manifest_sha256,
                split=split,
                limit=limit,
                workers=workers,
                advance=advance(name),
            )
            if table is not None:
                cell = video_metrics(table, how or Resampling())
                cells[train.name][test.name] = cell | {"n_shared": common[train.name, test.name]}
    return {"schema_version": SCHEMA_VERSION, "split": split, "limit": limit, "cells": cells}


def video_metrics(table: Path, how: Resampling) -> Cell:
    """Metrics of a score table's files, how many of them were scored, and the weights."""
    rows, notes = read_table(table)
    files = view(rows, "file")
    counts = {
        "n_files": len(files.labels),
        "n_scored": len(files.usable.labels),
        "n_errors": int((files.texts["status"] == "error").sum()),
    }
    return {"weights": notes.weights.model_dump(), "coverage": counts, **measure(files, how, metrics=FEW)}


def write_cells(found: Mapping[str, Any], cells: Mapping[str, Mapping[str, Cell]], path: Path) -> None:
    """Write a study as JSON, and its cells as CSV beside it: row, column, metric and its numbers."""
    columns = ("value", "low", "high", "identity_low", "identity_high", "n", "reason")
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    with atomic_path(path.with_suffix(".csv")) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "column", "metric", *columns])
        for row, parts in cells.items():
            for column, cell in parts.items():
                for metric in FEW:
                    if metric in cell:
                        writer.writerow([row, column, metric, *(cell[metric].get(name, "") for name in columns)])
