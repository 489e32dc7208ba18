import pytest

from hashformer.data.adapters import ADAPTERS, adapter, looks_like
from hashformer.data.adapters.folder import index, release
from hashformer.data.manifest import Row, write_manifest
from hashformer.errors import ManifestError


def test_real_and_fake_folders_with_methods_and_splits(tree):
    root = tree("train/real/a (1).mp4", "train/fake/wav2lip/b c.mp4", "dev/FAKE/d.wav", "train/real/notes.txt")
    rows = list(index(root))
    assert rows == [
        Row(path="dev/FAKE/d.wav", label=1, method="fake", split="val", corpus="folder"),
        Row(path="train/fake/wav2lip/b c.mp4", label=1, method="wav2lip", split="train", corpus="folder"),
        Row(path="train/real/a (1).mp4", label=0, split="train", corpus="folder"),
    ]
    assert release(rows) == "a folder of 1 real and 2 fake files"


def test_a_table_with_words_for_labels(tree):
    root = tree()
    (root / "list.csv").write_text(
        "path,split,label,video_fake,audio_fake,kind,identity,width,group_age\n"
        "dev/b.flac,dev,fake,,1,VITS,vctk_01,,old\n"
        "train\\a.mp4,train,real,0,0,GRID,s1,360,\n",
        encoding="utf-8-sig",
    )
    expected = [
        Row(
            path="dev/b.flac",
            label=1,
            audio_fake=True,
            method="VITS",
            identity_source="vctk_01",
            split="val",
            groups={"kind": "VITS", "age": "old"},
            corpus="folder",
        ),
        Row(
            path="train/a.mp4",
            label=0,
            video_fake=False,
            audio_fake=False,
            identity_source="s1",
            split="train",
            groups={"kind": "GRID"},
            corpus="folder",
        ),
    ]
    assert list(index(root)) == expected
    assert list(index(root / "list.csv")) == expected


def test_a_manifest_of_our_own_is_read_as_it_is(tmp_path):
    rows = [Row(path="a.mp4", label=1, method="wav2lip", corpus="kodf", identity_target="x")]
    write_manifest(rows, tmp_path / "m.csv")
    assert list(index(tmp_path)) == rows


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("path,labels\na.mp4,real\n", r"lacks the column 'label' \(is 'labels' meant\?\)"),
        ("path,label\na.mp4,bonafide\n", "row 2: label must be real or fake, 0 or 1, got 'bonafide'"),
        ("path,label\n../a.mp4,real\n", "must lie inside the root"),
        ("path,label,audio_fake\na.mp4,real,1\n", "is labelled real, but"),
        ("path,label,audio_fake\na.mp4,real,maybe\n", "row 2: audio_fake must be 0, 1 or empty"),
        ("path,label,split\na.mp4,real,held\n", "row 2: unknown split 'held'"),
    ],
)
def test_what_a_table_may_not_hold(tmp_path, text, why):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ManifestError, match=why):
        list(index(tmp_path / "list.csv"))


def test_neither_tables_nor_folders(tree):
    root = tree("reals/a.mp4")
    with pytest.raises(ManifestError, match=r"the folders 'real' and 'fake' \(is 'reals' meant\?\); found 'reals'"):
        list(index(root))
    with pytest.raises(ManifestError, match="does not exist"):
        list(index(root / "nowhere"))
    for name in ("a.csv", "b.csv"):
        (root / name).write_text("path,label\na.mp4,real\n")
    with pytest.raises(ManifestError, match=r"holds 2 tables: 'a\.csv', 'b\.csv'"):
        list(index(root))


def test_the_registry(tree):
    assert set(ADAPTERS) == {
        *("dftimit", "dfdc", "fakeavceleb", "kodf", "deepspeak", "faceforensics", "asvspoof2019"),
        *("lavdf", "avdeepfake1m", "clip-table", "folder"),
    }
    with pytest.raises(ManifestError, match=r"unknown corpus 'fakeavcelb' \(is 'fakeavceleb' meant\?\)"):
        adapter("fakeavcelb")
    assert looks_like(tree("DeepfakeTIMIT/higher_quality/fadg0/sa1-video-fram1.avi")) == ["dftimit"]


@pytest.mark.parametrize("name", [name for name in ADAPTERS if name != "folder"])
def test_every_adapter_refuses_an_empty_and_a_missing_root(tmp_path, name):
    with pytest.raises(ManifestError, match="found nothing"):
        list(ADAPTERS[name].index(tmp_path))
    with pytest.raises(ManifestError, match="does not exist"):
        list(ADAPTERS[name].index(tmp_path / "nowhere"))


def test_linked_folders_are_entered_once(tree):
    root = tree("disk/b.mp4", "corpus/real/a.mp4", "corpus/real/.hidden/c.mp4")
    (root / "corpus/real/far").symlink_to(root / "disk", target_is_directory=True)
    (root / "disk/round").symlink_to(root / "corpus/real", target_is_directory=True)
    assert [row.path for row in index(root / "corpus")] == ["real/a.mp4", "real/far/b.mp4"]


def test_a_manifest_of_our_own_does_not_hide_the_folders(tree):
    root = tree("real/a.mp4", "fake/b.mp4")
    write_manifest([Row(path="real/a.mp4", label=0)], root / "m.csv")
    assert [row.path for row in index(root)] == ["fake/b.mp4", "real/a.mp4"]
    (root / "list.csv").write_text("path,label\nreal/a.mp4,real\n")
    assert [row.path for row in index(root)] == ["real/a.mp4"]
