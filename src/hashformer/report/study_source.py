"""From a score table and its `metrics.json` to a study."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hashformer.errors import EvaluationError
from hashformer.evaluate.intervals import Interval
from hashformer.evaluate.scoring import TABLE_NAME
from hashformer.evaluate.table import TableNotes, read_table
from hashformer.evaluate.view import View, view
from hashformer.report.study_parts import Cell, Mistake, Robustness, ScoreSet, Study
from hashformer.report.study_tables import cell, tables_of
from hashformer.report.wording import SCORE_NAMES
from hashformer.timeline import SCORES

METRICS_NAME = "metrics.json"
MISTAKES = 12
_FEW_FILES = 30

Metrics = Mapping[str, Any]


def read_study(
    folder: Path,
    *,
    title: str = "Evaluation",
    created: str | None = None,
    thumbnail: Callable[[str], str | None] | None = None,
    robustness: Sequence[Robustness] = (),
) -> Study:
    """Gather what `hashformer validate` wrote into `folder`.

    Args:
        folder: With `scores.parquet` and `metrics.json`.
        title: Heading of the page.
        created: When, ISO 8601, UTC; now if None.
        thumbnail: Gives a picture of a file, by its path in the manifest, as `data:image/…` URI, or None.
        robustness: Curves, if they were measured.

    Raises:
        EvaluationError: If one of the two cannot be read, or they are not of the same scores.
    """
    table, notes = read_table(folder / TABLE_NAME)
    path = folder / METRICS_NAME
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: cannot be read ({error}). Run hashformer validate.") from error
    scored = notes.model_dump(mode="json", exclude={"config"})
    if metrics.get("scored") != scored:
        raise EvaluationError(f"{path}: was not computed from {TABLE_NAME} beside it. Run hashformer validate again.")
    picture = thumbnail or (lambda path: None)
    return Study(
        title=title,
        created=created or datetime.now(UTC).isoformat(timespec="seconds"),
        weights=notes.weights,
        manifest_sha256=notes.manifest_sha256,
        command=str(metrics.get("run", {}).get("command", "not kept")),
        versions=metrics.get("run", {}).get("versions") or {"hashformer": notes.hashformer_version},
        seeds={"intervals": int(metrics["intervals"]["seed"])},
        settings=notes.config,
        headline=_headline(metrics),
        protocol=_protocol(notes, metrics),
        warnings=tuple(_warnings(table, metrics)),
        score_sets=tuple(_score_sets(table, metrics)),
        tables=tuple(tables_of(metrics)),
        robustness=tuple(robustness),
        mistakes=tuple(worst_mistakes(table, picture)),
    )


def worst_mistakes(table: pa.Table, thumbnail: Callable[[str], str | None], n: int = MISTAKES) -> Iterator[Mistake]:
    """The files whose score is on the wrong side of 0.5 and farthest from their label, the worst first."""
    files = view(table, "file").usable
    distance = np.abs(files.scores - files.labels)
    for i in np.argsort(-distance, kind="stable")[:n]:
        if distance[i] < 0.5:
            return
        path, method = str(files.texts["path"][i]), str(files.texts["method"][i])
        yield Mistake(
            path=path,
            label=int(files.labels[i]),
            score=float(files.scores[i]),
            method=method if files.labels[i] else "",
            note=str(files.texts["reason"][i]),
            thumbnail=thumbnail(path),
        )


def _headline(metrics: Metrics) -> dict[str, Cell]:
    covered = metrics["coverage"]
    return {
        "AUC of files": cell(metrics["video"]["auc"]),
        "EER of files": cell(metrics["video"]["eer"]),
        "Fakes found at 1 % false alarms": cell(metrics["video"]["tpr_at_fpr_1"]),
        "Files that gave a score": f"{covered['n_scored']} of {covered['n_files']}",
    }


def _protocol(notes: TableNotes, metrics: Metrics) -> dict[str, str]:
    how, video = metrics["intervals"], metrics["video"]
    stored = video.get("accuracy_at_stored_threshold", {}).get("threshold")
    found = {
        "Split": notes.split or "all rows of the manifest",
        "Files": f"{notes.n_files}"
        + (f", drawn by the hash of their paths (--limit {notes.limit})" * bool(notes.limit)),
        "Read from": "prepared files" if notes.source == "prepared" else "media files",
        "Score of a file": notes.aggregation,
        "Intervals": f"{how['level']:.0%}, {how['n_resamples']} draws of videos; by person: of linked people",
    }
    return found | ({"Stored threshold": f"{stored:g}"} if stored is not None else {})


def _warnings(table: pa.Table, metrics: Metrics) -> Iterator[str]:
    files = view(table, "file")
    scored = files.usable
    for word, label in (("real", 0), ("fake", 1)):
        n = int((scored.labels == label).sum())
        if n < _FEW_FILES:
            yield f"Only {n} {word} files gave a score: an interval from so few is wide, or wrong if it looks narrow."
    yield from _uneven_coverage(metrics["coverage"])
    yield from _corpus_as_label(files)
    if files.people is None:
        yield "The manifest names nobody: intervals by person cannot be given, and people may be in train and test."


def _uneven_coverage(coverage: Metrics) -> Iterator[str]:
    missing = coverage["n_files"] - coverage["n_scored"]
    if missing:
        shares = [f"{part['n_files'] - part['n_scored']} of {part['n_files']} {name}" for name, part in
                  coverage["by_label"].items()]  # fmt: skip
        yield (
            f"{missing} of {coverage['n_files']} files gave no score ({', '.join(shares)}). Metrics leave them out; "
            "the column “failures as errors” does not."
        )


def _corpus_as_label(files: View) -> Iterator[str]:
    corpora = {name: set(files.labels[files.texts["corpus"] == name].tolist()) for name in set(files.texts["corpus"])}
    single = sorted(name or "unnamed" for name, labels in corpora.items() if len(labels) == 1)
    if len(corpora) > 1 and single:
        yield f"All files of {', '.join(single)} have one label: a detector that knows the corpus knows the answer."


def _score_sets(table: pa.Table, metrics: Metrics) -> Iterator[ScoreSet]:
    for level, place, word in (("file", "video", "Files"), ("clip", "clip", "Clips")):
        for head in SCORES:
            if head != "overall" and level == "clip":
                continue
            rows = view(table, level, head).usable
            entry = metrics[place] if head == "overall" else metrics["heads"][head][place]
            if len(rows.labels):
                yield ScoreSet(
                    name=f"{word}, {SCORE_NAMES[head].lower()}",
                    head=head,
                    whole_files=level == "file",
                    labels=rows.labels.astype(np.int64),
                    scores=rows.scores,
                    auc=_interval(entry["auc"]),
                )


def _interval(entry: Metrics) -> Interval:
    found = cell(entry)
    if not isinstance(found, Interval):
        raise EvaluationError(f"a metric must have value, low, high and n, got {dict(entry)}")
    return found
