"""How sure a metric is: bootstrap intervals by row, video or person, and DeLong's test of two checkpoints."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hashformer.errors import EvaluationError
from hashformer.evaluate.curves import Floats, checked
from hashformer.evaluate.delong import DeLong, delong
from hashformer.evaluate.metrics import METRICS, Metric, Value
from hashformer.evaluate.resample import Resampler, Statistic, bca, influences
from hashformer.evaluate.weighted import WEIGHTED, WeightedMetrics

__all__ = ["DeLong", "Interval", "delong", "difference", "interval", "intervals"]

# Resamples without a value (one class was not drawn) that an interval bears.
_MAX_UNDEFINED = 0.05


@dataclass(frozen=True)
class Interval:
    """A metric with its confidence interval.

    Attributes:
        value: As `metrics.Value`; None if undefined.
        low: Lower end; None if it cannot be told, though `value` may be.
        high: Upper end; None as `low`.
        n: Samples.
        reason: Why value or ends are None; empty if none is.
        n_groups: Units that were drawn: samples, or groups of them.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""
    n_groups: int = 0


def interval(  # noqa: PLR0913 - each is one plain property of the interval
    metric: str | Metric,
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A metric and its bootstrap interval (BCa).

    Clips of one video, and videos of one person, are alike: drawn one by one they would seem more certain
    than they are. `groups` draws whole videos or persons. Real and fake are drawn apart, see `Resampler`.

    Args:
        metric: A name of `metrics.METRICS`, which is fast; or any function of labels and scores, called once
            for each resample.
        labels: 0 (real) or 1 (fake), (n,).
        scores: As the metric wants them, (n,).
        groups: Group of each row; None draws rows.
        n_resamples: How many draws, at least 100.
        seed: The same seed gives the same interval.
        level: Share of such intervals that hold the truth.

    Returns:
        The ends are None, with the reason, where resampling cannot tell them: a class with fewer than two
        groups, or the same value in every resample (no error in few samples does not mean none in many).

    Raises:
        EvaluationError: If the metric is not known, an argument is out of range, or the metric refuses its input.
    """
    found = intervals([metric], labels, scores, groups=groups, n_resamples=n_resamples, seed=seed, level=level)
    return next(iter(found.values()))


def intervals(  # noqa: PLR0913 - as `interval`
    metrics: Iterable[str | Metric],
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str | Metric, Interval]:
    """Several metrics on the same draws; see `interval`."""
    labels, scores = checked(labels, scores)
    _check(n_resamples, level)
    resampler = Resampler(labels, groups)
    metrics = list(metrics)
    values = {metric: _function(metric)(labels, scores) for metric in metrics}
    reason = _too_few(resampler)
    defined = [metric for metric in metrics if values[metric].value is not None]
    if reason or not defined:
        return {metric: _without_ends(values[metric], reason, resampler) for metric in metrics}
    table = WeightedMetrics(labels, scores)
    statistics = {metric: _statistic(metric, table) for metric in defined}
    draws: dict[str | Metric, list[Floats]] = {metric: [] for metric in defined}
    for weights in resampler.draws(n_resamples, seed):
        for metric, statistic in statistics.items():
            draws[metric].append(statistic(weights))
    found = {metric: _without_ends(values[metric], reason, resampler) for metric in metrics}
    for metric, statistic in statistics.items():
        found[metric] = _ends(values[metric], np.concatenate(draws[metric]), statistic, resampler, seed, level)
    return found


def difference(  # noqa: PLR0913 - as `interval`, of two
    metric: str,
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A metric of one checkpoint less that of another on the same rows, with its bootstrap interval.

    Both see the same draws, so that what is easy or hard for both cancels. Unlike `delong` it holds for any
    metric, and with `groups` for clips of the same video.

    Args:
        metric: A name of `metrics.METRICS`.
        labels: 0 (real) or 1 (fake), (n,).
        scores_a: Of the one, (n,).
        scores_b: Of the other, (n,), in the same order.
        groups: As all that follow: see `interval`.
        n_resamples: How many draws.
        seed: Of the draws.
        level: Of the interval.

    Raises:
        EvaluationError: As `interval`.
    """
    y, a = checked(labels, scores_a)
    _, b = checked(labels, scores_b)
    _check(n_resamples, level)
    resampler = Resampler(y, groups)
    first, second = (_function(metric)(y, scores) for scores in (a, b))
    if first.value is None or second.value is None:
        return Interval(None, None, None, len(y), first.reason or second.reason, resampler.n_units)
    value = Value(first.value - second.value, len(y))
    reason = _too_few(resampler)
    if reason:
        return _without_ends(value, reason, resampler)
    one, other = (_statistic(metric, WeightedMetrics(y, scores)) for scores in (a, b))

    def statistic(weights: Floats) -> Floats:
        return one(weights) - other(weights)

    draws = np.concatenate([statistic(weights) for weights in resampler.draws(n_resamples, seed)])
    return _ends(value, draws, statistic, resampler, seed, level)


def _function(metric: str | Metric) -> Metric:
    if not isinstance(metric, str):
        return metric
    if metric not in METRICS:
        raise EvaluationError(f"no metric is called {metric!r}; known: {', '.join(METRICS)}")
    return METRICS[metric]


def _statistic(metric: str | Metric, table: WeightedMetrics) -> Statistic:
    if isinstance(metric, str):
        weighted = WEIGHTED[metric]
        return lambda weights: weighted(table, weights)
    function = metric

    def one_by_one(weights: Floats) -> Floats:
        values = []
        for row in weights.astype(np.int64):
            value = function(np.repeat(table.labels, row), np.repeat(table.scores, row)).value
            values.append(np.nan if value is None else value)
        return np.array(values, dtype=np.float64)

    return one_by_one


def _check(n_resamples: int, level: float) -> None:
    if n_resamples < 100:
        raise EvaluationError(f"n_resamples must be at least 100, got {n_resamples}: the ends are its quantiles")
    if not 0 < level < 1:
        raise EvaluationError(f"level must lie between 0 and 1, got {level:g}")


def _too_few(resampler: Resampler) -> str:
    """Why no interval can be told from so few units; empty if one can."""
    real, fake = resampler.units_of_class
    few = [f"{n} {name}" for n, name in ((real, "real"), (fake, "fake")) if n == 1]
    if few or resampler.n_units < 2:
        return f"no interval from {' and '.join(few) or resampler.n_units} unit to draw from: at least 2 are needed"
    return ""


def _without_ends(value: Value, reason: str, resampler: Resampler) -> Interval:
    return Interval(value.value, None, None, value.n, value.reason or reason, resampler.n_units)


def _ends(value: Value, draws: Floats, statistic: Statistic, resampler: Resampler, seed: int, level: float) -> Interval:
    if value.value is None:
        return _without_ends(value, "", resampler)
    defined = draws[np.isfinite(draws)]
    lost = len(draws) - len(defined)
    if lost > _MAX_UNDEFINED * len(draws):
        reason = f"{lost} of {len(draws)} resamples lack a class: too few groups for an interval"
        return _without_ends(value, reason, resampler)
    if float(np.ptp(defined)) <= 1e-12:
        reason = f"all {len(defined)} resamples give the same value: they cannot tell how sure it is"
        return _without_ends(value, reason, resampler)
    low, high = bca(value.value, defined, influences(resampler, statistic, value.value, seed), level)
    return Interval(value.value, low, high, value.n, "", resampler.n_units)
