"""Stages that work ahead of each other give what they would give one after another."""

import threading

import pytest

import hashformer.detector as detector_module
import hashformer.preprocess.extract as extract_module
from hashformer.data.batch import collate
from make_faces import film, scene
from make_media import damage_bytes


@pytest.fixture(scope="module")
def whole(tmp_path_factory, man):
    pictures = [scene(picture, [(20, 40, 1.2), (380, 60, 1.0)]) for picture in man[:20]]
    return film(tmp_path_factory.mktemp("films") / "two.mp4", pictures)


@pytest.fixture(scope="module")
def damaged(whole):
    return damage_bytes(whole, whole.with_name("damaged.mp4"), start=0.5, end=0.55)


@pytest.mark.parametrize("name", ["whole", "damaged"])
def test_what_works_ahead_changes_nothing(detector, request, name, monkeypatch):
    path = request.getfixturevalue(name)
    n_threads, ahead = threading.active_count(), detector.examine(path)
    assert threading.active_count() == n_threads
    monkeypatch.setattr(detector_module, "SAMPLES_AHEAD", 0)
    monkeypatch.setattr(extract_module, "PICTURES_AHEAD", 0)
    alone = detector.examine(path)
    assert ahead.clips == alone.clips
    timeless = [found.detection.model_copy(update={"timings_s": {}}) for found in (ahead, alone)]
    assert timeless[0] == timeless[1]
    faults = [line for line in alone.detection.warnings if "picture" in line or "packet" in line]
    assert bool(faults) == (name == "damaged")


def test_an_error_of_the_model_leaves_no_thread_behind(detector, whole, monkeypatch):
    n_threads, batches = threading.active_count(), []

    def failing(clips, features):
        batches.append(len(clips))
        raise RuntimeError("out of memory")

    monkeypatch.setattr(detector_module, "collate", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        detector.detect(whole)
    assert batches
    assert threading.active_count() == n_threads
    monkeypatch.setattr(detector_module, "collate", collate)
    assert detector.detect(whole).status == "scored", "the face models are free for the next file"
