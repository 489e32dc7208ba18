"""AV-Deepfake1M: VoxCeleb2 speeches of which words were replaced, in picture, sound or both."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import cast

from hashformer.data.adapters.layout import field_of, inside, locate, records, split_name, text_of
from hashformer.data.manifest import FakeSegment, Row, SegmentModality
from hashformer.data.tables import listed, read_json
from hashformer.errors import ManifestError

CORPUS = "avdeepfake1m"
METADATA = ("train_metadata.json", "val_metadata.json")
MODIFIED = {
    "real": (False, False),
    "visual_modified": (True, False),
    "audio_modified": (False, True),
    "both_modified": (True, True),
}
"""For each `modify_type`: whether the picture and whether the sound is forged."""
IDENTITY = re.compile(r"id\d{5}")
SEGMENTS: dict[str, SegmentModality] = {"visual_fake_segments": "video", "audio_fake_segments": "audio"}


def index(root: Path) -> Iterator[Row]:
    """Yield a row for each record of `train_metadata.json` and `val_metadata.json`, whichever is there.

    Files lie below `train/` and `val/`, by the split of their record. The labels of the test set are not
    given out. The person is the first folder of the path, as in VoxCeleb2, if it looks like one.

    Raises:
        ManifestError: If no metadata is there, a field is missing, or a modification is unknown.
    """
    base = locate(root, METADATA, "AV-Deepfake1M")
    for path in (base / name for name in METADATA if (base / name).is_file()):
        for number, record in enumerate(records(read_json(path), path)):
            yield _row(record, f"{path}, record {number}", base, root)


def _row(record: Mapping[str, object], where: str, base: Path, root: Path) -> Row:
    kind = text_of(field_of(record, "modify_type", where))
    if kind not in MODIFIED:
        raise ManifestError(f"{where}: unknown modify_type {kind!r}; expected one of {listed(MODIFIED)}.")
    video, audio = MODIFIED[kind]
    split = split_name(text_of(field_of(record, "split", where)), where)
    file = text_of(field_of(record, "file", where))
    person = IDENTITY.search(PurePosixPath(file).as_posix())
    original = text_of(record.get("original"))
    model = text_of(record.get("audio_model"))
    return Row(
        path=_below(split, file, base, root),
        label=int(video or audio),
        video_fake=video,
        audio_fake=audio,
        method=kind,
        identity_source=person.group() if person else "",
        split=split,
        original=_below(split, original, base, root) if original and (video or audio) else "",
        groups={"audio_model": model} if model else {},
        fake_segments=_segments(record, where),
        corpus=CORPUS,
    )


def _below(split: str, file: str, base: Path, root: Path) -> str:
    return inside(base, file if file.startswith(f"{split}/") else f"{split}/{file}", root)


def _segments(record: Mapping[str, object], where: str) -> tuple[FakeSegment, ...]:
    by_modality = {name: kind for name, kind in SEGMENTS.items() if name in record}
    undivided: dict[str, SegmentModality] = {"fake_segments": ""}
    found = []
    try:
        for name, modality in (by_modality or undivided).items():
            spans = cast("Sequence[Sequence[float]]", record.get(name) or ())
            found += [FakeSegment(float(start), float(end), modality) for start, end in spans]
    except (TypeError, ValueError) as error:
        raise ManifestError(f"{where}: fake segments must be pairs of seconds.") from error
    return tuple(sorted(found))


def release(rows: Sequence[Row]) -> str:
    """Which release the rows look like."""
    counts = {split: sum(row.split == split for row in rows) for split in ("train", "val", "test")}
    return "AV-Deepfake1M, " + ", ".join(f"{split} {count:,}" for split, count in counts.items() if count)
