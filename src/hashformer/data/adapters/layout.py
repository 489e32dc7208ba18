"""What the adapters share: finding the corpus under a root, walking it, reading its splits."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from hashformer.data.tables import listed, nearest
from hashformer.errors import ManifestError

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac"})
MEDIA_SUFFIXES = VIDEO_SUFFIXES | AUDIO_SUFFIXES
_SPLIT_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validate", "validation", "dev"),
    "test": ("test", "testing", "eval"),
}
SPLIT_NAMES = {word: split for split, words in _SPLIT_WORDS.items() for word in words}
"""How corpora call the splits, in lower case."""


def locate(root: Path, entries: Collection[str], corpus: str) -> Path:
    """The folder that holds any of `entries`: the root itself or one folder right below it.

    Raises:
        ManifestError: If there is none, or more than one; naming what was expected and what was found.
    """
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise ManifestError(f"{root}: {what}. Name the folder that holds {corpus}.")
    if any((root / entry).exists() for entry in entries):
        return root
    inside = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
    below = [root / name for name in inside if any((root / name / entry).exists() for entry in entries)]
    if len(below) == 1:
        return below[0]
    if below:
        raise ManifestError(f"{root}: holds {corpus} {len(below)} times: {listed(p.name for p in below)}. Name one.")
    hints = "".join(nearest(entry, inside) for entry in entries)
    raise ManifestError(
        f"{root}: does not look like {corpus}. Expected {' or '.join(repr(e) for e in entries)}{hints}; "
        f"found {listed(inside) or 'nothing'}."
    )


def relative(path: Path, root: Path) -> str:
    """A path below the root, with forward slashes."""
    return path.relative_to(root).as_posix()


def media_files(folder: Path, suffixes: Collection[str] = MEDIA_SUFFIXES) -> Iterator[Path]:
    """Every media file below a folder, in the order of the names, files before folders.

    What is hidden is left out. Linked folders are entered, for large corpora lie on several disks, but
    none twice, for links may go round.
    """
    entered: set[Path] = set()
    for where, folders, names in os.walk(folder, followlinks=True):
        if (real := Path(where).resolve()) in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in suffixes and not name.startswith("."):
                yield Path(where, name)


def by_name(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """File name to relative path, for corpora that list names but not folders.

    Raises:
        ManifestError: If two files have one name.
    """
    found: dict[str, str] = {}
    for path in paths:
        where = relative(path, root)
        if path.name in found:
            raise ManifestError(f"{root}: {path.name!r} is there twice: {found[path.name]!r}, {where!r}. Remove one.")
        found[path.name] = where
    return found


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, in the order of their names."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def split_name(text: str, where: str) -> str:
    """Our name of a split: train, val, test or "".

    Raises:
        ManifestError: If the name is unknown, naming `where`.
    """
    if text and text.lower() not in SPLIT_NAMES:
        raise ManifestError(f"{where}: unknown split {text!r}; expected one of {listed(SPLIT_NAMES, 12)}.")
    return SPLIT_NAMES[text.lower()] if text else ""


def field_of(record: Mapping[str, object], name: str, where: str) -> object:
    """A field of a JSON record.

    Raises:
        ManifestError: If it is not there.
    """
    if name not in record:
        raise ManifestError(f"{where}: lacks the field {name!r}{nearest(name, record)}. Found: {listed(record)}.")
    return record[name]


def records(content: object, path: Path) -> list[Mapping[str, object]]:
    """JSON content that must be a list of records.

    Raises:
        ManifestError: If it is not.
    """
    if not isinstance(content, list) or not all(isinstance(record, dict) for record in content):
        raise ManifestError(f"{path}: must be a list of records, one for each file.")
    return content


def keyed_records(content: object, path: Path) -> dict[str, Mapping[str, object]]:
    """JSON content that must map file names to records.

    Raises:
        ManifestError: If it does not.
    """
    if not isinstance(content, dict) or not all(isinstance(record, dict) for record in content.values()):
        raise ManifestError(f"{path}: must map file names to records.")
    return content


def inside(folder: Path, path: str, root: Path) -> str:
    """A path that a list gives relative to `folder`, made relative to the root."""
    return (PurePosixPath(relative(folder, root)) / path.replace("\\", "/")).as_posix()


def text_of(value: object) -> str:
    """A field as text; null and a lone dash are empty."""
    text = "" if value is None else str(value).strip()
    return "" if text in {"-", "None", "nan", "null"} else text
