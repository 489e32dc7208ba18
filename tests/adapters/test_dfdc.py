import json

import pytest

from hashformer.data.adapters.dfdc import index, release
from hashformer.data.manifest import Row
from hashformer.errors import ManifestError


def write(root, path, content):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content if isinstance(content, str) else json.dumps(content))


def test_full_with_absent_and_null_originals(tree):
    root = tree()
    part_2 = {"aaa.mp4": {"label": "REAL", "split": "train", "original": None}}
    part_10 = {
        "awnfpubqmo.mp4": {"label": "FAKE", "split": "train", "original": "lnhkjhyhvw.mp4"},
        "lnhkjhyhvw.mp4": {"label": "REAL", "split": "train"},
    }
    write(root, "dfdc_train_part_10/metadata.json", part_10)
    write(root, "dfdc_train_part_2/metadata.json", part_2)
    real = {"label": 0, "video_fake": False, "audio_fake": False, "split": "train", "corpus": "dfdc"}
    folder = "dfdc_train_part_10"
    assert list(index(root)) == [
        Row(path="dfdc_train_part_2/aaa.mp4", groups={"part": "2"}, **real),
        Row(
            path=f"{folder}/awnfpubqmo.mp4",
            label=1,
            method="dfdc",
            split="train",
            original=f"{folder}/lnhkjhyhvw.mp4",
            groups={"part": "10"},
            corpus="dfdc",
        ),
        Row(path=f"{folder}/lnhkjhyhvw.mp4", groups={"part": "10"}, **real),
    ]
    assert release(list(index(root))) == "DFDC full, 2 of 50 training parts"


def test_one_part_as_the_root(tree):
    root = tree()
    write(root, "metadata.json", {"a.mp4": {"label": "REAL", "split": "train"}})
    assert [row.path for row in index(root)] == ["a.mp4"]


def test_the_test_set_by_its_table(tree):
    root = tree("videos/a.mp4", "videos/b.mp4")
    write(root, "labels.csv", "filename,label\na.mp4,0\nb.mp4,1\n")
    assert [(r.path, r.label, r.split, r.video_fake) for r in index(root)] == [
        ("videos/a.mp4", 0, "test", False),
        ("videos/b.mp4", 1, "test", None),
    ]


def test_the_test_set_by_its_metadata_beside_the_training_set(tree):
    root = tree()
    write(root, "dfdc_train_part_0/metadata.json", {"x.mp4": {"label": "REAL", "split": "train"}})
    write(root, "test/metadata.json", {"a.mp4": {"is_fake": 1, "augmentations": {"blur": 1}}})
    rows = list(index(root))
    assert [(r.path, r.label, r.split, dict(r.groups)) for r in rows] == [
        ("dfdc_train_part_0/x.mp4", 0, "train", {"part": "0"}),
        ("test/a.mp4", 1, "test", {"augmentations": "blur"}),
    ]
    assert release(rows) == "DFDC full, 1 of 50 training parts and 1 test videos"


def test_preview_in_a_wrapping_folder(tree):
    root = tree()
    real, fake = "original_videos/643049/643049_A_001.mp4", "method_B/1260311/1260311_C/1255229_1260311_C_001.mp4"
    metadata = {
        real: {"label": "real", "set": "train", "target_id": 643049, "swapped_id": None, "augmentations": []},
        fake: {"label": "fake", "set": "test", "target_id": 1260311, "swapped_id": 1255229, "augmentations": ["fps"]},
    }
    write(root, "dfdc_preview_set/dataset.json", metadata)
    rows = list(index(root))
    assert rows == [
        Row(
            path=f"dfdc_preview_set/{real}",
            label=0,
            video_fake=False,
            audio_fake=False,
            identity_source="643049",
            split="train",
            corpus="dfdc",
        ),
        Row(
            path=f"dfdc_preview_set/{fake}",
            label=1,
            video_fake=True,
            method="method_B",
            identity_source="1255229",
            identity_target="1260311",
            split="test",
            groups={"augmentations": "fps"},
            corpus="dfdc",
        ),
    ]
    assert release(rows) == "DFDC preview, 2 videos"


def test_an_unknown_label_is_refused(tree):
    root = tree()
    write(root, "metadata.json", {"a.mp4": {"label": "MAYBE", "split": "train"}})
    with pytest.raises(ManifestError, match=r"a\.mp4: expected the label 'REAL' or 'FAKE', 0 or 1, got 'MAYBE'"):
        list(index(root))


def test_wrong_columns_are_named(tree):
    root = tree()
    write(root, "labels.csv", "file_name,label\na.mp4,0\n")
    with pytest.raises(ManifestError, match=r"lacks the column 'filename' \(is 'file_name' meant\?\)"):
        list(index(root))


def test_broken_json_is_refused(tree):
    root = tree()
    write(root, "metadata.json", '{"a.mp4": {"label": "REA')
    with pytest.raises(ManifestError, match="is not JSON"):
        list(index(root))
