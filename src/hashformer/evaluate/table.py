"""The score table: one Parquet file from which everything else is computed.

It has a row for each file (`level` "file"), also for one that gave no score, for each face ("track") and for
each clip ("clip"), sorted by path, then level, then time, then face. The columns:

| columns | meaning |
|---|---|
| `level`, `path` | what the row is of; the path as the manifest has it |
| `status`, `reason` | scored, cannot_tell or error; why, or which part was not judged |
| `start_s`, `end_s`, `track_id` | its seconds; its face, null for sound alone and for files |
| `n_clips` | clips that were scored: of files and tracks |
| `corpus` `split` `language` `method` `original` | from the manifest |
| `identity` | everyone in the file, "corpus:name", separated by ";" |
| `groups`, `fake_segments` | JSON |
| `file_label`, `video_fake`, `audio_fake` | 1 = fake: what the manifest says of the file |
| `label_overall` … `label_sync` | 1 = fake: what is true of this row; null where not known |
| `score_overall` … `score_sync` | P(fake), 0–1; null where not judged |
| `logit_overall` … `logit_sync` | before calibration; of clips alone |
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hashformer.cache import atomic_path
from hashformer.data.labels import clip_labels
from hashformer.data.manifest import SEPARATOR, Row
from hashformer.errors import EvaluationError
from hashformer.evaluate.record import FileScores
from hashformer.results import WeightsInfo
from hashformer.timebase import Window
from hashformer.types import HEADS

SCHEMA_VERSION = 1
LEVELS = ("file", "track", "clip")
FILES_PER_GROUP = 256
"""Files whose rows are held at once and written as one row group."""
_KEY = b"hashformer"


class TableNotes(BaseModel):
    """What decided the table, kept in its metadata. Two tables with equal notes hold equal rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    hashformer_version: str
    weights: WeightsInfo
    manifest_sha256: str
    split: str = Field(description="of the manifest's rows, those that were scored; empty for all")
    limit: int = Field(description="at most so many files, drawn by the hash of their paths; 0 for all")
    n_files: int
    source: str = Field(description="media, or prepared for files that were prepared before")
    perturbation: str = Field("", description="kind, level and seed; empty for files as they are")
    batch_size: int
    backend: str = Field("torch", description="what ran the model")
    config: dict[str, Any] = Field(description="everything that decides a score, as the weights hold it")
    thresholds: dict[str, float] = Field(
        {}, description="by the share of real files above it: those that the weights hold"
    )
    aggregation: str = Field(description="how a file's score comes from its clips")


def _schema() -> pa.Schema:
    text, whole, number = pa.string(), pa.int32(), pa.float64()
    fields = [("level", text), ("path", text), ("status", text), ("reason", text)]
    fields += [("start_s", number), ("end_s", number), ("track_id", whole), ("n_clips", whole)]
    fields += [(name, text) for name in ("corpus", "split", "language", "method", "original", "identity")]
    fields += [("groups", text), ("fake_segments", text)]
    fields += [(name, pa.int8()) for name in ("file_label", "video_fake", "audio_fake")]
    fields += [(f"label_{head}", pa.int8()) for head in HEADS]
    fields += [(f"{kind}_{head}", number) for kind in ("score", "logit") for head in HEADS]
    return pa.schema(fields)


SCHEMA = _schema()


def table_rows(row: Row, scored: FileScores) -> list[dict[str, object]]:
    """The rows of one file, in the order of the table; what is left out of a row is null."""
    shared: dict[str, object] = {
        **{name: getattr(row, name) for name in ("path", "corpus", "split", "language", "method", "original")},
        "identity": SEPARATOR.join(sorted(row.identities)),
        "groups": json.dumps(dict(row.groups), sort_keys=True, ensure_ascii=False),
        "fake_segments": json.dumps(row.fake_segments),
        "file_label": row.label,
        "video_fake": _bit(row.video_fake),
        "audio_fake": _bit(row.audio_fake),
    }
    of_file = _labels(file_labels(row))
    file = {
        "level": "file",
        "status": scored.status,
        "reason": scored.reason,
        "start_s": None if scored.duration_s is None else 0.0,
        "end_s": scored.duration_s,
        "n_clips": sum(bool(clip.scores) for clip in scored.clips),
        **of_file,
        **_named("score", scored.scores),
    }
    tracks = [
        {
            "level": "track",
            **{name: getattr(track, name) for name in ("status", "reason", "start_s", "end_s", "track_id", "n_clips")},
            **of_file,
            **_named("score", track.scores),
        }
        for track in scored.tracks
    ]
    clips = [
        {
            "level": "clip",
            "status": "scored" if clip.scores else "cannot_tell",
            "reason": clip.reason,
            "start_s": (window := Window(clip.first_frame, clip.n_frames, clip.fps)).start_s,
            "end_s": window.end_s,
            "track_id": clip.track_id,
            **_labels(clip_labels(row, window)),
            **_named("score", clip.scores),
            **_named("logit", clip.logits),
        }
        for clip in scored.clips
    ]
    return [shared | part for part in [file, *tracks, *clips]]


def file_labels(row: Row) -> dict[str, float]:
    """Labels of a whole file, as `clip_labels` gives those of a clip: 1 = fake, 0 = real, NaN = not known."""
    return clip_labels(replace(row, fake_segments=()), Window(0, 1, 1))


def _labels(labels: dict[str, float]) -> dict[str, object]:
    return {f"label_{head}": None if (label := labels[head]) != label else int(label) for head in HEADS}


def _named(kind: str, values: dict[Any, float]) -> dict[str, object]:
    return {f"{kind}_{head}": value for head, value in values.items()}


def _bit(flag: bool | None) -> int | None:
    return None if flag is None else int(flag)


def write_table(path: Path, files: Iterable[tuple[Row, FileScores]], notes: TableNotes) -> None:
    """Write the table; it appears when it is whole. Equal input gives equal bytes.

    Args:
        path: Of the Parquet file.
        files: Each file of the manifest once, in order of path.
        notes: What decided the scores.

    Raises:
        EvaluationError: If it cannot be written.
    """
    schema = SCHEMA.with_metadata({_KEY: notes.model_dump_json().encode()})
    try:
        with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for rows in _chunks(files):
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be written ({error.strerror}). Name another folder.") from error


def _chunks(files: Iterable[tuple[Row, FileScores]]) -> Iterator[list[dict[str, object]]]:
    rows: list[dict[str, object]] = []
    for number, (row, scored) in enumerate(files, start=1):
        rows += table_rows(row, scored)
        if number % FILES_PER_GROUP == 0:
            yield rows
            rows = []
    if rows:
        yield rows


def read_table(path: Path) -> tuple[pa.Table, TableNotes]:
    """Read a table, and what decided it.

    Raises:
        EvaluationError: If it is no score table, or of another version.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise EvaluationError(f"{path}: is no readable Parquet file ({reason}). Run hashformer validate.") from error
    metadata = (table.schema.metadata or {}).get(_KEY)
    if metadata is None:
        raise EvaluationError(f"{path}: is no score table: no {_KEY.decode()!r} in its metadata.")
    version = json.loads(metadata).get("schema_version")
    if version != SCHEMA_VERSION or table.schema.remove_metadata() != SCHEMA:
        raise EvaluationError(
            f"{path}: is a table of version {version}, this package reads {SCHEMA_VERSION}. Score the files again."
        )
    try:
        return table, TableNotes.model_validate_json(metadata)
    except ValidationError as error:
        raise EvaluationError(f"{path}: its metadata cannot be read: {error.errors()[0]['msg']}.") from error
