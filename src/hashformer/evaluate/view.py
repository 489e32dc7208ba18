"""The score table as arrays: one level and one head at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hashformer.data.manifest import SEPARATOR
from hashformer.evaluate.curves import Floats
from hashformer.evaluate.metrics import METRICS

Texts = NDArray[Any]
Bools = NDArray[np.bool_]
TEXTS = ("path", "status", "reason", "corpus", "split", "language", "method", "original", "identity", "groups")
METRIC_NAMES = tuple(METRICS)


@dataclass(frozen=True, kw_only=True)
class View:
    """Rows of one level with the labels and scores of one head.

    Attributes:
        labels: 1, 0, or NaN where not known, (n,).
        scores: P(fake), NaN where there is none, (n,).
        texts: The columns of `TEXTS`, (n,) each.
        flags: `video_fake` and `audio_fake`, 1, 0 or NaN, (n,) each.
    """

    labels: Floats
    scores: Floats
    texts: dict[str, Texts]
    flags: dict[str, Floats]

    def where(self, mask: Bools) -> Self:
        """The rows for which `mask` holds."""
        return replace(
            self,
            labels=self.labels[mask],
            scores=self.scores[mask],
            texts={name: column[mask] for name, column in self.texts.items()},
            flags={name: column[mask] for name, column in self.flags.items()},
        )

    @property
    def usable(self) -> Self:
        """The rows that have both a label and a score."""
        return self.where(np.isfinite(self.labels) & np.isfinite(self.scores))

    @property
    def is_fake(self) -> Bools:
        """Rows labelled fake."""
        return np.asarray(self.labels == 1)

    @cached_property
    def people(self) -> list[str] | None:
        """For each row the people that it is linked with, whoever shares a file with whom; None if all are unnamed.

        A file that names nobody is a group of its own.
        """
        if not any(self.texts["identity"]):
            return None
        return linked(list(self.texts["identity"]), list(self.texts["path"]))


def view(table: pa.Table, level: str, head: str = "overall") -> View:
    """Rows of a level with the labels and scores of a head.

    The sound of a window stands in the row of every face; for the head `audio` it is taken once.
    """
    rows = table.filter(pc.equal(table["level"], level))
    found = View(
        labels=_floats(rows, f"label_{head}"),
        scores=_floats(rows, f"score_{head}"),
        texts={name: _texts(rows, name) for name in TEXTS},
        flags={name: _floats(rows, name) for name in ("video_fake", "audio_fake")},
    )
    if level == "clip" and head == "audio":
        keys = list(zip(found.texts["path"], _floats(rows, "start_s"), strict=True))
        first = dict(zip(reversed(keys), reversed(range(len(keys))), strict=True))
        mask = np.zeros(len(keys), dtype=bool)
        mask[list(first.values())] = True
        return found.where(mask)
    return found


def linked(identities: Sequence[str], paths: Sequence[str]) -> list[str]:
    """A name for each row's set of people who are linked through files, directly or over others."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    named = [
        names.split(SEPARATOR) if names else [f"file {path}"] for names, path in zip(identities, paths, strict=True)
    ]
    for first, *others in named:
        for other in others:
            parent[root(other)] = root(first)
    return [root(names[0]) for names in named]


def _floats(rows: pa.Table, name: str) -> Floats:
    column = rows[name].cast(pa.float64())
    return np.asarray(column.fill_null(float("nan")).to_numpy(), dtype=np.float64)


def _texts(rows: pa.Table, name: str) -> Texts:
    return np.asarray(rows[name].fill_null("").to_numpy(zero_copy_only=False), dtype=object)
