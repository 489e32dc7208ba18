"""Who is trained on and who is tested on: split policies, and the query that finds leaks."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hashformer.data.manifest import SPLITS, Row
from hashformer.errors import ManifestError

FRACTIONS = (0.8, 0.1, 0.1)
"""Default shares of train, val and test."""
LABELS = (0, 1)


@dataclass(frozen=True)
class Leak:
    """A person who appears in more than one split, and how many rows of each split show them."""

    identity: str
    rows: Mapping[str, int]


def leaks(rows: Iterable[Row]) -> list[Leak]:
    """Every identity, source or target, that is in more than one split. Rows without a split do not count."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for identity in row.identities if row.split else ():
            seen[identity][row.split] += 1
    return [
        Leak(identity, {split: counts[split] for split in SPLITS if counts[split]})
        for identity, counts in sorted(seen.items())
        if len(counts) > 1
    ]


def official(rows: Sequence[Row]) -> list[Row]:
    """The rows as the corpus splits them.

    Raises:
        ManifestError: If the corpus gives no split to any row.
    """
    if not any(row.split for row in rows):
        names = ", ".join(sorted({row.corpus for row in rows})) or "an empty corpus"
        raise ManifestError(f"{names} has no official split here. Use --split identity, or name a file of splits.")
    return list(rows)


def identity_disjoint(
    rows: Sequence[Row], *, seed: int = 0, fractions: tuple[float, float, float] = FRACTIONS
) -> list[Row]:
    """Split so that nobody, as source or as target, is in two splits.

    Rows that share a person, or of which one was made from the other, hang together; each such component
    goes whole to one split, the largest first, so that each split comes close to its share of the reals
    and of the fakes. The result depends on the rows and the seed, not on the order of the rows.

    Args:
        rows: Rows of one or more corpora. A row that names nobody stands by itself.
        seed: Decides between components of one size.
        fractions: Shares of train, val and test; they add up to 1.

    Returns:
        Every row, in the order given, each with a split.

    Raises:
        ManifestError: If no row names anybody, the shares are no shares, or a split would stay empty because
            too much hangs together.
    """
    check_fractions(fractions)
    if not any(row.identities for row in rows):
        raise ManifestError(
            "no row names a person, so that a split by identity would be a claim without grounds. "
            "Use --split official, or name a file of splits."
        )
    parts = components(rows)
    splits = _assign(rows, parts, seed, fractions)
    for split, share in zip(SPLITS, fractions, strict=True):
        if share > 0 and split not in splits:
            largest = max(map(len, parts)) / len(rows)
            raise ManifestError(
                f"{split} would get no row: the rows form {len(parts)} groups that share people, the largest "
                f"holds {largest:.0%}. Use --split identity-drop, which leaves out the rows that tie groups together."
            )
    return [replace(row, split=split) for row, split in zip(rows, splits, strict=True)]


def identity_drop(
    rows: Sequence[Row], *, seed: int = 0, fractions: tuple[float, float, float] = FRACTIONS
) -> list[Row]:
    """Split by the real person behind each row, and leave out the fakes whose people fall into two splits.

    For corpora such as FakeAVCeleb, in which fakes tie everyone to everyone. Each identity counts for
    itself; a row is kept if all of its identities are in one split.

    Raises:
        ManifestError: As `identity_disjoint`.
    """
    alone = [replace(row, identity_target="", original="") for row in rows if row.identity_source]
    split_of = {
        i: row.split for row in identity_disjoint(alone, seed=seed, fractions=fractions) for i in row.identities
    }
    kept = []
    for row in rows:
        splits = {split_of.get(identity, "") for identity in row.identities}
        # Someone who is only ever a target has no split of their own and goes along.
        splits.discard("")
        if len(splits) == 1:
            kept.append(replace(row, split=splits.pop()))
    tied = {leak.identity for leak in leaks(kept)}
    kept = [row for row in kept if not row.identities & tied]
    if empty := [
        s for s, share in zip(SPLITS, fractions, strict=True) if share > 0 and all(r.split != s for r in kept)
    ]:
        raise ManifestError(f"{' and '.join(empty)} would get no row: every row there shows people of another split.")
    return kept


def check_fractions(fractions: tuple[float, float, float]) -> None:
    """Refuse shares that are negative, do not add up to 1, or leave nothing to train on.

    Raises:
        ManifestError: If they do.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6 or fractions[0] == 0:
        raise ManifestError(f"shares of train, val and test must add up to 1, such as 0.8,0.1,0.1; got {fractions}.")


def components(rows: Sequence[Row]) -> list[list[int]]:
    """Indices of the rows that hang together through people or originals, by union-find."""
    parent = list(range(len(rows)))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, row in enumerate(rows):
        keys = [("person", identity) for identity in row.identities]
        keys += [("file", f"{row.corpus}:{path}") for path in (row.path, row.original) if path]
        for key in keys:
            parent[find(i)] = find(first.setdefault(key, i))
    groups: dict[int, list[int]] = defaultdict(list)
    for i in range(len(rows)):
        groups[find(i)].append(i)
    return list(groups.values())


def _assign(
    rows: Sequence[Row], parts: Sequence[Sequence[int]], seed: int, fractions: tuple[float, float, float]
) -> list[str]:
    """A split for each row: each component, the largest first, goes where it brings the shares nearest."""
    totals = Counter(row.label for row in rows)
    wanted = {(s, label): share * totals[label] for s, share in zip(SPLITS, fractions, strict=True) for label in LABELS}
    counts: Counter[tuple[str, int]] = Counter()
    open_splits = [split for split, share in zip(SPLITS, fractions, strict=True) if share > 0]
    splits = [""] * len(rows)
    # By name first: the order in which files were listed must not decide.
    ordered = sorted(parts, key=lambda part: min(rows[i].path for i in part))
    random.Random(seed).shuffle(ordered)
    for part in sorted(ordered, key=len, reverse=True):
        size = Counter(rows[i].label for i in part)
        costs = {split: _cost(split, size, counts, wanted, totals) for split in open_splits}
        chosen = min(open_splits, key=lambda split: costs[split])
        for label in LABELS:
            counts[chosen, label] += size[label]
        for i in part:
            splits[i] = chosen
    return splits


def _cost(
    split: str,
    size: Mapping[int, int],
    counts: Mapping[tuple[str, int], int],
    wanted: Mapping[tuple[str, int], float],
    totals: Mapping[int, int],
) -> float:
    """How much further from its shares a split would be with the component than without."""
    cost = 0.0
    for label in LABELS:
        missing = wanted[split, label] - counts[split, label]
        cost += ((missing - size[label]) ** 2 - missing**2) / max(totals[label], 1) ** 2
    return cost
