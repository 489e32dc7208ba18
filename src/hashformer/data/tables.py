"""Lists that others wrote: CSV and JSON read whatever their encoding, with errors that name the cure."""

import csv
import difflib
import io
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from hashformer.errors import ManifestError

ENCODINGS = ("utf-8-sig", "cp949")
"""Tried in turn. cp949 is what Korean spreadsheets write; it also reads plain ASCII."""
SHOWN = 8
"""How many names an error lists."""


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a mark, or in cp949.

    Raises:
        ManifestError: If it cannot be opened or is in neither encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}.") from error
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ManifestError(f"{path}: is neither UTF-8 nor cp949. Save it as UTF-8.")


def read_table(path: Path, columns: Collection[str] = ()) -> list[dict[str, str]]:
    """The rows of a CSV file with a header. Values are stripped; what a short row lacks is empty.

    Args:
        path: The file.
        columns: Columns that must be there.

    Returns:
        One mapping for each row. A column without a name is called "".

    Raises:
        ManifestError: If it cannot be read, lacks a column, names one twice, or a row has too many values.
    """
    lines = csv.reader(io.StringIO(read_text(path), newline=""))
    try:
        header = [name.strip() for name in next(lines, [])]
        require_columns(path, header, columns)
        return [_record(path, header, lines.line_num, values) for values in lines if any(v.strip() for v in values)]
    except csv.Error as error:
        raise ManifestError(f"{path}, line {lines.line_num}: is not CSV: {error}.") from error


def _record(path: Path, header: Sequence[str], line: int, values: Sequence[str]) -> dict[str, str]:
    if len(values) > len(header) and any(value.strip() for value in values[len(header) :]):
        raise ManifestError(
            f"{path}, line {line}: has {len(values)} values, the header names {len(header)} columns. "
            "Quote values that hold a comma."
        )
    padded = [*values, *[""] * (len(header) - len(values))]
    return {name: value.strip() for name, value in zip(header, padded, strict=False)}


def require_columns(path: Path, header: Sequence[str], columns: Collection[str]) -> None:
    """Check that a header names every one of `columns`, and none twice.

    Raises:
        ManifestError: Naming the missing ones, and for each the nearest name that is there.
    """
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise ManifestError(f"{path}: the header names {listed(twice)} twice.")
    missing = [name for name in columns if name not in header]
    if missing:
        wanted = ", ".join(_with_nearest(name, header) for name in missing)
        raise ManifestError(f"{path}: lacks the column {wanted}. Found: {listed(header) or 'nothing'}.")


def _with_nearest(name: str, names: Iterable[str]) -> str:
    return f"{name!r}{nearest(name, names)}"


def nearest(name: str, names: Iterable[str]) -> str:
    """A clause that offers the most similar of `names`; empty if none is."""
    by_lower = {other.lower(): other for other in names if other}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" (is {by_lower[close[0]]!r} meant?)" if close else ""


def read_json(path: Path) -> object:
    """The content of a JSON file.

    Raises:
        ManifestError: If it cannot be read or is no JSON.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ManifestError(f"{path}, line {error.lineno}: is not JSON: {error.msg}. Fetch it again.") from error


def listed(names: Iterable[object], shown: int = SHOWN) -> str:
    """The first names, quoted, and how many more there are."""
    every = [f"{name}" for name in names]
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(repr(name) for name in every[:shown]) + more
