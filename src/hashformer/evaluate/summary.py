"""`metrics.json`: everything that is said of a score table, from that table alone."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hashformer.cache import atomic_path
from hashformer.config import Config
from hashformer.data.adapters import asvspoof2019
from hashformer.errors import EvaluationError
from hashformer.evaluate import asvspoof, groups
from hashformer.evaluate.calibrate import thresholds
from hashformer.evaluate.coverage import as_errors, coverage
from hashformer.evaluate.intervals import delong, difference
from hashformer.evaluate.measure import Measured, Resampling, at_threshold, eer_point, measure
from hashformer.evaluate.metrics import Value
from hashformer.evaluate.spans import localised
from hashformer.evaluate.table import TableNotes, read_table
from hashformer.evaluate.view import View, view
from hashformer.types import HEADS

SCHEMA_VERSION = 1
LEVELS = {"video": "file", "clip": "clip"}
"""Names of the levels in the metrics and in the table. A file counts as a video also if it is sound alone."""

Metrics = dict[str, Any]


def summarise(
    table: pa.Table,
    notes: TableNotes,
    *,
    how: Resampling | None = None,
    asv: asvspoof.AsvErrorRates | None = None,
) -> Metrics:
    """Compute every metric of a score table.

    Args:
        table: As `table.read_table` gives it.
        notes: What decided it.
        how: Of the intervals.
        asv: Errors of the official speaker verifier, for min t-DCF of ASVspoof.

    Returns:
        By level (`video`, `clip`) the metrics of the overall score, each `value`, `low`, `high`, `n`, with a
        `reason` where something is null; then heads, methods, corpora, groups, the four ways, pairs, coverage.
    """
    how = how or Resampling()
    config = Config.model_validate(notes.config)
    files, threshold = view(table, "file"), config.timeline.threshold
    found: Metrics = {
        "schema_version": SCHEMA_VERSION,
        "scored": notes.model_dump(mode="json", exclude={"config"}),
        "intervals": asdict(how) | {"units": "videos; identity_low and identity_high: linked people"},
        "coverage": coverage(files),
    }
    for name, level in LEVELS.items():
        found[name] = measure(view(table, level), how)
    found["video"]["accuracy_at_stored_threshold"] = at_threshold(files, how, threshold)
    found["video"]["eer_threshold"] = eer_point(files)
    found["stored_thresholds"] = {
        fpr: at_threshold(files, how, value) | _rates(files.usable, value) for fpr, value in notes.thresholds.items()
    }
    found["video_failures_as_errors"] = as_errors(files, how)
    found["heads"] = {
        head: {name: measure(view(table, level, head), how) for name, level in LEVELS.items()}
        for head in HEADS
        if head != "overall"
    }
    found["per_method"] = groups.per_method(files, how)
    found["per_corpus"] = groups.per_corpus(files, how)
    found["per_group"] = groups.per_group(files, how)
    found["four_ways"] = groups.four_ways(files, how, threshold)
    found["pairs"] = groups.pairs(files, how)
    found["localisation"] = _localisation(table, config)
    if (spoof := files.where(files.texts["corpus"] == asvspoof2019.CORPUS).usable).labels.size:
        values = asvspoof.report(spoof.labels, spoof.scores, asv=asv)
        found["asvspoof"] = {name: _plain(value) for name, value in values.items()}
    return found


def _localisation(table: pa.Table, config: Config) -> dict[str, Measured]:
    values = localised(table, config.timeline)
    if values is None:
        values = {name: Value(None, 0, "the manifest gives no fake segments") for name in ("ap_0.5", "ar_10")}
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Value) -> Measured:
    return {"value": value.value, "n": value.n, **({"reason": value.reason} if value.reason else {})}


def set_thresholds(table: pa.Table) -> Metrics:
    """Thresholds that let 1, 5 and 10 % of these real files be called fake.

    Fit them on a split that is not reported.
    """
    files = view(table, "file").usable
    reals = files.scores[files.labels == 0]
    if not len(reals):
        return {"n": 0, "reason": "no real file has a score"}
    return {"n": len(reals), "fitted_on": "the real files of this table"} | {
        f"fpr_{round(100 * fpr)}": {"threshold": value, "tpr": _share(files.scores[files.is_fake] >= value)}
        for fpr, value in thresholds(reals).items()
    }


def _rates(files: View, threshold: float) -> Measured:
    """What a threshold does here: the shares of real and of fake files above it."""
    above = files.scores >= threshold
    return {"fpr": _share(above[~files.is_fake]), "tpr": _share(above[files.is_fake])}


def _share(mask: "np.ndarray") -> float | None:
    return float(mask.mean()) if len(mask) else None


def compare(table: pa.Table, other: Path, *, how: Resampling | None = None, head: str = "overall") -> Metrics:
    """DeLong's test of this table's files against another table's, on those that both scored.

    Args:
        table: The one.
        other: Path of the other, of the same manifest.
        how: Of the interval by person.
        head: Whose scores.

    Raises:
        EvaluationError: If the other is no score table, or labels one of the files otherwise.
    """
    how = how or Resampling()
    theirs, notes = read_table(other)
    ours, others = (_by_path(view(part, "file", head).usable) for part in (table, theirs))
    both = sorted(ours.keys() & others.keys())
    if wrong := [path for path in both if ours[path][0] != others[path][0]]:
        raise EvaluationError(f"{other}: labels {len(wrong)} files otherwise, {wrong[0]} for one. Score one manifest.")
    if not both:
        raise EvaluationError(f"{other}: has no scored file in common with this table. Score the same manifest.")
    labels = [ours[path][0] for path in both]
    a, b = ([side[path][1] for path in both] for side in (ours, others))
    found = asdict(delong(labels, a, b, level=how.level))
    people = [ours[path][2] for path in both]
    by_person = difference(
        "auc", labels, a, b, groups=people, n_resamples=how.n_resamples, seed=how.seed, level=how.level
    )
    return {
        "other": notes.weights.model_dump(),
        "n_only_here": len(ours) - len(both),
        "n_only_there": len(others) - len(both),
        "video_auc": found,
        "video_auc_difference_by_identity": asdict(by_person),
    }


def _by_path(files: View) -> dict[str, tuple[int, float, str]]:
    people = files.people or list(files.texts["path"])
    rows = zip(files.texts["path"], files.labels, files.scores, people, strict=True)
    return {path: (int(label), score, person) for path, label, score, person in rows}


def write_metrics(metrics: Metrics, folder: Path) -> tuple[Path, Path]:
    """Write `metrics.json` and `metrics.csv`, a row for each number.

    Raises:
        EvaluationError: If they cannot be written.
    """
    as_json, as_csv = folder / "metrics.json", folder / "metrics.csv"
    try:
        with atomic_path(as_json) as temporary:
            text = json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        with atomic_path(as_csv) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["of", "metric", *COLUMNS])
            writer.writerows(_lines(metrics, ()))
    except OSError as error:
        raise EvaluationError(f"{folder}: cannot be written ({error.strerror}). Name another folder.") from error
    return as_json, as_csv


COLUMNS = ("value", "low", "high", "identity_low", "identity_high", "n", "reason")
"""Of `metrics.csv`, after what the metric is of and its name."""


def _lines(part: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[list[object]]:
    for name, entry in part.items():
        if isinstance(entry, Mapping) and "value" in entry:
            yield [" / ".join(names), name, *(entry.get(column, "") for column in COLUMNS)]
        elif isinstance(entry, Mapping):
            yield from _lines(entry, (*names, name))
