"""Files with an answer for each clip: from media, from prepared folders, with models that read less."""

import numpy as np
import pytest

from hashformer.config import Config, load_config
from hashformer.detector import Detector
from hashformer.errors import ConfigError, StoreError
from hashformer.media import probe
from hashformer.model import HashFormer
from hashformer.model.weights import save_model
from hashformer.preprocess.extract import extract
from hashformer.preprocess.record import PrepareSettings, Source
from hashformer.preprocess.store import write_samples
from hashformer.timeline import ClipScore, file_scores
from make_faces import film, scene


@pytest.fixture(scope="module")
def two(tmp_path_factory, man, finder):
    """Two faces, one of them too small to be judged."""
    pictures = [scene(picture, [(20, 40, 1.8), (450, 60, 0.55)]) for picture in man[:20]]
    return film(tmp_path_factory.mktemp("films") / "two.mp4", pictures)


@pytest.fixture(scope="module")
def prepared(two, detector, tmp_path_factory):
    folder, info = tmp_path_factory.mktemp("prepared") / "two.mp4", probe(two)
    source = Source(path="two.mp4", sha256="0" * 64, media=info)
    samples = extract(two, info, detector.config, detector._finder)
    write_samples(folder, samples, source=source, settings=PrepareSettings.of(detector.config))
    return folder


def variant(path, **model):
    config = Config.parse(load_config("tiny").model_dump() | {"model": load_config("tiny").model.model_dump() | model})
    save_model(path, HashFormer(config.model), config=config, trained=True)
    return path


def test_the_answer_of_the_file_is_that_of_its_clips(detector, two):
    found = detector.examine(two)
    judged = [ClipScore(window=c.window, track_id=c.track_id, scores=c.scores) for c in found.clips if c.scores]
    expected = file_scores(judged, detector.config.timeline.pool_fraction)
    assert found.detection.score == expected["overall"]
    assert {name: getattr(found.detection.scores, name) for name in ("video", "audio", "sync")} == {
        name: expected[name] for name in ("video", "audio", "sync")
    }
    assert found.detection == detector.detect(two).model_copy(update={"timings_s": found.detection.timings_s})


def test_scores_are_the_calibrated_logits(detector, two):
    for clip in detector.examine(two).clips:
        for name, score in clip.scores.items():
            assert score == pytest.approx(1 / (1 + np.exp(-clip.logits[name])), abs=1e-6)


def test_a_window_stands_once_for_each_face_that_was_judged(detector, two):
    clips = detector.examine(two).clips
    assert len(clips) == len({(clip.window, clip.track_id) for clip in clips})
    assert {clip.track_id for clip in clips} == {0}
    assert [clip.window.first_frame for clip in clips] == sorted(clip.window.first_frame for clip in clips)


def test_a_prepared_file_is_scored_as_the_file_itself(detector, two, prepared):
    media, stored = detector.examine(two), detector.examine_prepared(prepared)
    assert [(c.window, c.track_id) for c in stored.clips] == [(c.window, c.track_id) for c in media.clips]
    assert stored.detection.score == pytest.approx(media.detection.score, abs=0.02)  # crops lose a little
    assert stored.detection.scores.audio == pytest.approx(media.detection.scores.audio, abs=1e-6)
    assert stored.detection.warnings == media.detection.warnings


def test_other_faces_than_the_weights_read_are_refused(prepared, finder, tmp_path):
    config = Config.parse(load_config("tiny").model_dump() | {"faces": {"size_px": 32, "margin": 0.5}})
    save_model(tmp_path / "wide.safetensors", HashFormer(config.model), config=config, trained=True)
    with Detector(tmp_path / "wide.safetensors") as other, pytest.raises(ConfigError, match=r"margin=0\.25"):
        other.examine_prepared(prepared)


def test_no_prepared_file(detector, tmp_path):
    with pytest.raises(StoreError, match="no prepared file"):
        detector.examine_prepared(tmp_path / "none.mp4")


def test_weights_that_only_hear_score_the_sound_and_say_so(prepared, finder, tmp_path):
    with Detector(variant(tmp_path / "ear.safetensors", modalities=["audio"])) as ear:
        found = ear.examine_prepared(prepared)
    assert {name for clip in found.clips for name in clip.scores} == {"overall", "audio"}
    assert any("read no picture" in warning for warning in found.detection.warnings)
    assert found.detection.score is not None


def test_weights_that_only_see_leave_a_voice_untold(finder, tmp_path, man):
    mute = film(tmp_path / "mute.mp4", man[:16], sound=False)
    with Detector(variant(tmp_path / "eye.safetensors", modalities=["video", "landmarks"])) as eye:
        seen = eye.examine(mute)
    with Detector(variant(tmp_path / "ear.safetensors", modalities=["audio"])) as ear:
        unheard = ear.examine(mute)
    assert {name for clip in seen.clips for name in clip.scores} == {"overall", "video"}
    assert unheard.detection.status == "cannot_tell"
    assert "read no picture" in unheard.detection.reason
    assert [clip.scores for clip in unheard.clips] == [{}] * len(unheard.clips)
