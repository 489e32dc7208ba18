"""Which files the user means: files as named, folders searched."""

from collections.abc import Sequence
from pathlib import Path

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".flv", ".wmv"}
    | {".ogv", ".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus"}
)
"""Names by which a file in a folder is taken for media. A file named by itself is taken whatever its name."""


def media_files(paths: Sequence[Path]) -> tuple[list[Path], int]:
    """Expand folders, at any depth, in the order of their names.

    Returns:
        The files, each once, and how many other files lay in the folders.
    """
    found: dict[Path, None] = {}
    n_others = 0
    for path in paths:
        if not path.is_dir():
            found[path] = None
            continue
        inside = sorted(entry for entry in path.rglob("*") if entry.is_file() and not entry.name.startswith("."))
        media = [entry for entry in inside if entry.suffix.lower() in SUFFIXES]
        n_others += len(inside) - len(media)
        found.update(dict.fromkeys(media))
    return list(found), n_others
