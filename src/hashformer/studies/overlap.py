"""Who and what two sets of rows share: a model must not be tested on people that it was trained on."""

from collections.abc import Iterable, Sequence

from hashformer.data.manifest import Row
from hashformer.data.tables import listed
from hashformer.errors import EvaluationError


def training_rows(rows: Sequence[Row]) -> list[Row]:
    """Rows that a training run on this manifest may have seen: those of train and val; all if none is split."""
    seen = [row for row in rows if row.split in {"train", "val"}]
    return seen if any(row.split for row in rows) else list(rows)


def shared(seen: Iterable[Row], tested: Iterable[Row]) -> list[str]:
    """People of both, then files of both, in order."""
    seen, tested = list(seen), list(tested)
    people = _people(seen) & _people(tested)
    files = {(row.corpus, row.path) for row in seen} & {(row.corpus, row.path) for row in tested}
    return [*sorted(people), *sorted(path for _, path in files)]


def _people(rows: Iterable[Row]) -> set[str]:
    return {name for row in rows for name in row.identities}


def refuse_overlap(found: Sequence[str], trained: str, tested: str) -> None:
    """Refuse a pair that shares people or files.

    Raises:
        EvaluationError: If it does.
    """
    if found:
        raise EvaluationError(
            f"{trained} was trained on {len(found)} people or files of {tested}: {listed(found)}. Test on a split by "
            "identity, or pass --allow_overlap to get numbers that say nothing about new people."
        )
