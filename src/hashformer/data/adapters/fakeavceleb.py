"""FakeAVCeleb v1.2: VoxCeleb2 speakers with face, voice or both forged."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hashformer.data.adapters.layout import locate, relative, subfolders, text_of
from hashformer.data.manifest import SEPARATOR, Row
from hashformer.data.tables import listed, read_table, require_columns
from hashformer.errors import ManifestError

_log = logging.getLogger(__name__)

CORPUS = "fakeavceleb"
METADATA = "meta_data.csv"
COLUMNS = ("source", "target1", "target2", "method", "category", "type", "race", "gender", "path")
FOLDER_COLUMNS = ("", "Unnamed: 9", "folder", "directory")
"""What the last column, which holds the folder, is called: nothing, or what a spreadsheet made of that."""
CATEGORIES = {"A": "RVRA", "B": "RVFA", "C": "FVRA", "D": "FVFA"}
TYPES = frozenset(f"{video}Video-{audio}Audio" for video in ("Real", "Fake") for audio in ("Real", "Fake"))
IDENTITY = re.compile(r"id\d{5}")
N_REALS, N_FAKES = 500, 21_044


def index(root: Path) -> Iterator[Row]:
    """Yield a row for each line of `meta_data.csv`, in its order; lines that say the same twice count once.

    The name of a fake's file holds the targets, sometimes two, that the columns leave out; all of them
    become `identity_target`. Folders that were renamed (`Asian-East` for `Asian (East)`, another name of
    the whole) are found by their letters. There is no official split.

    Raises:
        ManifestError: If the table or one of its columns is missing, or two lines contradict each other.
    """
    base = locate(root, (METADATA,), "FakeAVCeleb")
    path = base / METADATA
    table = read_table(path, COLUMNS)
    folder_column = _folder_column(path, table)
    finder = _FolderFinder(base)
    paths = [relative(finder.find(line[folder_column]) / line["path"], root) for line in table]
    reals = {line["source"]: file for line, file in zip(table, paths, strict=True) if line["category"] == "A"}
    seen: dict[str, Row] = {}
    for line, file in zip(table, paths, strict=True):
        row = _row(line, file, reals.get(line["source"], ""), path)
        if seen.setdefault(file, row) != row:
            raise ManifestError(f"{path}: says two different things of {file!r}. Keep one line.")
        if seen[file] is row:
            yield row
    if len(seen) < len(table):
        _log.warning("%s: %d files are listed twice; each counts once", path, len(table) - len(seen))


def _folder_column(path: Path, table: Sequence[Mapping[str, str]]) -> str:
    header = list(table[0]) if table else []
    column = next((name for name in FOLDER_COLUMNS if name in header), None)
    if column is None:
        require_columns(path, header, ("Unnamed: 9",))
    return column or ""


def _row(line: Mapping[str, str], file: str, real: str, path: Path) -> Row:
    category = line["category"]
    if category not in CATEGORIES:
        raise ManifestError(f"{path}: {file!r} has the category {category!r}; expected one of {listed(CATEGORIES)}.")
    named = [text_of(line["target1"]), text_of(line["target2"]), *IDENTITY.findall(line["path"])]
    targets = [name for name in dict.fromkeys(named) if IDENTITY.fullmatch(name) and name != line["source"]]
    is_fake = category != "A"
    return Row(
        path=file,
        label=int(is_fake),
        video_fake=category in {"C", "D"},
        audio_fake=category in {"B", "D"},
        method=line["method"] if is_fake else "real",
        identity_source=line["source"],
        identity_target=SEPARATOR.join(targets),
        original=real if is_fake else "",
        groups={"category": CATEGORIES[category], "race": line["race"], "gender": line["gender"]},
        corpus=CORPUS,
    )


class _FolderFinder:
    """Finds the folders that the table names below a base that may have been renamed, as may they."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._found: dict[str, Path] = {}

    def find(self, listed_folder: str) -> Path:
        """The folder; where it is not on disk, the place where it should be."""
        if listed_folder not in self._found:
            parts = listed_folder.replace("\\", "/").strip("/").split("/")
            # What stands before the type is the name that the whole corpus once had.
            first = next((i for i, part in enumerate(parts) if part in TYPES), 0)
            self._found[listed_folder] = self._walk(parts[first:])
        return self._found[listed_folder]

    def _walk(self, parts: Sequence[str]) -> Path:
        folder = self._base
        for part in parts:
            known = self._found.get(f"{folder}\0{part}")
            if known is None:
                known = self._found[f"{folder}\0{part}"] = self._below(folder, part)
            folder = known
        return folder

    @staticmethod
    def _below(folder: Path, part: str) -> Path:
        exact = folder / part
        if exact.is_dir() or not folder.is_dir():
            return exact
        alike = [other for other in subfolders(folder) if _letters(other.name) == _letters(part)]
        return alike[0] if len(alike) == 1 else exact


def _letters(name: str) -> str:
    return re.sub(r"\W|_", "", name).lower()


def release(rows: Sequence[Row]) -> str:
    """Which release the rows look like."""
    n_fakes = sum(row.label for row in rows)
    n_reals = len(rows) - n_fakes
    whole = (n_reals, n_fakes) == (N_REALS, N_FAKES)
    return f"FakeAVCeleb {'v1.2' if whole else 'in part'}, {n_reals} real and {n_fakes} fake listed"
