"""The two corpora that say which seconds are fake."""

import json

import pytest

from hashformer.data.adapters import avdeepfake1m, lavdf
from hashformer.data.manifest import FakeSegment, Row
from hashformer.errors import ManifestError

LAVDF = [
    {"file": "train/a.mp4", "n_fakes": 0, "fake_periods": [], "original": None, "modify_video": False}
    | {"modify_audio": False, "split": "train"},
    {"file": "dev/b.mp4", "n_fakes": 1, "fake_periods": [[1.5, 2.25]], "original": "dev/r.mp4", "modify_video": True}
    | {"modify_audio": False, "split": "dev"},
    {"file": "test/c.mp4", "n_fakes": 1, "fake_periods": [[0, 0.5]], "original": "test/r.mp4", "modify_video": True}
    | {"modify_audio": True, "split": "test"},
]
AV1M = [
    {"file": "id04150/abc/00096/real.mp4", "original": None, "split": "train", "modify_type": "real"}
    | {"audio_model": "", "fake_segments": [], "audio_fake_segments": [], "visual_fake_segments": []},
    {"file": "id04150/abc/00096/fake.mp4", "original": "id04150/abc/00096/real.mp4", "split": "train"}
    | {"modify_type": "both_modified", "audio_model": "vits", "fake_segments": [[1, 2]]}
    | {"audio_fake_segments": [[1, 2]], "visual_fake_segments": [[1, 1.9]]},
]


def write(root, name, content):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(content))
    return root


def test_lavdf(tree):
    rows = list(lavdf.index(write(tree(), "LAV-DF/metadata.min.json", LAVDF)))
    assert rows == [
        Row(path="LAV-DF/train/a.mp4", label=0, video_fake=False, audio_fake=False, split="train", corpus="lavdf"),
        Row(
            path="LAV-DF/dev/b.mp4",
            label=1,
            video_fake=True,
            audio_fake=False,
            method="video",
            split="val",
            original="LAV-DF/dev/r.mp4",
            fake_segments=(FakeSegment(1.5, 2.25, "video"),),
            corpus="lavdf",
        ),
        Row(
            path="LAV-DF/test/c.mp4",
            label=1,
            video_fake=True,
            audio_fake=True,
            method="video-and-audio",
            split="test",
            original="LAV-DF/test/r.mp4",
            fake_segments=(FakeSegment(0, 0.5, ""),),
            corpus="lavdf",
        ),
    ]
    assert lavdf.release(rows) == "LAV-DF, 1 real and 2 fake listed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"modify_vidoe": True}, "lacks the field 'modify_video'"),
        ({"modify_video": True, "fake_periods": [3]}, "fake_periods must be pairs of seconds"),
        ({"modify_video": True, "fake_periods": [[2, 1]]}, r"a fake segment from 2\.0 to 1\.0 s is none"),
        ({"modify_video": True, "split": "holdout"}, "unknown split 'holdout'"),
    ],
)
def test_lavdf_refuses(tree, change, why):
    record = {name: value for name, value in LAVDF[0].items() if name != "modify_video"} | change
    with pytest.raises(ManifestError, match=why):
        list(lavdf.index(write(tree(), "metadata.min.json", [record])))


def test_lavdf_must_be_a_list(tree):
    with pytest.raises(ManifestError, match="must be a list of records"):
        list(lavdf.index(write(tree(), "metadata.min.json", {"a": 1})))


def test_avdeepfake1m(tree):
    root = write(tree(), "train_metadata.json", AV1M)
    write(root, "val_metadata.json", [AV1M[0] | {"split": "val", "file": "id00012/x/real.mp4"}])
    rows = list(avdeepfake1m.index(root))
    real = {"label": 0, "video_fake": False, "audio_fake": False, "corpus": "avdeepfake1m"}
    assert rows == [
        Row(path="train/id04150/abc/00096/real.mp4", identity_source="id04150", split="train", **real),
        Row(
            path="train/id04150/abc/00096/fake.mp4",
            label=1,
            video_fake=True,
            audio_fake=True,
            method="both_modified",
            identity_source="id04150",
            split="train",
            original="train/id04150/abc/00096/real.mp4",
            groups={"audio_model": "vits"},
            fake_segments=(FakeSegment(1, 1.9, "video"), FakeSegment(1, 2, "audio")),
            corpus="avdeepfake1m",
        ),
        Row(path="val/id00012/x/real.mp4", identity_source="id00012", split="val", **real),
    ]
    assert avdeepfake1m.release(rows) == "AV-Deepfake1M, train 2, val 1"


def test_avdeepfake1m_without_segments_by_modality(tree):
    record = {name: value for name, value in AV1M[1].items() if "_fake_" not in name}
    rows = list(avdeepfake1m.index(write(tree(), "train_metadata.json", [record])))
    assert rows[0].fake_segments == (FakeSegment(1, 2, ""),)


def test_avdeepfake1m_refuses(tree):
    root = write(tree(), "train_metadata.json", [AV1M[0] | {"modify_type": "lips"}])
    with pytest.raises(ManifestError, match="unknown modify_type 'lips'"):
        list(avdeepfake1m.index(root))
    write(root, "train_metadata.json", [AV1M[1] | {"audio_fake_segments": [1, 2]}])
    with pytest.raises(ManifestError, match="must be pairs of seconds"):
        list(avdeepfake1m.index(root))
