import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from hashformer.report.document import json_schema, make_document, to_json, versions, write_json
from hashformer.results import SCHEMA_VERSION, Document
from report.detections import document_of, hostile, scored

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / f"detection-{SCHEMA_VERSION}.json"


@pytest.fixture(scope="session")
def validator():
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_published_schema_is_up_to_date():
    # To mend: see docs/schema/README.md.
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == json_schema()


def test_every_kind_of_document_keeps_the_schema(any_document, validator):
    validator.validate(json.loads(to_json(any_document)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.pop("created"),
        lambda data: data["files"][0].pop("score"),
        lambda data: data["files"][0].update(score=1.5),
        lambda data: data["files"][0].update(status="fine"),
        lambda data: data["files"][0].update(extra=1),
        lambda data: data.update(schema_version="0.9"),
    ],
)
def test_schema_rejects_a_spoiled_document(spoil, validator):
    data = json.loads(to_json(document_of(scored())))
    spoil(data)
    assert not validator.is_valid(data)


def test_pictures_of_faces_are_neither_in_the_schema_nor_in_the_document():
    document = document_of(scored())
    assert document.files[0].tracks[0].thumbnails[0].jpeg
    assert "jpeg" not in json.dumps(json_schema()["$defs"]["Thumbnail"]["properties"]).lower().replace("jpeg file", "")
    assert '"jpeg"' not in to_json(document)


def test_document_survives_a_round_trip(any_document):
    again = Document.model_validate_json(to_json(any_document))
    assert to_json(again) == to_json(any_document)
    no_pictures = {"tracks": [], "suspect_clips": []}
    assert again.files[0].model_copy(update=no_pictures) == any_document.files[0].model_copy(update=no_pictures)


def test_json_is_readable_and_keys_keep_their_order(tmp_path):
    document = document_of(hostile())
    path = tmp_path / "new folder" / "ünï.json"
    write_json(document, path)
    text = path.read_text(encoding="utf-8")
    assert text == to_json(document)
    assert "ünï" in text
    assert "\n  " in text
    assert list(json.loads(text)) == list(Document.model_fields)
    assert [entry.name for entry in path.parent.iterdir()] == ["ünï.json"]


def test_document_is_stamped_with_the_time_in_utc():
    created = datetime.fromisoformat(make_document([], settings={}).created)
    assert created.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)


def test_versions_are_those_in_use():
    found = versions()
    assert list(found) == ["hashformer", "torch", "numpy", "av", "mediapipe", "opencv", "python"]
    assert found["numpy"] == np.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert all(re.match(r"\d+\.\d+", version) for version in found.values())


def test_a_library_that_is_not_there_is_said_to_be_so(monkeypatch):
    monkeypatch.setitem(sys.modules["hashformer.report.document"]._DISTRIBUTIONS, "av", ("no-such-distribution",))
    assert versions()["av"] == "not installed"
