"""LAV-DF: speeches of which words were replaced, in picture, sound or both."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from hashformer.data.adapters.layout import field_of, inside, locate, records, split_name, text_of
from hashformer.data.manifest import FakeSegment, Row, SegmentModality
from hashformer.data.tables import read_json
from hashformer.errors import ManifestError

CORPUS = "lavdf"
METADATA = ("metadata.min.json", "metadata.json")


def index(root: Path) -> Iterator[Row]:
    """Yield a row for each record of `metadata.min.json`; dev becomes val.

    The fake periods are of one modality if only one was modified; else the corpus does not say which.
    It names no person: only `original` ties a fake to its real.

    Raises:
        ManifestError: If the file or one of its fields is missing or holds something else.
    """
    base = locate(root, METADATA, "LAV-DF")
    path = next(base / name for name in METADATA if (base / name).is_file())
    for number, record in enumerate(records(read_json(path), path)):
        yield _row(record, f"{path}, record {number}", base, root)


def _row(record: Mapping[str, object], where: str, base: Path, root: Path) -> Row:
    video = bool(field_of(record, "modify_video", where))
    audio = bool(field_of(record, "modify_audio", where))
    original = text_of(record.get("original"))
    periods = field_of(record, "fake_periods", where)
    try:
        spans = [(float(start), float(end)) for start, end in cast("Sequence[Sequence[float]]", periods)]
    except (TypeError, ValueError) as error:
        raise ManifestError(f"{where}: fake_periods must be pairs of seconds, got {periods!r}.") from error
    return Row(
        path=inside(base, text_of(field_of(record, "file", where)), root),
        label=int(video or audio),
        video_fake=video,
        audio_fake=audio,
        method=_method(video, audio),
        split=split_name(text_of(field_of(record, "split", where)), where),
        original=inside(base, original, root) if original and (video or audio) else "",
        fake_segments=tuple(FakeSegment(*span, _modality(video, audio)) for span in spans),
        corpus=CORPUS,
    )


def _method(video: bool, audio: bool) -> str:
    if video and audio:
        return "video-and-audio"
    return "video" if video else "audio" if audio else "real"


def _modality(video: bool, audio: bool) -> SegmentModality:
    if video == audio:
        return ""
    return "video" if video else "audio"


def release(rows: Sequence[Row]) -> str:
    """Which release the rows look like."""
    return f"LAV-DF, {sum(1 - row.label for row in rows):,} real and {sum(row.label for row in rows):,} fake listed"
