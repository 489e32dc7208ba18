"""From nearest codes to known files: windows vote for a file at one time offset, and the best are looked at closely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashformer.search.bank import Bank
from hashformer.search.codes import FileCodes, StreamCodes
from hashformer.search.profile import Spread

N_NEAREST = 128
"""Codes that each window of the query takes a vote from."""
N_CANDIDATES = 24
"""Pairs of file and offset that are looked at closely."""
OFFSET_STEP_S = 0.25
"""Votes whose offsets differ by less are for the same one: half of what lies between two windows."""
DRIFT = 1.0
"""Standard deviations that a window must be nearer than chance to count for a match rather than against it."""
COUNTED = 8
"""Windows that a match counts for at most: two videos that look alike by chance look alike for minutes."""
CAP = 4.0
"""No window counts for more than so many: one odd window must not stand for a copy."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """A known file that the query resembles.

    Attributes:
        place: Of the file in the bank.
        evidence: By how much the matching windows are nearer than chance, summed over at most `COUNTED`; see `Chance`.
        distance: Mean share of bits in which matching windows differ, 0 to 1.
        offset_s: Time in the known file less time in the query.
        start_s: Where the match begins in the query.
        end_s: Where it ends.
        n_windows: Windows of the query that match.
        n_compared: Windows of the query that the known file has at this offset.
    """

    place: int
    evidence: float
    distance: float
    offset_s: float
    start_s: float
    end_s: float
    n_windows: int
    n_compared: int


def find(query: FileCodes, bank: Bank, spreads: Mapping[str, Spread], *, without: int | None = None) -> list[Match]:
    """Known files, the best first; one match, at the best offset, for each.

    Args:
        query: The file that is looked for.
        bank: The known files.
        spreads: What is usual between different videos; a stream that it lacks is not read.
        without: Place of a file that is passed over: the query itself, where chance is measured.
    """
    best: dict[int, tuple[float, Match]] = {}
    for place, offset_s in _candidates(query, bank, spreads, without):
        total, match = _compare(query, bank, place, offset_s, spreads)
        # Which offset is right, every window helps to tell; how sure the match is, only so many.
        if match is not None and (place not in best or total > best[place][0]):
            best[place] = total, match
    return sorted((match for _, match in best.values()), key=lambda match: (-match.evidence, match.place))


def _candidates(
    query: FileCodes, bank: Bank, spreads: Mapping[str, Spread], without: int | None
) -> list[tuple[int, float]]:
    """Files and offsets with the most votes; a vote weighs as much as its distance is below the usual one."""
    places, bins, weights = list[NDArray[np.int64]](), list[NDArray[np.int64]](), list[NDArray[np.float64]]()
    for name, codes in query.streams.items():
        if name not in bank.streams or name not in spreads or not len(codes):
            continue
        stream = bank.streams[name]
        distances, found = stream.neighbours.nearest(codes.codes, N_NEAREST)
        offsets = stream.starts_s[found] - codes.starts_s[:, None]
        places.append(stream.files[found].ravel())
        bins.append(np.rint(offsets / OFFSET_STEP_S).astype(np.int64).ravel())
        weights.append(np.clip(_nearness(distances, spreads[name]), 0, CAP).ravel())
    if not places:
        return []
    keys, inverse = np.unique(np.stack([np.concatenate(places), np.concatenate(bins)]), axis=1, return_inverse=True)
    votes = np.bincount(inverse.ravel(), np.concatenate(weights))
    votes[keys[0] == (-1 if without is None else without)] = 0
    order = np.argsort(-votes, kind="stable")[:N_CANDIDATES]
    return [(int(keys[0, i]), float(keys[1, i] * OFFSET_STEP_S)) for i in order if votes[i] > 0]


def _compare(
    query: FileCodes, bank: Bank, place: int, offset_s: float, spreads: Mapping[str, Spread]
) -> tuple[float, Match | None]:
    """Lay the query on a file at an offset, and find the stretch that speaks most for a copy, and how much."""
    nearness: dict[float, list[float]] = {}
    shares: dict[float, list[float]] = {}
    for name, codes in query.streams.items():
        if name not in bank.streams or name not in spreads:
            continue
        known = bank.streams[name].of_file(place)
        for start_s, distance in _aligned(codes, known, offset_s).items():
            nearness.setdefault(start_s, []).append(float(_nearness(np.array(distance), spreads[name])))
            shares.setdefault(start_s, []).append(distance / (8 * codes.codes.shape[1]))
    if not nearness:
        return 0.0, None
    starts = sorted(nearness)
    # Streams of a window are summed: each tells something of its own.
    gains = [min(sum(nearness[start]), CAP * len(nearness[start])) - DRIFT * len(nearness[start]) for start in starts]
    total, first, last = _best_stretch(gains)
    inside = [start for start, gain in zip(starts[first:last], gains[first:last], strict=True) if gain > 0]
    if not inside:
        return 0.0, None
    return total, Match(
        place=place,
        evidence=total * min(1.0, COUNTED / (last - first)),
        distance=float(np.mean([share for start in inside for share in shares[start]])),
        offset_s=offset_s,
        start_s=inside[0],
        end_s=min(inside[-1] + query.window_s, query.duration_s),
        n_windows=len(inside),
        n_compared=len(starts),
    )


def _aligned(codes: StreamCodes, known: StreamCodes, offset_s: float) -> dict[float, int]:
    """For each window that the known file has too, the least distance over faces and neighbouring windows."""
    nearest: dict[float, int] = {}
    if not len(known):
        return nearest
    wanted = codes.starts_s + offset_s
    lows = np.searchsorted(known.starts_s, wanted - OFFSET_STEP_S - 1e-3)
    highs = np.searchsorted(known.starts_s, wanted + OFFSET_STEP_S + 1e-3)
    for row, (low, high) in enumerate(zip(lows, highs, strict=True)):
        if low < high:
            differing = np.bitwise_count(codes.codes[row] ^ known.codes[low:high]).sum(1)
            start_s = float(codes.starts_s[row])
            nearest[start_s] = min(int(differing.min()), nearest.get(start_s, 1 << 30))
    return nearest


def _nearness(distances: NDArray[np.integer], spread: Spread) -> NDArray[np.float64]:
    """By how many standard deviations distances are below the usual one."""
    return np.asarray((spread.mean - distances) / max(spread.sd, 1.0), np.float64)


def _best_stretch(gains: Sequence[float]) -> tuple[float, int, int]:
    """The stretch with the largest sum (Kadane's algorithm): the sum, its first place and the one after its last."""
    best, best_first, best_last = 0.0, 0, 0
    total, first = 0.0, 0
    for place, gain in enumerate(gains):
        if total <= 0:
            total, first = 0.0, place
        total += gain
        if total > best:
            best, best_first, best_last = total, first, place + 1
    return best, best_first, best_last
