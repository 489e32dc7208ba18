"""What a detector must beat, on the same files: statistics of the files, an offset of lips and sound, other tables."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hashformer.cache import atomic_path
from hashformer.data.manifest import Row
from hashformer.data.prepared import prepared_rows
from hashformer.data.survey import Advance
from hashformer.errors import EvaluationError, MediaError, StoreError
from hashformer.evaluate.groups import Part, pairs
from hashformer.evaluate.intervals import delong, difference
from hashformer.evaluate.measure import Resampling, measure
from hashformer.evaluate.record import FileScores
from hashformer.evaluate.table import SCHEMA, read_table, table_rows
from hashformer.evaluate.view import Bools, View, linked, view
from hashformer.studies.file_statistics import Facts, left_out_scores
from hashformer.studies.offset import offset_score

SCHEMA_VERSION = 1
JSON_NAME, CSV_NAME = "baselines.json", "baselines.csv"
STATISTICS, STATISTICS_KNOWN, OFFSET = "file_statistics", "file_statistics_known_people", "audio_video_offset"
COLUMNS = ("value", "low", "high", "identity_low", "identity_high", "reason")
Answers = Mapping[str, FileScores]


def statistics_baselines(
    rows: Sequence[Row], facts: Mapping[str, Facts], unreadable: Mapping[str, str], *, seed: int = 0
) -> dict[str, Answers]:
    """Logistic regression on statistics, a generator left out: on people that it was not trained on, and on others.

    Both are trained on the rows themselves, by cross-validation. Of `file_statistics` the folds are dealt by people,
    and whoever is linked with whom through files; of `file_statistics_known_people` by single files, so that real
    files of the same source are in training and test: what a shortcut gives at best.

    Args:
        rows: Of the manifest.
        facts: As `file_statistics.gather_facts` gives them.
        unreadable: The same.
        seed: Of the folds.

    Raises:
        EvaluationError: If there are too few files.
    """
    failed = {path: FileScores(path=path, status="error", reason=why) for path, why in unreadable.items()}
    paths = [row.path for row in rows]
    people = linked([";".join(sorted(row.identities)) for row in rows], paths)
    by_name = {STATISTICS: people, STATISTICS_KNOWN: paths}
    return {name: failed | left_out_scores(rows, facts, groups, seed=seed) for name, groups in by_name.items()}


def offset_baseline(rows: Sequence[Row], prepared: Path, *, progress: Advance | None = None) -> Answers:
    """The offset of lips and sound of every prepared file; see `offset.offset_score`.

    Args:
        rows: Of the manifest.
        prepared: Folder of `hashformer preprocess`.
        progress: Told after every file.
    """
    done, missing = prepared_rows(rows, prepared)
    found = {row.path: FileScores(path=row.path, status="error", reason="was not prepared") for row in missing}
    for number, row in enumerate(done, start=1):
        try:
            found[row.path] = offset_score(row.path, prepared)
        except (StoreError, MediaError) as error:
            reason = str(error).replace(f"{prepared / row.path}/", "")
            found[row.path] = FileScores(path=row.path, status="error", reason=reason)
        if progress is not None:
            progress(number, len(done))
    return found


def table_answers(path: Path, rows: Sequence[Row]) -> Answers:
    """Files' scores of a score table, for these rows.

    Raises:
        EvaluationError: If it is no score table, labels a file otherwise, or has none of the files.
    """
    files = view(read_table(path)[0], "file")
    place = {name: i for i, name in enumerate(files.texts["path"])}
    found = {}
    for row in rows:
        i = place.get(row.path)
        if i is None:
            found[row.path] = FileScores(path=row.path, status="error", reason="is not in the table")
            continue
        if np.isfinite(files.labels[i]) and files.labels[i] != row.label:
            raise EvaluationError(f"{path}: labels {row.path} otherwise than the manifest. Score the same manifest.")
        scores = {"overall": float(files.scores[i])} if np.isfinite(files.scores[i]) else {}
        words = {name: files.texts[name][i] for name in ("status", "reason")}
        found[row.path] = FileScores.model_validate({"path": row.path, "scores": scores, **words})
    if not place.keys() & found.keys():
        raise EvaluationError(f"{path}: has none of the manifest's files. Score the same manifest.")
    return found


def compare_answers(
    rows: Sequence[Row], answers: Mapping[str, Answers], *, tables: Sequence[str] = (), how: Resampling | None = None
) -> dict[str, Any]:
    """Measure every baseline and table on the same files.

    Args:
        rows: Of the manifest.
        answers: By the name of a baseline or a table, its answer for every row.
        tables: Which of the names are of detectors: each baseline is set against each on the files that both scored.
        how: Of the intervals.

    Returns:
        `detectors[name]`: `n_files`, `n_scored`, and `parts`, each with `n_real`, `n_fake`, and `auc` with its
        intervals by file and by person: `overall`, `picture`, `sound alone`, `same source` (files of corpora that
        have both real and fake ones, with a picture or without), `pairs` (fakes with their very originals), `in
        common` (what every one scored), and `method NAME`: its fakes against all real files that have a picture, or
        that have none, as they. `pairs` beside them says how often a fake scores above its original.
        `against[baseline][table]`: DeLong's test, and the difference by person.
    """
    how = how or Resampling()
    rows = sorted(rows, key=lambda row: row.path)
    views = {name: _view(rows, given) for name, given in answers.items()}
    scored = [np.isfinite(files.scores) for files in views.values()]
    common = np.logical_and.reduce(scored) if scored else np.zeros(0, bool)
    detectors = {}
    for name, files in views.items():
        masks = _parts(files) | {"in common": common}
        detectors[name] = {
            "n_files": len(files.labels),
            "n_scored": len(files.usable.labels),
            "parts": {part: _measured(files.where(mask), how) for part, mask in masks.items()},
            "pairs": pairs(files, how),
        }
    against = {
        name: {table: _difference(views[name], views[table], how) for table in tables}
        for name in views
        if name not in tables
    }
    return {"schema_version": SCHEMA_VERSION, "detectors": detectors, "against": against}


def _view(rows: Sequence[Row], answers: Answers) -> View:
    lines = [table_rows(row, answers[row.path])[0] for row in rows]
    return view(pa.Table.from_pylist(lines, schema=SCHEMA), "file")


def _parts(files: View) -> dict[str, Bools]:
    """What is measured by itself."""
    everything = np.ones(len(files.labels), bool)
    picture = np.isfinite(files.flags["video_fake"])
    place = {path: i for i, path in enumerate(files.texts["path"])}
    paired, same = np.zeros(len(everything), bool), np.zeros(len(everything), bool)
    for i, original in enumerate(files.texts["original"]):
        if files.is_fake[i] and original in place:
            paired[[i, place[original]]] = True
    for corpus in set(files.texts["corpus"]):
        for stream in (picture, ~picture):
            here = stream & (files.texts["corpus"] == corpus)
            same |= here if len(set(files.labels[here])) == 2 else False
    methods = {}
    for method in sorted(set(files.texts["method"][files.is_fake])):
        fakes = files.is_fake & (files.texts["method"] == method)
        methods[f"method {method}"] = fakes | (~files.is_fake & np.isin(picture, picture[fakes]))
    general = {"overall": everything, "picture": picture, "sound alone": ~picture}
    return general | {"same source": same, "pairs": paired} | methods


def _measured(files: View, how: Resampling) -> Part:
    n_fake = int(files.is_fake.sum())
    counts: Part = {"n_real": len(files.labels) - n_fake, "n_fake": n_fake, "n_scored": len(files.usable.labels)}
    return counts | measure(files, how, metrics=("auc",))


def _difference(baseline: View, table: View, how: Resampling) -> dict[str, Any]:
    """AUC of the table less that of the baseline, on the files that both scored."""
    both = np.isfinite(baseline.scores) & np.isfinite(table.scores)
    one, other = table.where(both), baseline.where(both)
    if not both.any():
        return {"n": 0, "reason": "no file was scored by both"}
    found: dict[str, Any] = asdict(delong(one.labels, one.scores, other.scores, level=how.level))
    named = {"auc_table": found.pop("auc_a"), "auc_baseline": found.pop("auc_b")}
    groups = one.people or list(one.texts["path"])
    draws = {"n_resamples": how.n_resamples, "seed": how.seed, "level": how.level}
    by_person = difference("auc", one.labels, one.scores, other.scores, groups=groups, **draws)  # type: ignore[arg-type]
    return named | found | {"by_identity": asdict(by_person)}


def write_baselines(found: Mapping[str, Any], out: Path) -> tuple[Path, Path]:
    """Write `baselines.json`, and `baselines.csv` with a line for each detector and part.

    Raises:
        EvaluationError: If they cannot be written.
    """
    as_json, as_csv = out / JSON_NAME, out / CSV_NAME
    try:
        out.mkdir(parents=True, exist_ok=True)
        with atomic_path(as_json) as temporary:
            text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        with atomic_path(as_csv) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["detector", "part", "n_real", "n_fake", "n_scored", "metric", *COLUMNS])
            for name, detector in found["detectors"].items():
                for part, entry in detector["parts"].items():
                    counts = [entry[key] for key in ("n_real", "n_fake", "n_scored")]
                    writer.writerow([name, part, *counts, "auc", *(entry["auc"].get(key, "") for key in COLUMNS)])
    except OSError as error:
        raise EvaluationError(f"{out}: cannot be written ({error.strerror}). Name another folder.") from error
    return as_json, as_csv
