"""The score table: every file in it, labels of the right seconds, equal bytes for equal rows."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluate.score_tables import clip, failed, notes, row, scored, table
from hashformer.data.manifest import FakeSegment
from hashformer.errors import EvaluationError
from hashformer.evaluate import table as module
from hashformer.evaluate.record import TrackScores
from hashformer.evaluate.table import SCHEMA, read_table, write_table


def test_a_file_without_a_clip_is_in_the_table(tmp_path):
    found, _ = table(tmp_path, [(row("b.mp4", 1), failed("b.mp4")), (row("a.mp4", 0), scored("a.mp4"))])
    rows = found.to_pylist()
    assert [(r["path"], r["level"], r["status"]) for r in rows] == [
        ("a.mp4", "file", "cannot_tell"),
        ("b.mp4", "file", "error"),
    ]
    assert rows[1]["reason"] == "b.mp4: cannot be opened"
    assert rows[1]["label_overall"] == 1
    assert rows[1]["score_overall"] is None


def test_a_clip_carries_what_is_true_of_its_seconds(tmp_path):
    spoken = row(
        "a.mp4",
        1,
        video_fake=False,
        audio_fake=True,
        fake_segments=(FakeSegment(2.0, 3.0, "audio"),),
        groups={"race": "x"},
        identity_source="p",
        identity_target="q;r",
        corpus="c",
    )
    clips = [clip(0, overall=0.1, audio=0.2), clip(32, None, overall=0.8, audio=0.9), clip(64, 0, reason="too dark")]
    found, _ = table(tmp_path, [(spoken, scored("a.mp4", 0.8, *clips))])
    file, *parts = found.to_pylist()
    assert [(p["label_overall"], p["label_video"], p["label_audio"]) for p in parts] == [
        (0, 0, 0),
        (1, 0, 1),
        (0, 0, 0),
    ]
    assert [p["label_sync"] for p in [file, *parts]] == [None, 0, None, 0]
    assert [(p["start_s"], p["end_s"], p["track_id"]) for p in parts] == [(0, 1, 0), (2, 3, None), (4, 5, 0)]
    assert [(p["status"], p["reason"]) for p in parts] == [("scored", ""), ("scored", ""), ("cannot_tell", "too dark")]
    assert parts[1]["logit_audio"] == pytest.approx(0.8)
    assert (file["label_overall"], file["label_video"], file["label_audio"], file["n_clips"]) == (1, 0, 1, 2)
    assert file["identity"] == "c:p;c:q;c:r"
    assert json.loads(file["groups"]) == {"race": "x"}
    assert json.loads(file["fake_segments"]) == [[2.0, 3.0, "audio"]]


def test_a_file_has_the_labels_of_all_its_seconds(tmp_path):
    late = (FakeSegment(9.0, 9.5, "audio"),)
    files = [
        row("a", 1, video_fake=False, audio_fake=True, fake_segments=late),
        row("b", 1, video_fake=False, audio_fake=False),
        row("c", 0),
        row("d", 1),
    ]
    found, _ = table(tmp_path, [(r, scored(r.path, 0.5, clip(0, overall=0.5))) for r in files])
    labels = [
        tuple(r[f"label_{head}"] for head in ("overall", "video", "audio", "sync"))
        for r in found.to_pylist()
        if r["level"] == "file"
    ]
    assert labels == [(1, 0, 1, None), (1, 0, 0, 1), (0, 0, 0, 0), (1, None, None, None)]


def test_faces_are_rows_of_their_own(tmp_path):
    face = TrackScores(track_id=3, start_s=0, end_s=2, status="scored", reason="", n_clips=2, scores={"overall": 0.7})
    file = scored("a.mp4", 0.7).model_copy(update={"tracks": [face]})
    found, _ = table(tmp_path, [(row("a.mp4", 1), file)])
    track = next(r for r in found.to_pylist() if r["level"] == "track")
    assert (track["track_id"], track["score_overall"], track["n_clips"], track["end_s"]) == (3, 0.7, 2, 2.0)


def test_equal_rows_make_equal_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FILES_PER_GROUP", 2)
    files = [(row(f"{i}.mp4", i % 2), scored(f"{i}.mp4", i / 7)) for i in range(5)]
    for name in ("a", "b"):
        write_table(tmp_path / name, files, notes(n_files=5))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pq.ParquetFile(tmp_path / "a").num_row_groups == 3
    found, told = read_table(tmp_path / "a")
    assert found.schema.remove_metadata() == SCHEMA
    assert told == notes(n_files=5)
    assert sum(level == "file" for level in found["level"].to_pylist()) == 5


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "text").write_text("no table")
    with pytest.raises(EvaluationError, match="no readable Parquet"):
        read_table(tmp_path / "text")
    pq.write_table(pa.table({"path": ["a"]}), tmp_path / "other")
    with pytest.raises(EvaluationError, match="no score table"):
        read_table(tmp_path / "other")
    schema = pa.schema([("path", pa.string())]).with_metadata({b"hashformer": b'{"schema_version": 9}'})
    pq.write_table(pa.Table.from_pylist([{"path": "a"}], schema=schema), tmp_path / "newer")
    with pytest.raises(EvaluationError, match="version 9"):
        read_table(tmp_path / "newer")
