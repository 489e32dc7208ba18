import pytest

from hashformer.data.adapters.deepspeak import index, release
from hashformer.data.manifest import Row
from hashformer.errors import ManifestError

FAKE_HEADER = (
    "video-file,kind,engine,identity-source,identity-target,recording-source,recording-target,audio-config,"
    "gen-config,gesture-type,script-type\n"
)
V2 = {
    "annotations-real.csv": "video-file,identity,recording\n87-0.mp4,87,0\n12-3.mp4,12,3\n",
    "annotations-fake.csv": FAKE_HEADER
    + "diff2lip-3-0-playht.mp4,lip-sync,diff2lip,12,87,3,0,playht,,no-gesture,scripted\n",
    "annotations-split-def.csv": "identity,split\n87,train\n12,train\n",
}
FAKE_V1 = "facefusion--10-11--4100-4897--0.mp4"
V1 = {
    "annotations-real.csv": ",video-file,identity\n0,11-4897.mp4,11\n",
    "annotations-fake.csv": f",video-file,kind\n0,{FAKE_V1},face-swap\n",
    "annotations-split-def.csv": ",identity,split\n0,10,test\n1,11,test\n",
}


def tables(root, texts):
    for name, text in texts.items():
        (root / name).write_text(text)
    return root


def test_version_2(tree):
    root = tables(tree("deepspeak-v2-0/87-0.mp4", "deepspeak-v2-1/diff2lip-3-0-playht.mp4"), V2)
    rows = list(index(root))
    real = {"label": 0, "video_fake": False, "audio_fake": False, "split": "train", "corpus": "deepspeak"}
    assert rows == [
        Row(path="deepspeak-v2-0/87-0.mp4", identity_source="87", **real),
        Row(path="12-3.mp4", identity_source="12", **real),
        Row(
            path="deepspeak-v2-1/diff2lip-3-0-playht.mp4",
            label=1,
            video_fake=True,
            audio_fake=True,
            method="diff2lip",
            identity_source="12",
            identity_target="87",
            split="train",
            original="deepspeak-v2-0/87-0.mp4",
            groups={"kind": "lip-sync", "gesture": "no-gesture", "script": "scripted", "audio": "playht"},
            corpus="deepspeak",
        ),
    ]
    assert release(rows) == "DeepSpeak v2, 2 real and 1 fake listed"


def test_version_1_with_a_leading_index_and_names_only(tree):
    root = tables(tree(f"fakes/{FAKE_V1}", "reals/11-4897.mp4"), V1)
    rows = list(index(root))
    assert rows == [
        Row(
            path="reals/11-4897.mp4",
            label=0,
            video_fake=False,
            audio_fake=False,
            identity_source="11",
            split="test",
            corpus="deepspeak",
        ),
        Row(
            path=f"fakes/{FAKE_V1}",
            label=1,
            video_fake=True,
            method="facefusion",
            identity_source="10",
            identity_target="11",
            split="test",
            original="reals/11-4897.mp4",
            groups={"kind": "face-swap"},
            corpus="deepspeak",
        ),
    ]
    assert release(rows).startswith("DeepSpeak v1 or v1.1")


def test_reals_without_file_names_are_named_by_their_numbers(tree):
    root = tables(tree(), {**V2, "annotations-real.csv": "identity,recording\n87,0\n"})
    assert next(index(root)).path == "87-0.mp4"


@pytest.mark.parametrize("missing", list(V2))
def test_a_missing_table_is_named(tree, missing):
    root = tables(tree(), {name: text for name, text in V2.items() if name != missing})
    with pytest.raises(ManifestError, match=f"lacks '{missing}'"):
        list(index(root))


def test_wrong_columns_and_two_splits_are_refused(tree):
    root = tables(tree(), {**V2, "annotations-fake.csv": "video_file,kind\na.mp4,lip-sync\n"})
    with pytest.raises(ManifestError, match=r"lacks the column 'video-file' \(is 'video_file' meant\?\)"):
        list(index(root))
    tables(root, {**V2, "annotations-split-def.csv": "identity,split\n87,train\n87,test\n"})
    with pytest.raises(ManifestError, match="puts the identity '87' into two splits"):
        list(index(root))
