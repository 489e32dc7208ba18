"""Metrics of some rows, each with its intervals by video and by person, ready to be written as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from hashformer.evaluate.intervals import Interval, intervals
from hashformer.evaluate.metrics import accuracy, eer_threshold
from hashformer.evaluate.view import METRIC_NAMES, View

Measured = dict[str, object]
"""A metric: `value`, `low`, `high`, `n`; with people `identity_low`, `identity_high`; `reason` if anything is null."""
FEW = ("auc", "ap", "eer", "balanced_accuracy")
"""For parts of a corpus."""


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How intervals are made."""

    n_resamples: int = 1000
    seed: int = 0
    level: float = 0.95


def measure(
    rows: View, how: Resampling, *, metrics: Sequence[str] = METRIC_NAMES, by_identity: bool = True
) -> dict[str, Measured]:
    """Metrics of the rows that have a label and a score.

    Args:
        rows: Of one level and one head.
        how: Of the intervals. They draw videos: all clips of one together.
        metrics: Names of `metrics.METRICS`.
        by_identity: Also draw people, which says how sure a value is for people who were not seen.
    """
    rows = rows.usable
    args = {"n_resamples": how.n_resamples, "seed": how.seed, "level": how.level}
    by_video = intervals(metrics, rows.labels, rows.scores, groups=list(rows.texts["path"]), **args)  # type: ignore[arg-type]
    found = {str(name): _measured(interval) for name, interval in by_video.items()}
    if not by_identity:
        return found
    people = rows.people
    if people is None:
        for entry in found.values():
            entry |= {"identity_low": None, "identity_high": None, "identity_reason": "the manifest names nobody"}
        return found
    by_person = intervals(metrics, rows.labels, rows.scores, groups=people, **args)  # type: ignore[arg-type]
    for name, interval in by_person.items():
        found[str(name)] |= {
            "identity_low": interval.low,
            "identity_high": interval.high,
            "n_identities": interval.n_groups,
        }
        if interval.low is None:
            found[str(name)]["identity_reason"] = interval.reason
    return found


def at_threshold(rows: View, how: Resampling, threshold: float) -> Measured:
    """Accuracy at a threshold, with its interval by video."""
    rows = rows.usable
    metric = "accuracy" if threshold == 0.5 else partial(accuracy, threshold=threshold)
    found = intervals(
        [metric],
        rows.labels,
        rows.scores,
        groups=list(rows.texts["path"]),
        n_resamples=how.n_resamples,
        seed=how.seed,
        level=how.level,
    )
    return {"threshold": threshold, **_measured(next(iter(found.values())))}


def eer_point(rows: View) -> Measured:
    """The score at which both error rates meet."""
    rows = rows.usable
    value = eer_threshold(rows.labels, rows.scores)
    return {"value": value.value, "n": value.n, **({"reason": value.reason} if value.reason else {})}


def _measured(interval: Interval) -> Measured:
    entry: Measured = {"value": interval.value, "low": interval.low, "high": interval.high, "n": interval.n}
    return entry | ({"reason": interval.reason} if interval.reason else {})
