"""Measure what different videos have in common, and fit maps that spread codes evenly."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hashformer.errors import ConfigError
from hashformer.search.bank import Bank, BankStream
from hashformer.search.codes import FileCodes, FileVectors
from hashformer.search.match import COUNTED, find
from hashformer.search.profile import Chance, CodeMap, Profile, Spread

MIN_FILES = 20
"""Videos below which nothing is measured: a threshold from less would be a guess."""
N_MEASURED = 300
"""Videos that are measured at most: the time grows with the square."""
N_PAIRS = 20_000
N_DIRECTIONS = 24
"""Directions of a stream's vectors that the map keeps."""
_QUARTERS = (0.25, 0.5, 0.75)
_ERROR = 1.25
"""Standard error of the distance between the quartiles of n draws from a Gumbel distribution, as a share of it, times
the root of n; from 20,000 simulated samples."""


def fit_profile(files: Iterable[FileVectors], *, bits: int, fitted_on: str, seed: int = 0) -> Profile:
    """Fit maps to ordinary videos, and measure on the same videos what is usual.

    With fewer than `MIN_FILES` videos of `COUNTED` windows there is a map, and nothing is measured.

    A network's own codes leave most bits the same for all videos. The map whitens the pooled tokens, so that no
    direction counts for more than another, and takes the signs of `bits` random projections of them.

    Args:
        files: At least `MIN_FILES` different videos.
        bits: Q of a code.
        fitted_on: The videos, in words.
        seed: Of the projections.

    Raises:
        ConfigError: If there are too few videos.
    """
    coded = list(files)
    if len(coded) < MIN_FILES:
        raise ConfigError(f"{len(coded)} videos gave codes, at least {MIN_FILES} different ones are needed: name more.")
    maps = {
        stream: _whitened(vectors, bits, seed)
        for stream in sorted({name for file in coded for name in file.streams})
        if len(vectors := [file.streams[stream].vectors for file in coded if stream in file.streams]) >= MIN_FILES
    }
    profile = Profile(maps=maps, fitted_on=fitted_on)
    codes = [profile.encode(file) for file in coded]
    return profile.model_copy(update={"chance": measure(codes) if measurable(codes) else None})


def _whitened(files: Sequence[NDArray[np.float32]], bits: int, seed: int) -> CodeMap:
    """Sign of random projections of whitened vectors; every video counts alike, however long."""
    means = np.stack([vectors.mean(0, dtype=np.float64) for vectors in files])
    mean = means.mean(0)
    centred = np.concatenate([(vectors - mean) / math.sqrt(len(vectors)) for vectors in files]).astype(np.float64)
    _, scales, directions = np.linalg.svd(centred / math.sqrt(len(files)), full_matrices=False)
    kept = min(N_DIRECTIONS, int((scales > 1e-3 * scales[0]).sum()))
    projections = np.random.default_rng(seed).standard_normal((bits, kept))
    matrix = projections / scales[:kept] @ directions[:kept]
    return CodeMap.of(matrix, -matrix @ mean)


def measurable(files: Sequence[FileCodes]) -> bool:
    """Whether enough videos are as long as a match counts for: shorter ones have less in common by chance."""
    return sum(file.n_windows >= COUNTED for file in files) >= MIN_FILES


def measure(files: Sequence[FileCodes], *, seed: int = 0) -> Chance:
    """Measure what different videos have in common.

    The best evidence of each video among all others is fitted with a Gumbel distribution, the one of maxima, through
    its quartiles, which a few videos that are there twice do not move. Source: Karlin and Altschul 1990 for the use
    of such a fit, doi:10.1073/pnas.87.6.2264.

    Args:
        files: Different videos; those of fewer than `COUNTED` windows are passed over.
        seed: Of the pairs and, of very many files, of those that are looked at.

    Raises:
        ConfigError: If fewer than `MIN_FILES` are left.
    """
    coded = [file for file in files if file.n_windows >= COUNTED]
    if len(coded) < MIN_FILES:
        raise ConfigError(
            f"{len(coded)} videos have {COUNTED} windows or more, at least {MIN_FILES} different ones are needed: "
            "add more."
        )
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(coded), min(N_MEASURED, len(coded)), replace=False)
    bank = Bank([coded[place] for place in sorted(chosen)])
    spreads = {name: spread for name, stream in bank.streams.items() if (spread := _spread(stream, rng)) is not None}
    best = []
    for place, file in enumerate(bank.files):
        others = find(file, bank, spreads, without=place)
        best.append(others[0].evidence if others else 0.0)
    low, middle, high = np.quantile(best, _QUARTERS)
    # Wider by the standard error of the quartiles' distance, so that few videos do not promise too much.
    width = (high - low) * (1 + _ERROR / math.sqrt(len(best)))
    rate = (math.log(-math.log(_QUARTERS[0])) - math.log(-math.log(_QUARTERS[2]))) / max(width, 1e-3)
    return Chance(
        spreads=spreads,
        location=float(middle + math.log(math.log(2)) / rate),
        rate=float(rate),
        n_files=len(bank.files),
    )


def _spread(stream: BankStream, rng: np.random.Generator) -> Spread | None:
    """Distances between windows of different files; None if they are all of one."""
    first, second = rng.integers(0, len(stream.codes), (2, N_PAIRS))
    apart = stream.files[first] != stream.files[second]
    if not apart.any():
        return None
    differing = np.bitwise_count(stream.codes[first[apart]] ^ stream.codes[second[apart]]).sum(1)
    return Spread(mean=float(differing.mean()), sd=float(differing.std()))
