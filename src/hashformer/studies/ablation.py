"""What each part of the method is worth: variants with one switch off, on the same files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hashformer.config.model import StreamName
from hashformer.errors import EvaluationError, HashFormerError
from hashformer.evaluate.measure import Resampling, measure
from hashformer.evaluate.scoring import Advance, score_manifest
from hashformer.evaluate.summary import compare
from hashformer.evaluate.table import read_table
from hashformer.evaluate.view import view
from hashformer.studies.transfer import Cell, Target, video_metrics
from hashformer.types import HEADS

SCHEMA_VERSION = 2
FULL = "full"


@dataclass(frozen=True)
class Variant:
    """The method with a part switched off.

    Attributes:
        meaning: What is off.
        changes: `key=value` over the recipe, as `hashformer train --set` takes them.
        stream: The stream that is left out of those of the recipe.
        pretrained: Whether training starts from the weights given for it.
    """

    meaning: str
    changes: tuple[str, ...] = ()
    stream: StreamName | None = None
    pretrained: bool = True

    def over(self, modalities: Sequence[str]) -> tuple[str, ...]:
        """All its changes of a recipe that reads these streams."""
        if self.stream is None:
            return self.changes
        rest = ", ".join(name for name in modalities if name != self.stream)
        return (f"config.model.modalities=[{rest}]", *self.changes)

    def told(self) -> Cell:
        """What is off, for the study's record."""
        return {"meaning": self.meaning, "changes": list(self.changes), "stream": self.stream}


VARIANTS: dict[str, Variant] = {
    FULL: Variant("the method as it is"),
    "without_wfa": Variant("no weighted forgery alignment (contrastive loss)", ("losses.contrast_loss_weight=0",)),
    "without_sfa": Variant("no selective forgery alignment: dense attention", ("config.model.attention=dense",)),
    "without_distillation": Variant("no self-distillation", ("losses.distill_loss_weight=0",)),
    "without_landmarks": Variant(
        "no landmarks, and no comparison of lips and sound, which reads them",
        ("config.model.lip_sync=0", "losses.lag_loss_weight=0"),
        stream="landmarks",
    ),
    "without_pretraining": Variant("from fresh weights", pretrained=False),
    "without_hashing": Variant("real-valued embeddings in place of codes", ("config.model.hashing=false",)),
}

Train = Callable[[str, Variant], Path]
"""Trains a variant by its name and gives its weight file."""


def ablate(  # noqa: PLR0913 -- each is one plain property of the study
    names: Sequence[str],
    tested: Target,
    out: Path,
    *,
    train: Train,
    given: Mapping[str, str] | None = None,
    split: str = "",
    limit: int = 0,
    workers: int = 1,
    how: Resampling | None = None,
    advance: Callable[[str], Advance] = lambda name: lambda done, total: None,
) -> dict[str, Any]:
    """Train or take each variant, score the same files with it, and compare it with the full method.

    Args:
        names: Of `VARIANTS`, in the order of the table.
        tested: The files.
        out: A folder for each variant, `<variant>/scored`, with its score table.
        train: Called for a variant whose weights are not given.
        given: Weights by the variant's name.
        split: Only rows of this split are tested.
        limit: At most so many files.
        workers: Processes.
        how: Of the intervals.
        advance: Gives for a variant's name what to tell of its progress.

    Returns:
        `variants[name]`: what is off, metrics by video, and `against_full`, DeLong's test of the difference;
        the same of each other head that the files have labels for in `heads`. A variant that cannot be trained or
        loaded has `error` in their place.

    Raises:
        EvaluationError: If a name is not known.
    """
    given, how = given or {}, how or Resampling()
    _check_names([*names, *given])
    cells: dict[str, Cell] = {name: VARIANTS[name].told() for name in names}
    tables: dict[str, Path] = {}
    for name in names:
        try:
            weights = given.get(name) or str(train(name, VARIANTS[name]))
            table = score_manifest(
                tested.rows,
                out / name / "scored",
                task=tested.task(weights),
                manifest_sha256=tested.manifest_sha256,
                split=split,
                limit=limit,
                workers=workers,
                advance=advance(name),
            )
        except HashFormerError as error:
            # One variant that does not fit must not cost the hours of the others; it is told and ends the run with 1.
            cells[name]["error"] = str(error)
            continue
        if table is not None:
            tables[name] = table
            cells[name] |= {**video_metrics(table, how), "heads": _by_head(table, how)}
    _against_full(cells, tables, how)
    settings = {"split": split, "limit": limit, "intervals": asdict(how)}
    return {"schema_version": SCHEMA_VERSION, **settings, "variants": cells}


def _check_names(names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in VARIANTS]:
        raise EvaluationError(f"no variant is called {unknown[0]!r}; known: {', '.join(VARIANTS)}")


def _by_head(table: Path, how: Resampling) -> dict[str, Cell]:
    """AUC of the heads that answer for single parts, where there are files of both labels."""
    rows, _ = read_table(table)
    found = {head: measure(view(rows, "file", head), how, metrics=("auc",)) for head in HEADS if head != "overall"}
    return {head: dict(values) for head, values in found.items() if values["auc"]["value"] is not None}


def _against_full(cells: Mapping[str, Cell], tables: Mapping[str, Path], how: Resampling) -> None:
    if FULL not in tables:
        return
    for name, path in tables.items():
        if name == FULL:
            continue
        rows, _ = read_table(path)
        cells[name]["against_full"] = compare(rows, tables[FULL], how=how)
        for head in cells[name]["heads"].keys() & cells[FULL]["heads"].keys():
            cells[name]["heads"][head]["against_full"] = compare(rows, tables[FULL], how=how, head=head)
