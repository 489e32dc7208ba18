"""Logistic regression over samples of frozen features."""

import math
from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from hashformer.errors import TrainError

Floats = NDArray[np.float32]


class Samples(NamedTuple):
    """What an answer is solved for over.

    Attributes:
        values: (n, D).
        forged: 0 or 1, (n,).
    """

    values: Floats
    forged: Floats

    @classmethod
    def joined(cls, parts: Iterable["Samples"]) -> Self:
        """One after another."""
        values, forged = zip(*parts, strict=True)
        return cls(np.concatenate(values), np.concatenate(forged))


def logistic(samples: Samples, l2: float) -> tuple[Floats, float, Floats]:
    """Logistic regression on standardised values, with a penalty on the square of its weights.

    Args:
        samples: Of both classes.
        l2: Half of it times the squared norm is added to the mean cross-entropy.

    Returns:
        Weight (D,) and bias of what is to be given values less `middle`, and `middle` (D,), their mean.

    Raises:
        TrainError: If there is one class alone, or no solution was found.
    """
    truth = samples.forged.astype(np.float64)
    if not len(truth) or truth.min() == truth.max():
        raise TrainError(f"a linear answer needs real and forged samples, got {len(truth)}, {int(truth.sum())} forged")
    middle, spread = samples.values.mean(0, dtype=np.float64), samples.values.std(0, dtype=np.float64)
    spread[spread < 1e-6] = np.inf  # what never changes tells nothing
    x = (samples.values - middle) / spread

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = x @ w[:-1] + w[-1]
        error = (expit(z) - truth) / len(truth)
        value = float(np.logaddexp(0, z).mean() - truth @ z / len(truth) + 0.5 * l2 * w[:-1] @ w[:-1])
        return value, np.append(error @ x + l2 * w[:-1], error.sum())

    start = np.append(np.zeros(x.shape[1]), math.log(truth.mean() / (1 - truth.mean())))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500, "maxfun": 1000})
    if not np.isfinite(found.x).all():
        raise TrainError(f"no linear answer was found for {len(truth)} samples: {found.message}")
    return (found.x[:-1] / spread).astype(np.float32), float(found.x[-1]), middle.astype(np.float32)
