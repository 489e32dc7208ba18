"""How well one number or one word tells fake from real: pure functions on lists."""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


def ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks from 1, (N,); equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(np.asarray(values, np.float64), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], np.float64)


def auc(reals: Sequence[float], fakes: Sequence[float]) -> float:
    """Chance that a fake's value is above a real's, ties counting half (Mann-Whitney).

    Raises:
        ValueError: If a class is empty.
    """
    if not reals or not fakes:
        raise ValueError(f"both classes are needed, got {len(reals)} real and {len(fakes)} fake values")
    above = ranks([*reals, *fakes])[len(reals) :].sum() - len(fakes) * (len(fakes) + 1) / 2
    return float(above / (len(reals) * len(fakes)))


def cramers_v(reals: Sequence[Hashable], fakes: Sequence[Hashable]) -> float:
    """How far a word tells the class, 0 to 1, corrected for bias (Bergsma 2013).

    Without the correction, a word that is new in every file would seem to tell everything.

    Raises:
        ValueError: If a class is empty.
    """
    if not reals or not fakes:
        raise ValueError(f"both classes are needed, got {len(reals)} real and {len(fakes)} fake values")
    counts = [Counter(reals), Counter(fakes)]
    words = list({*reals, *fakes})
    table = np.array([[count[word] for word in words] for count in counts], np.float64)  # (2, words)
    n, n_words = table.sum(), len(words)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / n
    phi2 = ((table - expected) ** 2 / expected).sum() / n
    corrected = max(0.0, phi2 - (n_words - 1) / (n - 1))
    rows = 2 - 1 / (n - 1)
    columns = n_words - (n_words - 1) ** 2 / (n - 1)
    width = min(rows, columns) - 1
    return float(np.sqrt(min(1.0, corrected / width))) if width > 0 else 0.0
