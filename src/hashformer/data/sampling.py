"""How often each file is drawn in training."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from hashformer.data.manifest import Row
from hashformer.types import Floats


def balanced_weights(rows: Sequence[Row]) -> Floats:
    """Chance of each row, so that no group drowns another.

    Real and fake are drawn equally often; within each, every method of every corpus; within that, every
    person; within that, every file. Many clips of one person then count no more than a few of another.

    Returns:
        (n,), summing to 1.
    """
    steps: list[Callable[[Row], object]] = [
        lambda row: row.label,
        lambda row: (row.corpus, row.method),
        lambda row: row.identity_source,
    ]
    weights = np.zeros(len(rows))
    _share(list(range(len(rows))), 1.0, rows, steps, weights)
    return weights.astype(np.float32)


def _share(
    members: list[int],
    mass: float,
    rows: Sequence[Row],
    steps: Sequence[Callable[[Row], object]],
    weights: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    if not steps:
        weights[members] = mass / max(1, len(members))
        return
    groups: dict[object, list[int]] = defaultdict(list)
    for member in members:
        groups[steps[0](rows[member])].append(member)
    for group in groups.values():
        _share(group, mass / len(groups), rows, steps[1:], weights)
