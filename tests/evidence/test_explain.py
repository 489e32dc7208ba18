"""A file explained: the scores of detect, and what they rest on."""

import hashlib
import json

import cv2
import numpy as np
import pytest

from hashformer.evidence import explain, explain_all
from hashformer.media.writer import write_audio
from hashformer.report.document import make_document, to_json
from make_faces import film, speech_like
from make_media import text_named_mp4


@pytest.fixture(scope="module")
def talking(tmp_path_factory, man):
    return film(tmp_path_factory.mktemp("films") / "talking.mp4", man[:24])


@pytest.fixture(scope="module")
def explained(detector, talking):
    return explain(detector, talking)


def test_the_scores_are_those_of_detect(detector, talking, explained):
    plain = detector.detect(talking)
    assert (plain.suspect_clips, plain.card) == ([], None)
    same = {"suspect_clips": [], "card": None, "timings_s": {}}
    assert explained.model_copy(update=same) == plain.model_copy(update=same)
    assert explained.timings_s["evidence"] > 0


def test_maps_have_the_shape_of_the_patches(detector, explained):
    assert 1 <= len(explained.suspect_clips) <= 3
    for clip in explained.suspect_clips:
        assert {(one.stream, one.source) for one in clip.maps} == {("video", "attention"), ("audio", "attention")}
        for one in clip.maps:
            assert np.array(one.values).shape == ((2, 2) if one.stream == "video" else (8, 5))
            assert 0 <= np.min(one.values) <= np.max(one.values) == 1
            assert one.occlusion.score == pytest.approx(clip.score, abs=1e-4)


def test_the_clips_are_the_most_suspect_ones(detector, talking, explained):
    highest = max(answer.scores["overall"] for answer in detector.examine(talking).clips if answer.scores)
    assert explained.suspect_clips[0].score == pytest.approx(highest, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "picture", "sound"),
    [
        ({"where_head": True}, ["attention", "where"], ["attention"]),
        # No answer rests on what the tokens see or hear.
        ({"trace_stride": 8, "evidence": True}, ["traces"], ["attention"]),
        ({"sound_trace_stride": 8}, ["attention"], ["traces"]),
        ({"trace_stride": 8, "sound_trace_stride": 8, "where_head": True}, ["where", "traces"], ["traces"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("silent", [False, True])
def test_a_stream_has_the_maps_that_its_answer_rests_on(tmp_path, finder, man, changes, picture, sound, silent):
    from hashformer.config import load_config
    from hashformer.detector import Detector
    from hashformer.model import HashFormer
    from hashformer.model.weights import save_model

    path = film(tmp_path / "talking.mp4", man[:24], sound=not silent)
    config = load_config("tiny")
    config = config.model_copy(update={"model": config.model.model_copy(update=changes)})
    save_model(tmp_path / "maps.safetensors", HashFormer(config.model), config=config, trained=False)
    with Detector(tmp_path / "maps.safetensors") as detector:
        (clip,) = explain(detector, path, n_clips=1).suspect_clips
    shown = {name: [one.source for one in clip.maps if one.stream == name] for name in ("video", "audio")}
    assert shown == {"video": picture, "audio": [] if silent else sound}
    assert {np.array(one.values).shape for one in clip.maps} == ({(2, 2)} if silent else {(2, 2), (8, 5)})


def test_every_picture_is_a_picture_and_its_hash_is_its_own(explained):
    for clip in explained.suspect_clips:
        shown = [(clip.face_jpeg, clip.face_sha256), (clip.sound_jpeg, clip.sound_sha256)]
        shown += [(one.jpeg, one.picture_sha256) for one in clip.maps]
        for jpeg, sha256 in shown:
            assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[2] == 3
            assert hashlib.sha256(jpeg).hexdigest() == sha256
    for moment in explained.tracks[0].thumbnails:
        assert hashlib.sha256(moment.jpeg).hexdigest() == moment.picture_sha256


def test_the_document_holds_the_maps_and_no_picture(detector, explained):
    text = to_json(make_document([explained], settings=detector.config.model_dump(mode="json")))
    clip = json.loads(text)["files"][0]["suspect_clips"][0]
    assert clip["maps"][0]["picture_sha256"]
    assert not [key for key in (*clip, *clip["maps"][0]) if "jpeg" in key]


def test_sound_alone_has_a_map_of_the_sound(detector, tmp_path):
    write_audio(tmp_path / "voice.wav", speech_like(1.5), sample_rate_hz=16_000)
    found = explain(detector, tmp_path / "voice.wav")
    assert {one.stream for clip in found.suspect_clips for one in clip.maps} == {"audio"}
    assert all(clip.track_id is None and clip.face_jpeg == b"" for clip in found.suspect_clips)


def test_what_cannot_be_told_or_read_has_nothing_to_explain(detector, tmp_path):
    write_audio(tmp_path / "silence.wav", np.zeros(16_000, np.float32), sample_rate_hz=16_000)
    silent, broken = explain_all(detector, [tmp_path / "silence.wav", text_named_mp4(tmp_path / "broken.mp4")])
    assert (silent.status, silent.suspect_clips) == ("cannot_tell", [])
    assert (broken.status, broken.suspect_clips, broken.card) == ("error", [], None)


def test_no_clips_wanted_no_work_done(detector, talking):
    found = explain(detector, talking, n_clips=0)
    assert found.suspect_clips == []
    assert "evidence" not in found.timings_s
    assert found.card is not None
