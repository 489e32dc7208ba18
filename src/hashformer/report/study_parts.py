"""What a study holds: tables of numbers, scores to draw, mistakes to look at, and how all of it was made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hashformer.errors import EvaluationError
from hashformer.evaluate.curves import checked
from hashformer.evaluate.intervals import Interval
from hashformer.results import ScoreName, WeightsInfo

Cell = str | int | float | Interval | None


@dataclass(frozen=True)
class Table:
    """Numbers under names. An `Interval` is shown with its ends, or with why it has none.

    Attributes:
        key: Short name, letters and underscores: stands in the JSON and CSV.
        title: Heading.
        columns: Names of the columns, that of the row names first.
        rows: A name and its cells, each row as long as `columns`.
        note: What a reader must know of it.
        bars: Number of the column to draw as bars with intervals; None draws nothing.
        reference: Where the bars' dashed line stands, such as 0.5 for the AUC of guessing; None draws none.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    bars: int | None = None
    reference: float | None = None

    def __post_init__(self) -> None:
        wrong = [row[0] for row in self.rows if len(row) != len(self.columns)]
        if wrong:
            raise EvaluationError(f"table {self.key}: rows {wrong} do not have {len(self.columns)} cells")
        if self.bars is not None and not 0 < self.bars < len(self.columns):
            raise EvaluationError(f"table {self.key}: bars must be a column from 1 to {len(self.columns) - 1}")


@dataclass(frozen=True, kw_only=True)
class ScoreSet:
    """Labels and scores of one kind, from which the curves are drawn.

    Attributes:
        name: In the legend, such as "Files, all together".
        head: Which score; decides the colour.
        whole_files: A score for each file; False for those of clips, which are drawn dashed.
        labels: 0 or 1, (n,).
        scores: P(fake) in 0–1, (n,).
        auc: For the legend.
    """

    name: str
    head: ScoreName
    whole_files: bool
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    auc: Interval

    def __post_init__(self) -> None:
        checked(self.labels, self.scores, probability=True)


@dataclass(frozen=True)
class Robustness:
    """One metric under one kind of disturbance, level by level.

    Attributes:
        kind: Such as "gaussian blur".
        metric: Such as "AUC".
        levels: 0 is undisturbed.
        values: One for each level.
        parameters: What each level means, such as "kernel 7"; () if not told.
    """

    kind: str
    metric: str
    levels: tuple[int, ...]
    values: tuple[Interval, ...]
    parameters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.values) or (self.parameters and len(self.parameters) != len(self.levels)):
            raise EvaluationError(f"{self.kind}: {len(self.levels)} levels need as many values and parameters")


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A file whose score is far from its label.

    Attributes:
        path: As the manifest has it.
        label: 0 or 1.
        score: P(fake).
        method: What made it, as the manifest says.
        note: Anything to know of it, such as a warning of the detector.
        thumbnail: A picture of it as `data:image/…` URI; None if there is none.
    """

    path: str
    label: int
    score: float
    method: str = ""
    note: str = ""
    thumbnail: str | None = None

    def __post_init__(self) -> None:
        if self.thumbnail is not None and not self.thumbnail.startswith("data:image/"):
            start = self.thumbnail[:20]
            raise EvaluationError(
                f"{self.path}: a thumbnail must be a data:image/ URI, got {start!r}: pages fetch nothing"
            )


@dataclass(frozen=True, kw_only=True)
class Study:
    """An evaluation, ready to be shown.

    Attributes:
        title: Heading of the page.
        created: When, ISO 8601, UTC.
        weights: What was evaluated; scores of untrained weights are marked as meaning nothing.
        manifest_sha256: Of the manifest's file.
        command: The exact command.
        versions: Of hashformer and the libraries that decide a score.
        seeds: By what they decide.
        settings: Every setting that decides a score; may be nested.
        headline: The few numbers to see first, by name.
        protocol: What was measured on what, by name: split, aggregation, units of intervals, threshold.
        warnings: What a reader must know before using any number.
        score_sets: What to draw curves of; the first is the main one.
        tables: In the order of the page.
        robustness: Curves, () if none were measured.
        mistakes: The worst first, () for none.
    """

    title: str
    created: str
    weights: WeightsInfo
    manifest_sha256: str
    command: str
    versions: Mapping[str, str]
    seeds: Mapping[str, int]
    settings: Mapping[str, object]
    headline: Mapping[str, Cell]
    protocol: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    score_sets: tuple[ScoreSet, ...] = ()
    tables: tuple[Table, ...] = ()
    robustness: tuple[Robustness, ...] = ()
    mistakes: tuple[Mistake, ...] = field(default=())
