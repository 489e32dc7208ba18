"""Curves of scores against labels, as arrays: ROC, precision–recall, DET, reliability."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from hashformer.errors import EvaluationError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Roc(NamedTuple):
    """Rates at every threshold, from the strictest to the laxest: a file is called fake if its score >= it.

    Points between two thresholds are on the straight line between them: ties are no step, and no hull is laid
    over the curve.

    Attributes:
        fpr: Share of real called fake, rising from 0 to 1.
        tpr: Share of fake called fake, rising from 0 to 1.
        thresholds: Infinity, then every score that occurs, falling.
    """

    fpr: Floats
    tpr: Floats
    thresholds: Floats


class PrecisionRecall(NamedTuple):
    """Precision over recall, one point for each score that occurs, then (recall 0, precision 1).

    Attributes:
        recall: Share of fake called fake, falling from 1 to 0.
        precision: Share of fake among those called fake.
        thresholds: Scores, rising; one fewer than points.
    """

    recall: Floats
    precision: Floats
    thresholds: Floats


class Det(NamedTuple):
    """Detection error trade-off: both error rates at every threshold; plots scale both by the normal quantile.

    Attributes:
        fpr: Share of real called fake.
        fnr: Share of fake called real.
        thresholds: As those of `Roc`.
    """

    fpr: Floats
    fnr: Floats
    thresholds: Floats


class Reliability(NamedTuple):
    """Bins of equal width on P(fake).

    Attributes:
        edges: (bins + 1,), from 0 to 1; a bin holds its lower edge, the last one also 1.
        mean_score: (bins,), NaN in an empty bin.
        share_fake: (bins,), NaN in an empty bin.
        n: (bins,) samples in each.
    """

    edges: Floats
    mean_score: Floats
    share_fake: Floats
    n: Ints


def roc(labels: ArrayLike, scores: ArrayLike) -> Roc | None:
    """The receiver operating characteristic; None unless both classes occur.

    Raises:
        EvaluationError: See `checked`.
    """
    labels, scores = checked(labels, scores)
    if not _both(labels):
        return None
    return Roc(*(_floats(part) for part in roc_curve(labels, scores, drop_intermediate=False)))


def precision_recall(labels: ArrayLike, scores: ArrayLike) -> PrecisionRecall | None:
    """Precision over recall; None unless both classes occur.

    Raises:
        EvaluationError: See `checked`.
    """
    labels, scores = checked(labels, scores)
    if not _both(labels):
        return None
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    return PrecisionRecall(_floats(recall), _floats(precision), _floats(thresholds))


def det(labels: ArrayLike, scores: ArrayLike) -> Det | None:
    """The detection error trade-off; None unless both classes occur.

    Raises:
        EvaluationError: See `checked`.
    """
    curve = roc(labels, scores)
    return None if curve is None else Det(curve.fpr, 1 - curve.tpr, curve.thresholds)


def reliability(labels: ArrayLike, scores: ArrayLike, *, bins: int = 15) -> Reliability:
    """How many of the files with a score of about p are fake.

    Args:
        labels: 0 or 1, (n,).
        scores: P(fake) in 0–1, (n,).
        bins: Number of bins, at least 1.

    Raises:
        EvaluationError: See `checked`; or a score is outside 0–1, or `bins` is below 1.
    """
    labels, scores = checked(labels, scores, probability=True)
    index, edges = bin_index(scores, bins), np.linspace(0, 1, bins + 1)
    n = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_score = np.bincount(index, weights=scores, minlength=bins) / n
        share_fake = np.bincount(index, weights=labels, minlength=bins) / n
    return Reliability(edges, mean_score, share_fake, n)


def bin_index(scores: Floats, bins: int) -> Ints:
    """Which of `bins` equal bins of 0–1 each score falls into, (n,); 1 falls into the last.

    Raises:
        EvaluationError: If `bins` is below 1.
    """
    if bins < 1:
        raise EvaluationError(f"bins must be at least 1, got {bins}")
    return np.minimum((scores * bins).astype(np.int64), bins - 1)


def checked(labels: ArrayLike, scores: ArrayLike, *, probability: bool = False) -> tuple[Ints, Floats]:
    """Labels and scores as arrays of the right kind.

    Args:
        labels: 0 (real) or 1 (fake), (n,).
        scores: Higher is more likely fake, (n,).
        probability: Scores must lie in 0–1.

    Raises:
        EvaluationError: If the lengths differ, a label is neither 0 nor 1, or a score is not finite (or, asked
            so, outside 0–1). A score that is missing is coverage, not a number: leave its row out and count it.
    """
    y, s = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape:
        raise EvaluationError(f"labels and scores must be of one length, got shapes {y.shape} and {s.shape}")
    wrong = int((~np.isin(y, (0, 1))).sum())
    if wrong:
        raise EvaluationError(f"{wrong} of {len(y)} labels are neither 0 (real) nor 1 (fake)")
    bad = int((~np.isfinite(s)).sum())
    if bad:
        raise EvaluationError(
            f"{bad} of {len(s)} scores are NaN or infinite; leave out rows without a score and report them as coverage"
        )
    if probability and len(s) and (s.min() < 0 or s.max() > 1):
        raise EvaluationError(f"scores must lie in 0–1, got {s.min():g} to {s.max():g}; calibrate logits first")
    return y.astype(np.int64), s


def _both(labels: Ints) -> bool:
    return bool(0 < labels.sum() < len(labels))


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)
