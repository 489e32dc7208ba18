"""Make scores mean what they say: scale and bias of a head, thresholds for a rate of false alarms."""

from collections.abc import Sequence
from math import floor, inf, nextafter

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit

from hashformer.errors import EvaluationError
from hashformer.evaluate.curves import Floats, Ints, checked
from hashformer.model.calibration import HeadCalibration

# How far, in factors of e, the scale strays from its prior before that speaks up: 2 is a factor of 7.
_SCALE_SPREAD = 2.0


def fit(labels: ArrayLike, logits: ArrayLike, *, fake_share: float | None = None) -> HeadCalibration:
    """Scale and bias that make sigmoid(scale · logit + bias) most likely for the labels.

    Three things keep it finite and monotone. The targets are Platt's, (n₁ + 1) / (n₁ + 2) for a fake and
    1 / (n₀ + 2) for a real one, as if each class had one more sample of the other kind: separable data would
    otherwise ask for an infinite scale. The scale is the exponential of what is fitted, thus positive: the
    order of scores, and with it AUC and EER, never changes. A weak prior pulls it to 1 / (spread of the
    logits), so that logits that order the files wrongly end at a small scale, not at none.

    Args:
        labels: 0 (real) or 1 (fake), (n,).
        logits: Of one head, before any calibration, (n,).
        fake_share: Share of fakes where the scores will be used; classes are weighed to it. None: that of
            `labels`, often far from it (in some corpora 40 of 41 files are fake).

    Raises:
        EvaluationError: If one class is missing, a logit is not finite, or `fake_share` is not within 0–1.

    Source: Platt, "Probabilistic outputs for support vector machines", 1999, section 2.2 (targets).
    """
    labels, logits = checked(labels, logits)
    _check_fit(labels, fake_share)
    n_fake, n_real = int(labels.sum()), int((1 - labels).sum())
    targets = np.where(labels == 1, (n_fake + 1) / (n_fake + 2), 1 / (n_real + 2))
    share = n_fake / len(labels) if fake_share is None else fake_share
    weights = np.where(labels == 1, share / n_fake, (1 - share) / n_real) * len(labels)
    # In the logits' own units, so that neither the search nor the prior depends on the head's range.
    centre, spread = float(logits.mean()), float(logits.std())
    # Equal numbers differ by rounding.
    unit = spread if spread > 1e-9 * float(np.abs(logits).max()) else 1.0
    found = minimize(
        _penalised,
        x0=np.zeros(2),
        args=((logits - centre) / unit, targets, weights),
        jac=True,
        method="L-BFGS-B",
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000},
    )
    scale, bias = float(np.exp(found.x[0])) / unit, float(found.x[1])
    if not np.isfinite([scale, bias]).all():
        raise EvaluationError(f"calibration of {len(labels)} logits did not converge: {found.message}")
    return HeadCalibration(scale=scale, bias=bias - scale * centre)


def _penalised(x: Floats, logits: Floats, targets: Floats, weights: Floats) -> tuple[float, Floats]:
    """Weighted cross-entropy with the prior on log scale, and its gradient."""
    scale = np.exp(x[0])
    z = scale * logits + x[1]
    away = x[0] / _SCALE_SPREAD
    loss = float(weights @ (np.logaddexp(0, z) - targets * z)) + 0.5 * away**2
    error = weights * (expit(z) - targets)
    gradient = np.array([scale * (error @ logits) + away / _SCALE_SPREAD, error.sum()])
    return loss, gradient


def _check_fit(labels: Ints, fake_share: float | None) -> None:
    n_fake = int(labels.sum())
    if not 0 < n_fake < len(labels):
        raise EvaluationError(
            f"calibration needs real and fake samples, got {len(labels) - n_fake} real and {n_fake} fake; "
            "fit on a split that holds both"
        )
    if fake_share is not None and not 0 < fake_share < 1:
        raise EvaluationError(f"fake_share must lie between 0 and 1, got {fake_share:g}")


def thresholds(real_scores: ArrayLike, fprs: Sequence[float] = (0.01, 0.05, 0.10)) -> dict[float, float]:
    """The least threshold for each false positive rate that these real samples allow.

    A file is called fake if its score is >= the threshold. With ties the rate stays below the target rather
    than above it. Where not one real sample may be called fake (fewer than 1 / fpr of them, or ties at the
    top) the threshold lies just above the highest score, which says little about the next real file: use
    several times 1 / fpr.

    Args:
        real_scores: Scores of real samples, (n,).
        fprs: Target rates, each in 0–1.

    Returns:
        Threshold by target rate. It may be above 1: then nothing can be called fake at this rate.

    Raises:
        EvaluationError: If there are no samples, a score is not finite, or a rate is outside 0–1.
    """
    scores = np.asarray(real_scores, dtype=np.float64)
    _, scores = checked(np.zeros(scores.shape, dtype=np.int64), scores)
    if not len(scores):
        raise EvaluationError("no real samples: a threshold for a false positive rate needs some")
    for fpr in fprs:
        if not 0 <= fpr <= 1:
            raise EvaluationError(f"a false positive rate must lie in 0–1, got {fpr:g}")
    ordered = np.sort(scores)
    return {fpr: _threshold(ordered, fpr) for fpr in fprs}


def _threshold(ordered: Floats, fpr: float) -> float:
    # 0.29 · 100 is 28.999999999999996.
    allowed = floor(fpr * len(ordered) + 1e-9)
    if allowed >= len(ordered):
        return float(ordered[0])
    refused = ordered[len(ordered) - 1 - allowed]  # the highest real score that must not be called fake
    above = ordered[np.searchsorted(ordered, refused, side="right") :]
    return float(above[0]) if len(above) else nextafter(float(refused), inf)
