"""How well each kind of forgery is told from the real clips that it was made of, with intervals."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from hashformer.cache import atomic_path
from hashformer.data.manifest import Row
from hashformer.evaluate.intervals import interval
from hashformer.train.scores import JudgedFile
from hashformer.types import HEADS


class KindAuc(NamedTuple):
    """AUC of one head for one kind.

    Attributes:
        kind: Name of the forgery; a corpus's own method for its fakes.
        head: Which score.
        n_fake: Forgeries that the head judged.
        n_real: Real files that they are compared with.
        auc: None if undefined.
        low: Lower end of the 95 % interval over people; None if it cannot be told.
        high: Upper end.
        n_people: People that were drawn.
    """

    kind: str
    head: str
    n_fake: int
    n_real: int
    auc: float | None
    low: float | None
    high: float | None
    n_people: int


def auc_by_kind(files: Sequence[JudgedFile], rows: Sequence[Row]) -> list[KindAuc]:
    """Compare each kind's forgeries with the real clips of the same files.

    A head is listed for the kinds that forge what it judges: a dubbed sound is no matter of the `video` head.
    Fakes of a corpus, which were made of files that are not there, are compared with all real files.

    Args:
        files: Of a validation.
        rows: Of the manifest, which the files count.
    """
    found = []
    for kind in sorted({file.method for file in files if file.labels["overall"] == 1}):
        fakes = [file for file in files if file.method == kind]
        sources = {file.row_idx for file in fakes if file.kind}
        reals = [file for file in files if file.labels["overall"] == 0 and (not sources or file.row_idx in sources)]
        found += [_judged(kind, head, fakes, reals, rows) for head in HEADS if _forges(fakes, head)]
    return found


def _forges(fakes: Iterable[JudgedFile], head: str) -> bool:
    return any(file.labels[head] == 1 and head in file.scores for file in fakes)


def _judged(
    kind: str, head: str, fakes: Iterable[JudgedFile], reals: Iterable[JudgedFile], rows: Sequence[Row]
) -> KindAuc:
    shown = [file for file in fakes if file.labels[head] == 1 and head in file.scores]
    genuine = [file for file in reals if file.labels[head] == 0 and head in file.scores]
    files = [*genuine, *shown]
    people = [_person(rows[file.row_idx]) for file in files]
    labels = [0] * len(genuine) + [1] * len(shown)
    found = interval("auc", labels, [file.scores[head] for file in files], groups=people)
    return KindAuc(kind, head, len(shown), len(genuine), found.value, found.low, found.high, found.n_groups)


def _person(row: Row) -> str:
    return f"{row.corpus}:{row.identity_source or row.path}"


def write_auc_by_kind(found: Iterable[KindAuc], path: Path) -> None:
    """Write the table as CSV; what is undefined is empty."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(KindAuc._fields)
        for row in found:
            writer.writerow([f"{value:.4f}" if isinstance(value, float) else value for value in row])
