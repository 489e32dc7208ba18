"""Splits that others published: tables of files, lists for each split, lists of people to train on."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from hashformer.data.adapters.layout import SPLIT_NAMES, split_name
from hashformer.data.manifest import Row
from hashformer.data.tables import listed, read_table, read_text, require_columns
from hashformer.errors import ManifestError

PATH_COLUMNS = ("path", "full_path", "file", "filename", "video")
LIST_SUFFIXES = (".csv", ".txt")
PERSON = re.compile(r"[^/\\,\s.]+")


@dataclass(frozen=True)
class Listed:
    """What a published list makes of the rows.

    Attributes:
        rows: The rows that it names, each with its split.
        n_unlisted: How many rows it does not name; they are left out.
        unknown: What it names that no row is.
    """

    rows: list[Row]
    n_unlisted: int
    unknown: list[str]


def from_file(rows: Sequence[Row], path: Path, *, fold: int | None = None) -> Listed:
    """Split by a published list.

    Four forms are read. A CSV with a column of paths (`path`, `full_path`, `file`, `filename`) and the column
    `split`; or the column `fold`, of which one is tested on and the others are trained on. A folder with one
    CSV or text file for each split, the split being the first word of its name (`train_split.csv`). A text
    file with an identity at the start of each line: rows of these sources are train, all others test, as
    the five folds of FakeAVCeleb are given. Paths may start with other folders than ours, and may name a
    folder for all that it holds.

    Args:
        rows: The rows of the corpus.
        path: The file or folder.
        fold: Which fold to test on, for a CSV with folds.

    Raises:
        ManifestError: If the list is in no such form, names a row twice with different splits, or no row at all.
    """
    people = _people(path, rows) if path.suffix == ".txt" else frozenset()
    if people:
        known = {row.identity_source for row in rows}
        unknown = sorted(people - known)
        return Listed([replace(r, split="train" if r.identity_source in people else "test") for r in rows], 0, unknown)
    finder = _Finder(rows)
    splits: dict[int, str] = {}
    unknown = []
    for name, split in _entries(path, fold):
        found = finder.find(name)
        unknown += [] if found else [name]
        for i in found:
            if splits.setdefault(i, split) != split:
                raise ManifestError(f"{path}: puts {rows[i].path!r} into {splits[i]} and {split}. Keep one.")
    if not splits:
        raise ManifestError(f"{path}: names no file of this corpus, but {listed(unknown) or 'nothing'}.")
    chosen = [replace(row, split=splits[i]) for i, row in enumerate(rows) if i in splits]
    return Listed(chosen, len(rows) - len(chosen), unknown)


def _people(path: Path, rows: Iterable[Row]) -> frozenset[str]:
    """The identities that lines start with; none if they are not identities of the rows."""
    words = [match.group() for line in read_text(path).splitlines() if (match := PERSON.match(line.strip()))]
    known = {row.identity_source for row in rows if row.identity_source}
    return (
        frozenset(word for word in words if word in known or re.fullmatch(r"id\d{5}", word)) if known else frozenset()
    )


def _entries(path: Path, fold: int | None) -> Iterator[tuple[str, str]]:
    """Path and split of everything that is listed."""
    if path.is_dir():
        lists = {file: _split_of(file) for file in sorted(path.iterdir()) if file.suffix in LIST_SUFFIXES}
        if not any(lists.values()):
            found = listed(file.name for file in lists) or "none"
            raise ManifestError(f"{path}: expected files such as train.csv and test.csv, found {found}.")
        for file, split in lists.items():
            if split:
                yield from ((name, split) for name in _names(file))
        return
    table = read_table(path)
    header = list(table[0]) if table else []
    column = _path_column(path, header)
    if "split" in header:
        yield from ((line[column], split_name(line["split"], str(path))) for line in table if line["split"])
    elif "fold" in header:
        yield from _folds(path, [(line[column], line["fold"]) for line in table], fold)
    elif split := _split_of(path):
        yield from ((line[column], split) for line in table)
    else:
        require_columns(path, header, ("split",))


def _folds(path: Path, entries: Sequence[tuple[str, str]], fold: int | None) -> Iterator[tuple[str, str]]:
    folds = sorted({name for _, name in entries})
    if fold is None or str(fold) not in folds:
        raise ManifestError(f"{path}: holds the folds {listed(folds)}. Choose the one to test on with --fold.")
    yield from ((name, "test" if which == str(fold) else "train") for name, which in entries)


def _split_of(path: Path) -> str:
    return SPLIT_NAMES.get(re.split(r"[_\-. ]", path.stem.lower())[0], "")


def _names(path: Path) -> list[str]:
    if path.suffix == ".txt":
        return [line.split()[0] for line in read_text(path).splitlines() if line.strip()]
    table = read_table(path)
    column = _path_column(path, list(table[0]) if table else [])
    return [line[column] for line in table]


def _path_column(path: Path, header: Sequence[str]) -> str:
    column = next((name for name in PATH_COLUMNS if name in header), None)
    if column is None:
        require_columns(path, header, ("path",))
    return column or "path"


class _Finder:
    """Finds rows by a path that may start with folders we do not know and lack those we do."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._exact: dict[tuple[str, ...], list[int]] = {}
        self._ends: dict[tuple[str, ...], list[int]] = {}
        for i, row in enumerate(rows):
            parts = PurePosixPath(row.path).parts
            for n in range(1, len(parts)):
                self._exact.setdefault(parts[:n], []).append(i)
            self._exact[parts] = [i]
            for n in range(len(parts)):
                self._ends.setdefault(parts[n:], []).append(i)

    def find(self, name: str) -> list[int]:
        """Indices of the rows: the file, or all of the folder, that the name means."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if parts in self._exact:
            return self._exact[parts]
        for n in range(len(parts)):
            end = parts[n:]
            # A bare name says too little when the list gave folders and they are not ours.
            if len(end) == 1 < len(parts):
                break
            if len(self._ends.get(end, ())) == 1:
                return self._ends[end]
            if end in self._exact:
                return self._exact[end]
        return []
