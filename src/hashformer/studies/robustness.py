"""How much a detector endures: every kind of perturbation at every level, scored, and what is left of the AUC."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from hashformer.cache import atomic_path
from hashformer.data.manifest import Row
from hashformer.errors import ConfigError
from hashformer.evaluate.coverage import as_errors
from hashformer.evaluate.intervals import Interval, difference, interval
from hashformer.evaluate.measure import Resampling
from hashformer.evaluate.scoring import ScoreTask, score_manifest
from hashformer.evaluate.table import read_table
from hashformer.evaluate.view import View, view
from hashformer.perturb import KINDS, LITERATURE, Perturbation

SCHEMA_VERSION = 1
CLEAN_NAME, JSON_NAME, CSV_NAME = "clean", "robustness.json", "robustness.csv"

Advance = Callable[[str, int, int], None]
"""Told what is being scored, how many files of it are done, and how many there are."""


@dataclass(frozen=True, kw_only=True)
class LevelResult:
    """What is left at one level of one kind.

    Attributes:
        level: 0 is undisturbed.
        parameter: In the unit of the grid; None at level 0.
        auc: By file, of those that gave a score.
        auc_failures_as_errors: The same with every file without a score counted as wrong.
        drop: AUC undisturbed less AUC here, of the files that both scored; drawn together for its interval.
        n_files: Files that were asked for.
        n_scored: Files that gave a score.
        n_unchanged: Files with exactly the score that they have as they are: they lack the stream that the kind
            spoils, or their picture is too small for it. Above level 0 many of these make a kind look harmless.
    """

    level: int
    parameter: float | None
    auc: Interval
    auc_failures_as_errors: float | None
    drop: Interval | None
    n_files: int
    n_scored: int
    n_unchanged: int


@dataclass(frozen=True, kw_only=True)
class KindResult:
    """One kind over its levels; the first is level 0, the same for all kinds."""

    kind: str
    levels: tuple[LevelResult, ...]

    @property
    def mean_auc(self) -> float | None:
        """Mean AUC over the disturbed levels, as papers print it; None if one is undefined."""
        return _mean(level.auc.value for level in self.levels if level.level)


def plan(kinds: Sequence[str] = (), levels: Sequence[int] = (), *, seed: int = 0) -> list[Perturbation]:
    """Which perturbations to run.

    Args:
        kinds: Names; empty for all.
        levels: Levels from 1; empty for all that a kind has.
        seed: Of their chance.

    Raises:
        ConfigError: If there is no such kind, or none of the levels.
    """
    found = []
    for kind in dict.fromkeys(kinds or KINDS):
        known = range(1, len(Perturbation(kind, 0).grid.levels) + 1)
        chosen = [level for level in (sorted(set(levels)) or known) if level in known]
        if not chosen:
            raise ConfigError(f"{kind} has the levels 1 to {known[-1]}, none of them was asked for: {list(levels)}.")
        found += [Perturbation(kind, level, seed) for level in chosen]
    return found


def score_levels(  # noqa: PLR0913 -- each is one plain property of the run
    rows: Sequence[Row],
    out: Path,
    perturbations: Sequence[Perturbation],
    *,
    task: ScoreTask,
    manifest_sha256: str,
    split: str = "",
    limit: int = 0,
    workers: int = 1,
    advance: Advance = lambda what, done, total: None,
) -> dict[Perturbation | None, Path] | None:
    """Score the files as they are and under each perturbation.

    Each has a folder of its own, `clean` or `<kind>/level_<n>`, in which an interrupted run is taken up again.

    Args:
        rows: Of the manifest.
        out: Top folder.
        perturbations: As `plan` gives them.
        task: With what to score; reads media files, not prepared ones.
        manifest_sha256: Of the manifest's file.
        split: See `evaluate.scoring.selected`.
        limit: See `evaluate.scoring.selected`.
        workers: Processes.
        advance: Told after every file.

    Returns:
        The score tables, that of the clean files under None; None in a rank that is not the first.

    Raises:
        EvaluationError: As `evaluate.scoring.score_manifest`.
        StoreError: As `evaluate.scoring.score_manifest`.
    """
    tables: dict[Perturbation | None, Path] = {}
    for perturbation in (None, *perturbations):
        name = CLEAN_NAME if perturbation is None else f"{perturbation.kind}/level_{perturbation.level}"

        def told(done: int, total: int, name: str = name) -> None:
            advance(name, done, total)

        table = score_manifest(
            rows,
            out / name,
            task=replace(task, perturbation=perturbation),
            manifest_sha256=manifest_sha256,
            split=split,
            limit=limit,
            workers=workers,
            advance=told,
        )
        if table is not None:
            tables[perturbation] = table
    return tables or None


def measure_levels(tables: Mapping[Perturbation | None, Path], how: Resampling | None = None) -> list[KindResult]:
    """AUC of every level with its interval, and its drop against the clean files.

    Args:
        tables: As `score_levels` gives them.
        how: Of the intervals, which draw files.
    """
    how = how or Resampling()
    files = {perturbation: view(read_table(path)[0], "file") for perturbation, path in tables.items()}
    clean = files[None]
    undisturbed = _level(clean, clean, None, how)
    kinds = dict.fromkeys(perturbation.kind for perturbation in files if perturbation is not None)
    return [
        KindResult(
            kind=kind,
            levels=(
                undisturbed,
                *(_level(rows, clean, p, how) for p, rows in files.items() if p is not None and p.kind == kind),
            ),
        )
        for kind in kinds
    ]


def literature_mean(kinds: Sequence[KindResult]) -> float | None:
    """Mean over the seven kinds of DeeperForensics-1.0 at five levels; None unless all of them were measured."""
    found = {kind.kind: kind for kind in kinds if len(kind.levels) == 6}
    return _mean(found[name].mean_auc if name in found else None for name in LITERATURE)


def write_robustness(kinds: Sequence[KindResult], out: Path, *, about: Mapping[str, object]) -> tuple[Path, Path]:
    """Write `robustness.json` and `robustness.csv`.

    Args:
        kinds: As `measure_levels` gives them.
        out: Folder.
        about: What was run, for the JSON.

    Returns:
        Both paths.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        **about,
        "literature_mean_auc": literature_mean(kinds),
        "kinds": {
            kind.kind: {
                "source": KINDS[kind.kind].source,
                "unit": KINDS[kind.kind].unit,
                "mean_auc": kind.mean_auc,
                "levels": [asdict(level) for level in kind.levels],
            }
            for kind in kinds
        },
    }
    with atomic_path(out / JSON_NAME) as temporary:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    with atomic_path(out / CSV_NAME) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = ("auc", "low", "high", "auc_failures_as_errors", "drop", "drop_low", "drop_high")
        writer.writerow(["kind", "level", "parameter", "unit", *names, "n_files", "n_scored", "n_unchanged", "reason"])
        writer.writerows(_csv_row(kind.kind, level) for kind in kinds for level in kind.levels)
    return out / JSON_NAME, out / CSV_NAME


