"""A baseline that looks at no picture and hears no sound: logistic regression on what a file is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from hashformer.data.audit.facts import NUMBERS, WORDS, file_facts
from hashformer.data.manifest import Row
from hashformer.data.prepared import prepared_rows
from hashformer.data.survey import Advance, survey
from hashformer.errors import EvaluationError
from hashformer.evaluate.record import FileScores
from hashformer.preprocess.store import read_record

FACE_NUMBERS = ("sharpness", "face_px")
"""Of the prepared file: median variance of the Laplacian of the face crops, and how wide the face was."""
USED_NUMBERS = (*NUMBERS, *FACE_NUMBERS)
USED_WORDS = tuple(word for word in WORDS if word != "resolution")
"""The resolution as a word would only name the source; its size is among the numbers."""
N_FOLDS = 5
Facts = Mapping[str, float | str | None]


def gather_facts(
    rows: Sequence[Row], base_dir: Path, prepared: Path | None, *, workers: int = 0, progress: Advance | None = None
) -> tuple[dict[str, Facts], dict[str, str]]:
    """Look at the files, not at what they show.

    Args:
        rows: Of the manifest.
        base_dir: Where their paths start.
        prepared: Folder of `hashformer preprocess`, for the sharpness of the faces; None leaves it out.
        workers: Files looked at together; 0 takes one for each core.
        progress: Told how many files have been looked at.

    Returns:
        The facts of each file, None where there is no such stream; and for files that cannot be read, why.
    """
    of_face = {row.path: _face(prepared / row.path) for row in prepared_rows(rows, prepared)[0]} if prepared else {}
    by_path = {base_dir / row.path: row.path for row in rows}
    found: dict[str, Facts] = {}
    unreadable = {}
    for path, facts, why in survey(list(by_path), file_facts, workers=workers, progress=progress):
        name = by_path[path]
        if facts is None:
            unreadable[name] = why.removeprefix(f"{path}: ")
        else:
            found[name] = {**vars(facts), **dict.fromkeys(FACE_NUMBERS), **of_face.get(name, {})}
    return found, unreadable


def _face(folder: Path) -> dict[str, float | None]:
    """Means over the faces of a prepared file, by how long each is seen; None without a face."""
    tracks = read_record(folder).tracks
    if not tracks:
        return dict.fromkeys(FACE_NUMBERS)
    n_frames = [track.n_frames for track in tracks]
    blur, width = ([getattr(track, name) for track in tracks] for name in ("blur", "face_px"))
    return {
        "sharpness": float(np.average(blur, weights=n_frames)),
        "face_px": float(np.average(width, weights=n_frames)),
    }


def left_out_scores(
    rows: Sequence[Row],
    facts: Mapping[str, Facts],
    groups: Sequence[str],
    *,
    seed: int = 0,
    n_folds: int = N_FOLDS,
) -> dict[str, FileScores]:
    """Score every file by models that saw neither its group nor, of a fake, its generator.

    The groups are dealt into folds, real and fake evenly. For each fold and each generator a model is trained on the
    real files and on the fakes of the other generators, all of them from the other folds. It scores the generator's
    fakes in the fold. A real file's score is the mean over the models of its fold, one for each generator.

    Args:
        rows: With facts or without; those without get no score.
        facts: As `gather_facts` gives them.
        groups: What must not be in training and test both, one for each row: people, or each file alone.
        seed: Of the folds.
        n_folds: At most so many.

    Raises:
        EvaluationError: If the facts are of one class, or of fewer than two groups.
    """
    used = [(row, group) for row, group in zip(rows, groups, strict=True) if row.path in facts]
    labels = np.array([row.label for row, _ in used])
    methods = np.array([row.method if row.label else "" for row, _ in used], dtype=object)
    folds = _folds(labels, [group for _, group in used], min(n_folds, len(used)), seed)
    table = _table([facts[row.path] for row, _ in used])
    sums, counts = np.zeros(len(used)), np.zeros(len(used))
    for fold in range(folds.max() + 1):
        for method in sorted(set(methods) - {""}):
            trained = (folds != fold) & (methods != method)
            tested = (folds == fold) & ((methods == method) | (labels == 0))
            if tested.any() and len(set(labels[trained])) == 2:
                sums[tested] += _fitted(table[trained], labels[trained]).predict_proba(table[tested])[:, 1]
                counts[tested] += 1
    found = {}
    for (row, _), total, count in zip(used, sums, counts, strict=True):
        found[row.path] = (
            FileScores(path=row.path, status="scored", scores={"overall": float(total / count)})
            if count
            else FileScores(path=row.path, status="cannot_tell", reason="no fakes of other generators to train on")
        )
    return found


def _folds(labels: "np.ndarray[Any, Any]", groups: Sequence[str], n_folds: int, seed: int) -> "np.ndarray[Any, Any]":
    """The fold of each file, (n,)."""
    n_folds = min(n_folds, len(set(groups)), int(labels.sum()), int(len(labels) - labels.sum()))
    if n_folds < 2:
        raise EvaluationError(
            f"file statistics are trained on some files and tested on others: {int(labels.sum())} fake and "
            f"{int(len(labels) - labels.sum())} real files of {len(set(groups))} groups do not suffice, 2 of each do."
        )
    folds = np.zeros(len(labels), int)
    dealt = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed).split(labels, labels, list(groups))
    for fold, (_, tested) in enumerate(dealt):
        folds[tested] = fold
    return folds


def _table(facts: Sequence[Facts]) -> "np.ndarray[Any, Any]":
    """Numbers, NaN where there is none, then words, "" where there is none, (n, columns)."""
    lines = [
        [*(np.nan if fact[name] is None else fact[name] for name in USED_NUMBERS), *(fact[w] or "" for w in USED_WORDS)]
        for fact in facts
    ]
    return np.array(lines, dtype=object)


def _fitted(table: "np.ndarray[Any, Any]", labels: "np.ndarray[Any, Any]") -> Any:
    """A model of logarithms of the numbers, which words there are, and what is missing."""
    numbers = make_pipeline(
        FunctionTransformer(_logarithm),
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    n = len(USED_NUMBERS)
    columns = ColumnTransformer(
        [
            ("numbers", numbers, slice(0, n)),
            ("words", OneHotEncoder(handle_unknown="ignore"), slice(n, n + len(USED_WORDS))),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(class_weight="balanced", max_iter=2000))
    return model.fit(table, labels)


def _logarithm(numbers: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    # Sizes and rates spread over decades.
    return np.asarray(np.log1p(numbers.astype(float)))
