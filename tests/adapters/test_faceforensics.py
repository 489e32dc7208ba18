import json

import pytest

from hashformer.data.adapters.faceforensics import index, release
from hashformer.data.manifest import Row
from hashformer.data.splits import leaks
from hashformer.errors import ManifestError

SPLITS = {"train": [["071", "054"]], "val": [["720", "672"]], "test": [["953", "974"]]}


def youtube(number, split):
    return Row(
        path=f"original_sequences/youtube/c23/videos/{number}.mp4",
        label=0,
        video_fake=False,
        identity_source=number,
        split=split,
        groups={"compression": "c23", "sequence": "youtube"},
        corpus="faceforensics",
    )


def swapped(method, target, source, split):
    return Row(
        path=f"manipulated_sequences/{method}/c23/videos/{target}_{source}.mp4",
        label=1,
        video_fake=True,
        method=method,
        identity_source=source,
        identity_target=target,
        split=split,
        original=f"original_sequences/youtube/c23/videos/{target}.mp4",
        groups={"compression": "c23", "sequence": method},
        corpus="faceforensics",
    )


def with_splits(root, folder="dataset/splits"):
    (root / folder).mkdir(parents=True)
    for split, pairs in SPLITS.items():
        (root / folder / f"{split}.json").write_text(json.dumps(pairs))
    return root


@pytest.mark.parametrize("folder", ["dataset/splits", "splits"])
def test_pairs_in_both_orders_and_masks_left_out(tree, folder):
    root = with_splits(
        tree(
            "original_sequences/youtube/c23/videos/071.mp4",
            "manipulated_sequences/Deepfakes/c23/videos/071_054.mp4",
            "manipulated_sequences/Deepfakes/masks/videos_of_masks/071_054.mp4",
            "manipulated_sequences/Deepfakes/c23/masks/071_054.mp4",
            "manipulated_sequences/FaceShifter/c23/videos/974_953.mp4",
        ),
        folder,
    )
    rows = list(index(root))
    pairs = [("054", "071", "train"), ("071", "054", "train"), ("672", "720", "val")]
    pairs += [("720", "672", "val"), ("953", "974", "test"), ("974", "953", "test")]
    assert rows == [
        *[youtube(target, split) for target, _, split in pairs],
        *[swapped("Deepfakes", *pair) for pair in pairs],
        *[swapped("FaceShifter", *pair) for pair in pairs],
    ]
    assert leaks(rows) == []
    assert release(rows) == "FaceForensics++, with youtube c23, Deepfakes c23, FaceShifter c23"


def test_actors_are_other_people_than_films_of_the_same_number(tree):
    real = "original_sequences/actors/raw/videos/24__outside_talking_still_laughing.mp4"
    fake = "manipulated_sequences/DeepFakeDetection/raw/videos/24_23__outside_talking_still_laughing__YR5OVD4S.mp4"
    rows = list(index(with_splits(tree(real, fake))))
    assert rows == [
        Row(
            path=real,
            label=0,
            video_fake=False,
            identity_source="actor_24",
            groups={"compression": "raw", "sequence": "actors"},
            corpus="faceforensics",
        ),
        Row(
            path=fake,
            label=1,
            video_fake=True,
            method="DeepFakeDetection",
            identity_source="actor_23",
            identity_target="actor_24",
            original=real,
            groups={"compression": "raw", "sequence": "DeepFakeDetection"},
            corpus="faceforensics",
        ),
    ]


def test_without_the_split_files_no_row_has_a_split(tree):
    rows = list(index(tree("manipulated_sequences/Face2Face/c40/videos/519_515.mp4")))
    assert [(row.split, row.groups["compression"]) for row in rows] == [("", "c40")]
    assert "put {train,val,test}.json into dataset/splits" in release(rows)


def test_renamed_folders_and_odd_names_are_refused(tree):
    root = tree("manipulated_sequences/DeepFakes/c23/videos/519_515.mp4")
    with pytest.raises(ManifestError, match=r"unknown sequence \(is 'Deepfakes' meant\?\)"):
        list(index(root))
    with pytest.raises(ManifestError, match="is 'original_sequence' meant"):
        list(index(tree("x/original_sequence/y.mp4") / "x"))


def test_a_film_that_does_not_tell_who_is_seen_is_refused(tree):
    root = tree("manipulated_sequences/FaceSwap/c23/videos/copy of 519_515.mp4")
    with pytest.raises(ManifestError, match=r"expected one such as '071_054\.mp4'"):
        list(index(root))


def test_a_missing_or_broken_split_file_is_named(tree):
    root = with_splits(tree("original_sequences/youtube/c23/videos/071.mp4"))
    (root / "dataset/splits/val.json").write_text('["720", "672"]')
    with pytest.raises(ManifestError, match=r"val\.json: must be a list of pairs"):
        list(index(root))
    (root / "dataset/splits/val.json").unlink()
    with pytest.raises(ManifestError, match=r"val\.json: cannot be read"):
        list(index(root))
