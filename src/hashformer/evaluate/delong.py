"""DeLong's test: are the AUCs of two checkpoints on the same samples different?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from hashformer.errors import EvaluationError
from hashformer.evaluate.curves import Floats, Ints, checked
from hashformer.evaluate.metrics import roc_auc


@dataclass(frozen=True)
class DeLong:
    """Two AUCs on the same samples.

    Attributes:
        auc_a: Of the first; None if undefined.
        auc_b: Of the second.
        difference: `auc_a` − `auc_b`.
        low: Lower end of the difference's interval; None if it cannot be told.
        high: Upper end.
        p_value: Two-sided, of both being equal; None if it cannot be told.
        n: Samples.
        reason: What is None and why; empty if nothing is.
    """

    auc_a: float | None
    auc_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n: int
    reason: str = ""


def delong(labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike, *, level: float = 0.95) -> DeLong:
    """Compare the AUCs of two checkpoints on the same, independent samples.

    It takes every row for independent: use one score per video, or `intervals.difference` with groups.

    Args:
        labels: 0 (real) or 1 (fake), (n,).
        scores_a: Of the one, (n,).
        scores_b: Of the other, (n,), in the same order.
        level: Of the interval.

    Raises:
        EvaluationError: If the input is not valid; see `curves.checked`.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; from midranks, in O(n log n), as Sun and
    Xu, IEEE Signal Processing Letters 21, 2014.
    """
    y, a = checked(labels, scores_a)
    _, b = checked(labels, scores_b)
    if not 0 < level < 1:
        raise EvaluationError(f"level must lie between 0 and 1, got {level:g}")
    whole = roc_auc(y, a)
    if whole.value is None:
        return DeLong(None, None, None, None, None, None, len(y), whole.reason)
    parts = [_placements(y, scores) for scores in (a, b)]
    auc_a, auc_b = (float(of_fakes.mean()) for of_fakes, _ in parts)
    gap = auc_a - auc_b
    smaller = min(int(y.sum()), int((1 - y).sum()))
    if smaller < 2:
        reason = f"only {smaller} sample of one class: no interval of the difference"
        return DeLong(auc_a, auc_b, gap, None, None, None, len(y), reason)
    variance = sum(float(np.var(of_a - of_b, ddof=1)) / len(of_a) for of_a, of_b in zip(*parts, strict=True))
    if variance <= 1e-30:
        reason = "both order the samples alike, or without any error: the difference has no spread to be told"
        return DeLong(auc_a, auc_b, gap, None, None, None, len(y), reason)
    spread = float(np.sqrt(variance))
    reach = float(norm.ppf((1 + level) / 2)) * spread
    p_value = float(2 * norm.sf(abs(gap) / spread))
    return DeLong(auc_a, auc_b, gap, gap - reach, gap + reach, p_value, len(y))


def _placements(labels: Ints, scores: Floats) -> tuple[Floats, Floats]:
    """For each fake the share of real below it, for each real the share of fakes above it; ties count half."""
    fake, real = scores[labels == 1], scores[labels == 0]
    ranks = rankdata(np.concatenate([fake, real]))
    of_fakes = (ranks[: len(fake)] - rankdata(fake)) / len(real)
    of_real = 1 - (ranks[len(fake) :] - rankdata(real)) / len(fake)
    return of_fakes, of_real