def _csv_row(kind: str, level: LevelResult) -> list[object]:
    drop = level.drop or Interval(None, None, None, 0)
    row: list[object] = [kind, level.level, level.parameter, KINDS[kind].unit]
    row += [level.auc.value, level.auc.low, level.auc.high, level.auc_failures_as_errors]
    return [*row, drop.value, drop.low, drop.high, level.n_files, level.n_scored, level.n_unchanged, level.auc.reason]


def _level(files: View, clean: View, perturbation: Perturbation | None, how: Resampling) -> LevelResult:
    draws = {"n_resamples": how.n_resamples, "seed": how.seed, "level": how.level}
    scored = files.usable
    paths = list(scored.texts["path"])
    wrong = as_errors(files, how)["auc"]["value"]
    return LevelResult(
        level=0 if perturbation is None else perturbation.level,
        parameter=None if perturbation is None else perturbation.parameter,
        auc=interval("auc", scored.labels, scored.scores, groups=paths, **draws),  # type: ignore[arg-type]
        auc_failures_as_errors=wrong if isinstance(wrong, float) else None,
        drop=None if perturbation is None else _drop(files, clean, how),
        n_files=len(files.labels),
        n_scored=int(np.isfinite(files.scores).sum()),
        n_unchanged=int((files.scores == clean.scores).sum()),
    )


def _drop(files: View, clean: View, how: Resampling) -> Interval:
    # Both tables hold the same files in order of path.
    both = np.isfinite(files.scores) & np.isfinite(clean.scores) & np.isfinite(clean.labels)
    one, other = clean.where(both), files.where(both)
    return difference(
        "auc",
        one.labels,
        one.scores,
        other.scores,
        groups=list(one.texts["path"]),
        n_resamples=how.n_resamples,
        seed=how.seed,
        level=how.level,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    found = list(values)
    known = [value for value in found if value is not None]
    return fmean(known) if known and len(known) == len(found) else None
