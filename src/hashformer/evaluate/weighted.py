"""The metrics of `metrics`, of many weightings of the same samples at once: what resampling needs to be fast."""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from hashformer.evaluate.curves import Floats, Ints, bin_index, checked

Weights = Floats


class WeightedMetrics:
    """Metrics of samples that count several times, or not at all.

    Scores are sorted once; each weighting is then a running sum. A weight of k is the same as k copies of the
    sample, and `metrics` gives the same number for those copies.

    Args:
        labels: 0 or 1, (n,).
        scores: Higher is more likely fake, (n,).

    Every method takes weights, (R, n), at least 0, and returns (R,): NaN where the metric is undefined.
    """

    def __init__(self, labels: Ints, scores: Floats) -> None:
        self.labels, self.scores = checked(labels, scores)

    @cached_property
    def _order(self) -> tuple[Ints, Ints]:
        """Indices from the highest score to the lowest, and where in it the last of each run of ties stands."""
        order = np.argsort(-self.scores, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(self.scores[order]) != 0, True)[: len(order)])
        return order, ends

    def _counts(self, weights: Weights) -> tuple[Floats, Floats]:
        """True and false positives at infinity and at each score that occurs, falling, (R, U + 1) each."""
        order, ends = self._order
        ordered, fake = weights[:, order], self.labels[order] == 1
        positives, negatives = ordered * fake, ordered * ~fake
        return _cumulated(positives, ends), _cumulated(negatives, ends)

    def auc(self, weights: Weights) -> Floats:
        """Area under the ROC."""
        tp, fp = self._counts(weights)
        area = ((tp[:, 1:] + tp[:, :-1]) * np.diff(fp)).sum(1) / 2
        return _ratio(area, tp[:, -1] * fp[:, -1])

    def ap(self, weights: Weights) -> Floats:
        """Average precision."""
        tp, fp = self._counts(weights)
        precision = tp[:, 1:] / np.maximum(tp[:, 1:] + fp[:, 1:], 1e-300)
        return _where_both(_ratio((np.diff(tp) * precision).sum(1), tp[:, -1]), tp, fp)

    def eer(self, weights: Weights) -> Floats:
        """Equal error rate, interpolated on the ROC."""
        tp, fp = self._counts(weights)
        fpr, tpr = _ratio(fp, fp[:, -1:]), _ratio(tp, tp[:, -1:])
        above = fpr + tpr - 1
        after = np.argmax(above >= 0, axis=1).clip(min=1)
        rows = np.arange(len(weights))
        low, high = above[rows, after - 1], above[rows, after]
        share = _ratio(-low, high - low)
        before = fpr[rows, after - 1]
        return np.asarray(before + share * (fpr[rows, after] - before), dtype=np.float64)

    def tpr_at_fpr(self, weights: Weights, *, fpr: float) -> Floats:
        """Share of fakes found at no more than this false positive rate."""
        tp, fp = self._counts(weights)
        last = (fp <= fpr * fp[:, -1:] + 1e-9).sum(1) - 1
        return _where_both(_ratio(tp[np.arange(len(tp)), last], tp[:, -1]), tp, fp)

    def accuracy(self, weights: Weights, *, threshold: float = 0.5) -> Floats:
        """Share of right answers."""
        right = (self.scores >= threshold) == (self.labels == 1)
        return _ratio(weights @ right.astype(float), weights.sum(1))

    def balanced_accuracy(self, weights: Weights, *, threshold: float = 0.5) -> Floats:
        """Mean of the shares of right answers of both classes."""
        tp, fp, fn, tn = self._confusion(weights, threshold)
        return (_ratio(tp, tp + fn) + _ratio(tn, tn + fp)) / 2

    def f1(self, weights: Weights, *, threshold: float = 0.5) -> Floats:
        """Harmonic mean of precision and recall."""
        tp, fp, fn, tn = self._confusion(weights, threshold)
        defined = (tp + fn > 0) & (tn + fp > 0)
        return np.where(defined, _ratio(2 * tp, 2 * tp + fp + fn), np.nan)

    def log_loss(self, weights: Weights) -> Floats:
        """Mean negative log-likelihood."""
        tiny = np.finfo(np.float64).eps
        p = self.scores.clip(tiny, 1 - tiny)
        return _ratio(weights @ -np.where(self.labels == 1, np.log(p), np.log(1 - p)), weights.sum(1))

    def brier(self, weights: Weights) -> Floats:
        """Mean squared distance of scores from labels."""
        return _ratio(weights @ (self.scores - self.labels) ** 2, weights.sum(1))

    def ece(self, weights: Weights, *, bins: int = 15) -> Floats:
        """Expected calibration error."""
        index = bin_index(self.scores, bins)
        member = np.zeros((len(index), bins))
        member[np.arange(len(index)), index] = self.scores - self.labels
        return _ratio(np.abs(weights @ member).sum(1), weights.sum(1))

    def _confusion(self, weights: Weights, threshold: float) -> tuple[Floats, Floats, Floats, Floats]:
        said, fake = self.scores >= threshold, self.labels == 1
        cells = np.stack([said & fake, said & ~fake, ~said & fake, ~said & ~fake], axis=1)
        tp, fp, fn, tn = (weights @ cells.astype(float)).T
        return tp, fp, fn, tn


WEIGHTED: dict[str, Callable[[WeightedMetrics, Weights], Floats]] = {
    "auc": WeightedMetrics.auc,
    "ap": WeightedMetrics.ap,
    "eer": WeightedMetrics.eer,
    "accuracy": WeightedMetrics.accuracy,
    "balanced_accuracy": WeightedMetrics.balanced_accuracy,
    "f1": WeightedMetrics.f1,
    "tpr_at_fpr_1": lambda table, weights: table.tpr_at_fpr(weights, fpr=0.01),
    "tpr_at_fpr_5": lambda table, weights: table.tpr_at_fpr(weights, fpr=0.05),
    "log_loss": WeightedMetrics.log_loss,
    "brier": WeightedMetrics.brier,
    "ece": WeightedMetrics.ece,
}


def _cumulated(counts: Floats, ends: Ints) -> Floats:
    return np.concatenate([np.zeros((len(counts), 1)), counts.cumsum(axis=1)[:, ends]], axis=1)


def _ratio(a: Floats, b: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(b != 0, a / b, np.nan)


def _where_both(values: Floats, tp: Floats, fp: Floats) -> Floats:
    return np.where((tp[:, -1] > 0) & (fp[:, -1] > 0), values, np.nan)
