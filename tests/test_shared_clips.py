"""Clips that nobody here made: every one gets a document that passes the schema."""

import csv
import json

import jsonschema
import pytest

from hashformer.media import probe
from hashformer.preprocess.extract import extract
from hashformer.report.document import json_schema, make_document, to_json

N_CLIPS = 10


@pytest.fixture(scope="module")
def clips(shared_data):
    """Ten clips of as many kinds, the shortest of each, with and without sound, and sound alone."""
    by_kind = {}
    with (shared_data / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == "dev" and float(row["duration_s"]) >= 1.0:
                best = by_kind.setdefault((row["kind"], row["label"]), row)
                if float(row["duration_s"]) < float(best["duration_s"]):
                    by_kind[row["kind"], row["label"]] = row
    rows = sorted(by_kind.values(), key=lambda row: row["path"])
    spread = rows[:: max(1, len(rows) // (N_CLIPS - 3))][: N_CLIPS - 3]
    silent = [row for row in rows if row["has_audio"] == "0" and row not in spread]
    filmed = [row for row in rows if row["width"] and row not in spread and row not in silent]
    return [shared_data / row["path"] for row in [*spread, *silent[:1], *filmed][:N_CLIPS]]


@pytest.mark.shared_data
def test_every_clip_gets_a_document(detector, clips):
    assert len(clips) == N_CLIPS
    results = list(detector.detect_all(clips))
    document = make_document(results, settings=detector.config.model_dump(mode="json"))
    jsonschema.validate(json.loads(to_json(document)), json_schema())
    for result in results:
        assert result.status != "error", result.reason
        assert len(result.sha256) == 64
        assert (result.reason is None) == (result.status == "scored")
    assert any(result.scores.video is not None for result in results)
    assert any(result.scores.audio is not None for result in results)
    assert any(result.media.audio is None for result in results)


@pytest.mark.shared_data
def test_picture_and_sound_of_every_sample_cover_the_same_seconds(detector, clips):
    for path in clips:
        for sample in extract(path, probe(path), detector.config, detector._finder):
            if sample.waveform is not None:
                seconds = len(sample.waveform) / sample.sample_rate_hz
                assert seconds == pytest.approx(sample.window.end_s - sample.window.start_s, abs=1e-4)
