"""The manifest: one labelled row for each media file, and its CSV file."""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TextIO, cast, get_args

from hashformer.cache import atomic_path
from hashformer.data.tables import listed, nearest, read_table
from hashformer.errors import ManifestError

SPLITS = ("train", "val", "test")
COLUMNS = (
    *("path", "label", "video_fake", "audio_fake", "method", "identity_source", "identity_target", "split"),
    *("original", "language", "fake_segments", "corpus", "sync_fake"),
)
"""Columns of the file, in order. Groups follow, each as `group_<name>`, in the order of their names."""
REQUIRED = ("path", "label")
OLDEST_COLUMNS = frozenset(COLUMNS) - {"sync_fake"}
"""Columns that every written manifest has; those of older versions lack the rest."""
GROUP_PREFIX = "group_"
SEPARATOR = ";"
"""Between several identities in one field."""

OUTSIDE = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)")
"""Paths that are absolute or climb, as POSIX or Windows writes them: a corpus may come from either."""

SegmentModality = Literal["video", "audio", "sync", ""]
_MODALITIES = get_args(SegmentModality)


class FakeSegment(NamedTuple):
    """A stretch of a file that is fake; `modality` is "" where the corpus does not say which part.

    `sync` marks seconds in which sound and picture do not belong together.
    """

    start_s: float
    end_s: float
    modality: SegmentModality = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a corpus says of one media file. An empty text means that the corpus does not say.

    Attributes:
        path: The file, relative to the corpus's root, with forward slashes.
        label: 1 = fake, 0 = real.
        video_fake: Whether the picture is forged; None if unknown or if there is no picture.
        audio_fake: Whether the sound is forged; None if unknown or if there is no sound.
        method: What made the fake; "real" for real files.
        identity_source: The person who lent face, motion or voice; of a real file, the person seen or heard.
        identity_target: The person on whose footage the fake was made; several are separated by ";".
        split: "train", "val", "test" or "".
        original: Path of the real file that the fake was made from, relative to the same root.
        language: What is spoken.
        groups: Anything else by which results are told apart: race, gender, compression.
        fake_segments: The stretches that are fake, where the corpus gives them.
        corpus: Name of the adapter. Identities of two corpora are never the same person.
        sync_fake: Whether sound and picture do not belong together, be each of them genuine or not: shifted or
            exchanged sound, lips that say something else; None if unknown or if one of them is not there.
    """

    path: str
    label: int
    video_fake: bool | None = None
    audio_fake: bool | None = None
    method: str = "real"
    identity_source: str = ""
    identity_target: str = ""
    split: str = ""
    original: str = ""
    language: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    fake_segments: tuple[FakeSegment, ...] = ()
    corpus: str = ""
    sync_fake: bool | None = None

    def __post_init__(self) -> None:
        check_path(self.path)
        if self.original:
            check_path(self.original)
        if self.label not in {0, 1}:
            raise ManifestError(f"{self.path}: label must be 0 (real) or 1 (fake), got {self.label!r}.")
        if self.label == 0 and (self.video_fake or self.audio_fake or self.sync_fake):
            raise ManifestError(
                f"{self.path}: is labelled real, but its picture or sound, or their fit, is marked as fake."
            )
        if self.label == 1 and (self.video_fake, self.audio_fake, self.sync_fake) == (False, False, False):
            raise ManifestError(f"{self.path}: is labelled fake, but picture, sound and their fit are marked as real.")
        if self.split not in {*SPLITS, ""}:
            raise ManifestError(f"{self.path}: split must be one of {listed(SPLITS)} or empty, got {self.split!r}.")
        for start_s, end_s, _ in self.fake_segments:
            if not (math.isfinite(end_s) and 0 <= start_s <= end_s):
                raise ManifestError(f"{self.path}: a fake segment from {start_s} to {end_s} s is none.")

    @property
    def identities(self) -> frozenset[str]:
        """Everyone whose face or voice is in the file, source and target alike, marked with the corpus."""
        names = f"{self.identity_source}{SEPARATOR}{self.identity_target}".split(SEPARATOR)
        return frozenset(f"{self.corpus}:{name}" for name in names if name)


def check_path(path: str) -> None:
    """Refuse a path that is empty, absolute, or leads out of the root.

    Raises:
        ManifestError: If it does.
    """
    if not path or OUTSIDE.search(path):
        raise ManifestError(f"{path!r}: must lie inside the root. Write it relative to the root, without '..'.")


def check_unique(rows: Iterable[Row], where: str) -> None:
    """Refuse rows that name a file twice.

    Raises:
        ManifestError: Listing the paths.
    """
    counts = Counter(row.path for row in rows)
    if twice := [path for path, count in counts.items() if count > 1]:
        raise ManifestError(
            f"{where}: {len(twice)} paths are named more than once: {listed(twice)}. Keep one row of each."
        )


def write_manifest(rows: Sequence[Row], path: Path) -> None:
    """Write a manifest; it appears when it is complete.

    Raises:
        ManifestError: If two rows have one path, or the file cannot be written.
    """
    check_unique(rows, str(path))
    try:
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            write_rows(rows, file)
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written: {error.strerror}. Name another file.") from error


def write_rows(rows: Sequence[Row], file: TextIO) -> None:
    """Write a manifest to an open text file."""
    groups = sorted({name for row in rows for name in row.groups})
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*COLUMNS, *(GROUP_PREFIX + name for name in groups)])
    for row in rows:
        writer.writerow(
            [*map(_cell, (getattr(row, name) for name in COLUMNS)), *(row.groups.get(g, "") for g in groups)]
        )


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return json.dumps(value) if value else ""
    return int(value) if isinstance(value, bool) else value


def read_manifest(path: Path) -> list[Row]:
    """Read a manifest.

    Raises:
        ManifestError: If a column or a value is wrong or missing, a path is named twice or leads out of the root.
    """
    table = read_table(path, REQUIRED)
    known = [*COLUMNS, *(name for name in (table[0] if table else ()) if name.startswith(GROUP_PREFIX))]
    for name in table[0] if table else ():
        if name not in known:
            raise ManifestError(
                f"{path}: does not know the column {name!r}{nearest(name, COLUMNS)}. "
                f"Start the names of your own with {GROUP_PREFIX!r}, or run `hashformer manifest folder {path}`."
            )
    rows = [_row(f"{path}, row {number}", record) for number, record in enumerate(table, start=2)]
    check_unique(rows, str(path))
    return rows


def _row(where: str, record: Mapping[str, str]) -> Row:
    plain = ("method", "identity_source", "identity_target", "split", "original", "language", "corpus")
    label = parse_flag(record["label"], f"{where}: label")
    if label is None:
        raise ManifestError(f"{where}: has no label. Write 0 (real) or 1 (fake).")
    try:
        return Row(
            path=record["path"],
            label=int(label),
            video_fake=parse_flag(record.get("video_fake", ""), f"{where}: video_fake"),
            audio_fake=parse_flag(record.get("audio_fake", ""), f"{where}: audio_fake"),
            sync_fake=parse_flag(record.get("sync_fake", ""), f"{where}: sync_fake"),
            fake_segments=_segments(record.get("fake_segments", ""), where),
            groups={k.removeprefix(GROUP_PREFIX): v for k, v in record.items() if k.startswith(GROUP_PREFIX) and v},
            **{name: record[name] for name in plain if name in record},
        )
    except ManifestError as error:
        raise ManifestError(f"{where}: {error}") from error


def parse_flag(text: str, where: str) -> bool | None:
    """0 or 1; None for an empty text.

    Raises:
        ManifestError: If it is neither, naming `where`.
    """
    if text not in {"", "0", "1"}:
        raise ManifestError(f"{where} must be 0, 1 or empty, got {text!r}.")
    return text == "1" if text else None


def _segments(text: str, where: str) -> tuple[FakeSegment, ...]:
    if not text:
        return ()
    try:
        return tuple(FakeSegment(float(start), float(end), _modality(kind)) for start, end, kind in json.loads(text))
    except (TypeError, ValueError) as error:
        expected = '[[0.5, 1.25, "video"], [2, 3, ""]]'
        raise ManifestError(f"{where}: fake_segments must look like {expected}, got {text!r}.") from error


def _modality(name: str) -> SegmentModality:
    if name not in _MODALITIES:
        raise ValueError(name)
    return cast("SegmentModality", name)
