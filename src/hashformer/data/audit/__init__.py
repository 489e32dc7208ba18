"""Check a manifest before training on it: people in two splits, classes out of balance, shortcuts."""

import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hashformer.data.audit.facts import NUMBERS, WORDS, FileFacts, file_facts
from hashformer.data.audit.strength import auc, cramers_v
from hashformer.data.manifest import Row
from hashformer.data.splits import Leak, leaks
from hashformer.data.survey import Advance, survey
from hashformer.errors import ManifestError

AUC_LIMIT = 0.75
V_LIMIT = 0.5
"""From these on, a single fact of the file tells the classes apart well enough for a model to prefer it."""
MIN_FILES = 8
"""Fewer files of a class than this may differ by chance: no shortcut is claimed."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """How far one fact of the files differs between the classes.

    Attributes:
        name: The fact.
        measure: "auc" for numbers, 0.5 to 1, whichever class is higher; "cramers_v" for words, 0 to 1.
        strength: Its value.
        n_real: Real files that have the fact.
        n_fake: Fake files that have it.
        real: The median, or the commonest word with its share.
        fake: The same of the fakes.
        shortcut: Whether it is strong enough to be one.
    """

    name: str
    measure: Literal["auc", "cramers_v"]
    strength: float
    n_real: int
    n_fake: int
    real: str
    fake: str
    shortcut: bool


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What the check found.

    Attributes:
        n_rows: Rows of the manifest.
        n_files: Files that were looked at.
        unreadable: Files that could not be read, with the reason.
        leaks: People in more than one split.
        torn: Fakes that are in another split than their original.
        n_unnamed: Rows that name nobody, of whom no leak can be known.
        balance: Number of rows by split, then by method ("real" for real ones).
        features: Facts, the strongest first.
    """

    n_rows: int
    n_files: int
    unreadable: Mapping[str, str]
    leaks: tuple[Leak, ...]
    torn: tuple[str, ...]
    n_unnamed: int
    balance: Mapping[str, Mapping[str, int]]
    features: tuple[Feature, ...]

    @property
    def shortcuts(self) -> list[str]:
        """Names of the facts that tell the classes apart."""
        return [feature.name for feature in self.features if feature.shortcut]


def audit(
    rows: Sequence[Row],
    root: Path,
    *,
    sample: int = 0,
    seed: int = 0,
    workers: int = 0,
    progress: Advance | None = None,
) -> Audit:
    """Check rows and look at their files.

    Args:
        rows: A manifest.
        root: Where its paths start.
        sample: How many files of each class to look at, drawn by `seed`; 0 for all.
        seed: Of the draw.
        workers: Files looked at together; 0 takes one for each core.
        progress: Told how many files have been looked at.

    Raises:
        ManifestError: If not one file is below the root.
    """
    chosen = _drawn(rows, sample, seed)
    if rows and not any((root / row.path).is_file() for row in chosen):
        raise ManifestError(
            f"{root}: holds none of the files, such as {rows[0].path!r}. Name their folder with --root."
        )
    by_path = {root / row.path: row for row in chosen}
    seen: dict[int, list[FileFacts]] = {0: [], 1: []}
    unreadable = {}
    for path, facts, why in survey(list(by_path), file_facts, workers=workers, progress=progress):
        if facts is None:
            unreadable[by_path[path].path] = why.removeprefix(f"{path}: ")
        else:
            seen[by_path[path].label].append(facts)
    return Audit(
        n_rows=len(rows),
        n_files=len(chosen),
        unreadable=unreadable,
        leaks=tuple(leaks(rows)),
        torn=tuple(_torn(rows)),
        n_unnamed=sum(not row.identities for row in rows),
        balance=_balance(rows),
        features=tuple(compare(seen[0], seen[1])),
    )


def _drawn(rows: Sequence[Row], sample: int, seed: int) -> list[Row]:
    if not sample:
        return list(rows)
    draw = random.Random(seed)
    classes = [[row for row in rows if row.label == label] for label in (0, 1)]
    return [row for each in classes for row in draw.sample(each, min(sample, len(each)))]


def _torn(rows: Sequence[Row]) -> list[str]:
    split_of = {(row.corpus, row.path): row.split for row in rows}
    pairs = ((row, split_of.get((row.corpus, row.original), "")) for row in rows if row.split and row.original)
    return [row.path for row, split in pairs if split not in {"", row.split}]


def _balance(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row.split][row.method] += 1
    return {split: dict(counts[split].most_common()) for split in sorted(counts)}


def compare(reals: Sequence[FileFacts], fakes: Sequence[FileFacts]) -> list[Feature]:
    """How far each fact differs between the classes, the strongest first; facts that a class lacks are left out."""
    features = []
    for name in (*NUMBERS, *WORDS):
        real, fake = ([v for facts in group if (v := getattr(facts, name)) is not None] for group in (reals, fakes))
        if real and fake:
            features.append(_number(name, real, fake) if name in NUMBERS else _word(name, real, fake))
    return sorted(features, key=lambda feature: (not feature.shortcut, -feature.strength))


def _number(name: str, reals: Sequence[float], fakes: Sequence[float]) -> Feature:
    raw = auc(reals, fakes)
    return Feature(
        name=name,
        measure="auc",
        strength=max(raw, 1 - raw),
        n_real=len(reals),
        n_fake=len(fakes),
        real=_typical(reals),
        fake=_typical(fakes),
        shortcut=max(raw, 1 - raw) >= AUC_LIMIT and min(len(reals), len(fakes)) >= MIN_FILES,
    )


def _word(name: str, reals: Sequence[str], fakes: Sequence[str]) -> Feature:
    strength = cramers_v(reals, fakes)
    return Feature(
        name=name,
        measure="cramers_v",
        strength=strength,
        n_real=len(reals),
        n_fake=len(fakes),
        real=_commonest(reals),
        fake=_commonest(fakes),
        shortcut=strength >= V_LIMIT and min(len(reals), len(fakes)) >= MIN_FILES,
    )


def _typical(values: Sequence[float]) -> str:
    median = statistics.median(values)
    return f"{median:,.0f}" if median >= 1000 else f"{median:.3g}"


def _commonest(words: Sequence[str]) -> str:
    word, count = Counter(words).most_common(1)[0]
    return f"{word} ({count / len(words):.0%})"
