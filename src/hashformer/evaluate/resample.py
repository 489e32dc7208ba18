"""Bootstrap by rows or by groups: which samples are drawn, how often, and the interval that follows."""

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
from scipy.stats import norm

from hashformer.errors import EvaluationError
from hashformer.evaluate.curves import Floats, Ints

# Of each statistic, one value for each weighting: weights (R, n) → (R,).
Statistic = Callable[[Floats], Floats]

# Weights held at once: 4 million numbers are 32 MB.
_CHUNK = 4_000_000
_JACKKNIFE_BLOCKS = 400


class Resampler:
    """Draws of whole units with replacement, as weights of rows.

    Units are drawn within strata: those that hold real rows only, fake rows only, or both. How many real and
    fake files a corpus has was decided by its makers and is no part of the chance that an interval speaks of;
    and no draw can come out without one of the classes. A stratum of a single unit, which would never vary,
    is drawn together with another.

    Args:
        labels: 0 or 1, (n,).
        groups: The unit of each row: its video, or its person; None: each row is a unit.

    Raises:
        EvaluationError: If `groups` is not as long as `labels`, or a row has no group.
    """

    def __init__(self, labels: Ints, groups: Sequence[Hashable] | None = None) -> None:
        self.code = _codes(groups, len(labels))
        self.n_units = int(self.code.max()) + 1 if len(labels) else 0
        self.units_of_class = tuple(len(np.unique(self.code[labels == label])) for label in (0, 1))
        has = [np.bincount(self.code, weights=labels == label, minlength=self.n_units) > 0 for label in (0, 1)]
        kind = has[0] + 2 * has[1]
        strata = [np.flatnonzero(kind == value) for value in (1, 2, 3)]
        self.strata = _join_single([stratum for stratum in strata if len(stratum)])

    def draws(self, n_resamples: int, seed: int) -> Iterator[Floats]:
        """Weights of rows, (R, n) at a time, `n_resamples` in all; the same for the same seed."""
        rng = np.random.default_rng(seed)
        step = max(1, _CHUNK // max(1, len(self.code)))
        for start in range(0, n_resamples, step):
            rows = min(step, n_resamples - start)
            counts = np.zeros((rows, self.n_units))
            for stratum in self.strata:
                picks = rng.integers(0, len(stratum), (rows, len(stratum)))
                picks += np.arange(rows)[:, None] * len(stratum)
                drawn = np.bincount(picks.ravel(), minlength=rows * len(stratum))
                counts[:, stratum] = drawn.reshape(rows, len(stratum))
            yield counts[:, self.code]

    def left_out(self, seed: int) -> Iterator[tuple[Floats, int]]:
        """Weights with one block of units left out each, (R, n) at a time, and how many blocks the stratum has.

        A block is one unit, or several where there are many: the skewness that BCa needs is the same sum.
        """
        rng = np.random.default_rng(seed)
        step = max(1, _CHUNK // max(1, len(self.code)))
        for stratum in self.strata:
            n_blocks = min(len(stratum), max(2, _JACKKNIFE_BLOCKS // len(self.strata)))
            blocks = np.array_split(rng.permutation(stratum), n_blocks)
            for start in range(0, n_blocks, step):
                some = blocks[start : start + step]
                kept = np.ones((len(some), self.n_units))
                for row, block in enumerate(some):
                    kept[row, block] = 0
                yield kept[:, self.code], n_blocks


def influences(resampler: Resampler, statistic: Statistic, value: float, seed: int) -> Floats:
    """How much each block of units pulls on the statistic; blocks without which it is undefined are left out.

    Source: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 5.3.2 (several
    samples).
    """
    parts = [(n - 1) / n * (value - statistic(weights)) for weights, n in resampler.left_out(seed)]
    pulls = np.concatenate(parts)
    return pulls[np.isfinite(pulls)]


def bca(value: float, resampled: Floats, pulls: Floats, level: float) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap interval.

    Args:
        value: The statistic of the data as they are.
        resampled: That of each resample, all finite.
        pulls: Of `influences`.
        level: Share of intervals that are to hold the truth.

    Returns:
        Its two ends.

    Source: Efron, "Better bootstrap confidence intervals", 1987.
    """
    # Sums of other weights round otherwise: what is equal but for that is equal.
    equal = np.isclose(resampled, value, rtol=1e-9, atol=1e-12)
    below = ((resampled < value) & ~equal).mean() + 0.5 * equal.mean()
    least = 0.5 / len(resampled)
    bias = norm.ppf(np.clip(below, least, 1 - least))
    squares = float((pulls**2).sum())
    acceleration = float((pulls**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0
    z = bias + norm.ppf([(1 - level) / 2, (1 + level) / 2])
    shares = norm.cdf(bias + z / (1 - acceleration * z))
    low, high = np.quantile(resampled, shares)
    return float(low), float(high)


def _codes(groups: Sequence[Hashable] | None, n: int) -> Ints:
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise EvaluationError(f"groups must be as many as labels, got {len(groups)} and {n}")
    missing = sum(group is None or group == "" or group != group for group in groups)  # noqa: PLR0124 - NaN
    if missing:
        raise EvaluationError(f"{missing} of {n} rows have no group; leave them out, or give each a group of its own")
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)


def _join_single(strata: list[Ints]) -> list[Ints]:
    single = [stratum for stratum in strata if len(stratum) == 1]
    several = sorted((stratum for stratum in strata if len(stratum) > 1), key=len)
    if not single:
        return several
    if not several:
        return [np.concatenate(single)]
    return [np.concatenate([several[0], *single]), *several[1:]]
