"""How well suspect segments fit the fake ones: AP at an overlap, AR of the best N, as LAV-DF and AV-Deepfake1M."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hashformer.errors import EvaluationError
from hashformer.evaluate.curves import Floats
from hashformer.evaluate.metrics import Value

AP_IOUS = (0.5, 0.75, 0.95)
AR_COUNTS = (5, 10, 20, 30, 50, 100)
# 0.5 to 0.95 in steps of 0.05.
AR_IOUS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))


@dataclass(frozen=True)
class FileSegments:
    """The fake segments of one file, and those that were suspected.

    Attributes:
        truth: (start_s, end_s) of each fake segment, none overlapping another; () for a real file.
        found: (start_s, end_s, score) of each suspect segment, in any order; () if none, or if the file could
            not be scored, which then counts as missed.
    """

    truth: Sequence[tuple[float, float]]
    found: Sequence[tuple[float, float, float]]


def localisation(files: Iterable[FileSegments]) -> dict[str, Value]:
    """All that the two corpora's papers report: `ap_0.5`, `ap_0.75`, `ap_0.95`, `ar_5` … `ar_100`.

    Raises:
        EvaluationError: If a segment is not finite or ends before it starts.
    """
    files = list(files)
    found = {f"ap_{iou:g}": average_precision_at(files, iou=iou) for iou in AP_IOUS}
    return found | {f"ar_{n}": average_recall_at(files, n=n) for n in AR_COUNTS}


def average_precision_at(files: Iterable[FileSegments], *, iou: float) -> Value:
    """Average precision of suspect segments, those of all files in one list.

    From the highest score down, a suspect segment is right if it overlaps a fake one of its file by more than
    `iou` and no segment before it has claimed that one. Precision at a recall is the best that is reached at
    this recall or a higher one. Segments of equal score enter together, so that the order of files plays no
    part. Segments found in real files are wrong.

    Args:
        files: All files, real ones too.
        iou: Intersection over union that must be exceeded, 0–1.

    Returns:
        The value, with `n` the number of fake segments; undefined if there are none.

    Raises:
        EvaluationError: If `iou` is outside 0–1, or a segment is not finite or ends before it starts.

    Source: Cai et al., "Do You Really Mean That?" (LAV-DF), DICTA 2022, and "AV-Deepfake1M", 2024, which
    take the protocol of temporal action localisation.
    """
    if not 0 <= iou <= 1:
        raise EvaluationError(f"iou must lie in 0–1, got {iou:g}")
    n_truth, scores, right = 0, [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for file in files:
        overlap, file_scores = _overlaps(file)
        n_truth += len(file.truth)
        scores.append(file_scores)
        right.append(_claims(overlap, iou))
    if not n_truth:
        return Value(None, 0, "no fake segments")
    return Value(_interpolated(np.concatenate(scores), np.concatenate(right), n_truth), n_truth)


def average_recall_at(files: Iterable[FileSegments], *, n: int, ious: Sequence[float] = AR_IOUS) -> Value:
    """Share of fake segments that one of the best `n` suspect segments of their file overlaps, mean over `ious`.

    Args:
        files: All files; real ones play no part.
        n: How many suspect segments of each file count, those with the highest scores; of equal ones those
            that are named first.
        ious: Overlaps that must be exceeded.

    Returns:
        As `average_precision_at`.

    Raises:
        EvaluationError: If `n` is below 1, or a segment is not finite or ends before it starts.

    Source: as `average_precision_at`.
    """
    if n < 1:
        raise EvaluationError(f"n must be at least 1, got {n}")
    best = [_overlaps(file)[0][:n].max(axis=0, initial=0.0) for file in files]
    overlaps = np.concatenate([np.zeros(0), *best])
    if not len(overlaps):
        return Value(None, 0, "no fake segments")
    return Value(float(np.mean([(overlaps > iou).mean() for iou in ious])), len(overlaps))


def _overlaps(file: FileSegments) -> tuple[Floats, Floats]:
    """Intersection over union of suspect (rows, highest score first) and fake segments; the rows' scores."""
    found = np.asarray(file.found, dtype=np.float64).reshape(-1, 3)
    truth = np.asarray(file.truth, dtype=np.float64).reshape(-1, 2)
    for name, array in (("suspect", found), ("fake", truth)):
        wrong = int((~np.isfinite(array).all(axis=1) | (array[:, 1] < array[:, 0])).sum())
        if wrong:
            raise EvaluationError(f"{wrong} of {len(array)} {name} segments are not finite or end before they start")
    found = found[np.argsort(-found[:, 2], kind="stable")]
    start, end = (found[:, i, None] for i in (0, 1))
    common = (np.minimum(end, truth[:, 1]) - np.maximum(start, truth[:, 0])).clip(min=0)
    union = (end - start) + (truth[:, 1] - truth[:, 0]) - common
    return common / np.where(union > 0, union, 1), found[:, 2]


def _claims(overlap: Floats, iou: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which suspect segments are right; each fake one can be claimed once."""
    right = np.zeros(len(overlap), dtype=bool)
    free = np.ones(overlap.shape[1], dtype=bool)
    for row in np.flatnonzero((overlap > iou).any(axis=1)):
        candidates = np.where(free, overlap[row], 0.0)
        best = int(candidates.argmax())
        if candidates[best] > iou:
            right[row], free[best] = True, False
    return right


def _interpolated(scores: Floats, right: np.ndarray[tuple[int], np.dtype[np.bool_]], n_truth: int) -> float:
    if not len(scores):
        return 0.0
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = right[order].cumsum()[ends]
    precision = np.maximum.accumulate((hits / (ends + 1))[::-1])[::-1]
    return float((np.diff(hits, prepend=0) / n_truth * precision).sum())
