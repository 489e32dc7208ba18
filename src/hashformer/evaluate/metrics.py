"""Metrics of scores against labels: a number, or the reason why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from sklearn import metrics as sk

from hashformer.errors import EvaluationError
from hashformer.evaluate.curves import Ints, Roc, checked, reliability, roc


@dataclass(frozen=True)
class Value:
    """A metric of `n` samples.

    Attributes:
        value: The number; None if it is undefined, never a stand-in such as 0 or 1.
        n: Samples that it was computed from.
        reason: Why it is undefined; empty if it is not.
    """

    value: float | None
    n: int
    reason: str = ""


Metric = Callable[[ArrayLike, ArrayLike], Value]


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> Value:
    """Area under the ROC: how often a fake scores higher than a real one, ties counting half.

    Args:
        labels: 0 (real) or 1 (fake), (n,).
        scores: Higher is more likely fake, (n,).

    Raises:
        EvaluationError: As for all metrics here: lengths differ, a label is neither 0 nor 1, a score is not finite.
    """
    labels, scores = checked(labels, scores)
    return _lacking(labels) or Value(float(sk.roc_auc_score(labels, scores)), len(labels))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> Value:
    """Mean precision over the recalls that are reached, without interpolation.

    It rises with the share of fakes: compare it only between sets with the same share.
    """
    labels, scores = checked(labels, scores)
    return _lacking(labels) or Value(float(sk.average_precision_score(labels, scores)), len(labels))


def eer(labels: ArrayLike, scores: ArrayLike) -> Value:
    """Equal error rate: where the false positive rate and the miss rate are the same.

    It is read off the ROC with straight lines between its points, where it meets fpr = 1 − tpr. Tied scores
    are therefore one line, and constant scores give 0.5, as guessing does. Other tools take the nearest
    point instead, or the mean of both rates there; the difference is at most half a step of the ROC.
    """
    labels, scores = checked(labels, scores)
    lacking = _lacking(labels)
    curve = roc(labels, scores)
    if lacking or curve is None:
        return lacking or Value(None, len(labels), "no ROC")
    above = curve.fpr - (1 - curve.tpr)  # rises from −1 to 1
    after = int(np.argmax(above >= 0))
    share = -above[after - 1] / (above[after] - above[after - 1])
    return Value(float(curve.fpr[after - 1] + share * (curve.fpr[after] - curve.fpr[after - 1])), len(labels))


def eer_threshold(labels: ArrayLike, scores: ArrayLike) -> Value:
    """The score at which both error rates come closest; of two equally close, the stricter."""
    labels, scores = checked(labels, scores)
    lacking = _lacking(labels)
    curve = roc(labels, scores)
    if lacking or curve is None:
        return lacking or Value(None, len(labels), "no ROC")
    return Value(equal_error_threshold(curve), len(labels))


def equal_error_threshold(curve: Roc) -> float:
    """The threshold on a ROC at which both error rates come closest, the stricter of two equally close."""
    # The first point, infinity, is no score that a file can reach.
    distance = np.abs(curve.fpr - (1 - curve.tpr))[1:]
    return float(curve.thresholds[1:][np.argmin(distance)])


def accuracy(labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5) -> Value:
    """Share of right answers, a score >= `threshold` being the answer "fake"."""
    labels, scores = checked(labels, scores)
    if not len(labels):
        return _lacking(labels) or Value(None, 0, "no samples")
    return Value(float(sk.accuracy_score(labels, scores >= threshold)), len(labels))


def balanced_accuracy(labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5) -> Value:
    """Mean of the shares of right answers among real and among fake."""
    labels, scores = checked(labels, scores)
    return _lacking(labels) or Value(float(sk.balanced_accuracy_score(labels, scores >= threshold)), len(labels))


def f1(labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5) -> Value:
    """Harmonic mean of precision and recall of the answer "fake"; 0 if fakes occur and none is found."""
    labels, scores = checked(labels, scores)
    return _lacking(labels) or Value(float(sk.f1_score(labels, scores >= threshold, zero_division=0.0)), len(labels))


def tpr_at_fpr(labels: ArrayLike, scores: ArrayLike, *, fpr: float) -> Value:
    """Share of fakes found by the laxest threshold that calls at most `fpr` of the real ones fake.

    Only thresholds that can be set count: nothing is interpolated between tied scores, so that constant
    scores find nothing. With fewer than 1 / fpr real samples, not one of them may be called fake.

    Raises:
        EvaluationError: If `fpr` is outside 0–1; or as for all metrics.
    """
    if not 0 <= fpr <= 1:
        raise EvaluationError(f"fpr must lie in 0–1, got {fpr:g}")
    labels, scores = checked(labels, scores)
    lacking = _lacking(labels)
    curve = roc(labels, scores)
    if lacking or curve is None:
        return lacking or Value(None, len(labels), "no ROC")
    # 1 real in 100 is 0.01 only up to rounding.
    return Value(float(curve.tpr[curve.fpr <= fpr + 1e-12][-1]), len(labels))


def log_loss(labels: ArrayLike, scores: ArrayLike) -> Value:
    """Mean negative log-likelihood, in nats; a score of exactly 0 or 1 counts as 2.2e-16 away from it.

    Raises:
        EvaluationError: If a score is outside 0–1; or as for all metrics.
    """
    labels, scores = checked(labels, scores, probability=True)
    if not len(labels):
        return Value(None, 0, "no samples")
    return Value(float(sk.log_loss(labels, scores, labels=[0, 1])), len(labels))


def brier(labels: ArrayLike, scores: ArrayLike) -> Value:
    """Mean squared distance of scores from labels.

    Raises:
        EvaluationError: If a score is outside 0–1; or as for all metrics.
    """
    labels, scores = checked(labels, scores, probability=True)
    if not len(labels):
        return Value(None, 0, "no samples")
    return Value(float(np.mean((scores - labels) ** 2)), len(labels))


def ece(labels: ArrayLike, scores: ArrayLike, *, bins: int = 15) -> Value:
    """Expected calibration error: how far P(fake) is from the share of fakes, over bins of equal width.

    The distance in each bin is weighed by its samples. This is that of P(fake) itself, not of the
    confidence in the answer.

    Raises:
        EvaluationError: If a score is outside 0–1 or `bins` below 1; or as for all metrics.
    """
    table = reliability(labels, scores, bins=bins)
    total = int(table.n.sum())
    if not total:
        return Value(None, 0, "no samples")
    filled = table.n > 0
    distance = np.abs(table.mean_score[filled] - table.share_fake[filled])
    return Value(float((distance * table.n[filled]).sum() / total), total)


def _lacking(labels: Ints) -> Value | None:
    """Why a metric of two classes is undefined; None if both occur."""
    n, fakes = len(labels), int(labels.sum())
    if not n:
        return Value(None, 0, "no samples")
    if fakes in {0, n}:
        which = f"all {n} samples are" if n > 1 else "the only sample is"
        return Value(None, n, f"{which} {'fake' if fakes else 'real'}: both classes are needed")
    return None


METRICS: dict[str, Metric] = {
    "auc": roc_auc,
    "ap": average_precision,
    "eer": eer,
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "tpr_at_fpr_1": partial(tpr_at_fpr, fpr=0.01),
    "tpr_at_fpr_5": partial(tpr_at_fpr, fpr=0.05),
    "log_loss": log_loss,
    "brier": brier,
    "ece": ece,
}
