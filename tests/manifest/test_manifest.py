import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.data.manifest import COLUMNS, FakeSegment, Row, read_manifest, write_manifest
from hashformer.errors import ManifestError

ROWS = [
    Row(
        path="fake/a (1), b.mp4",
        label=1,
        video_fake=True,
        method="dfl",
        identity_source="a",
        identity_target="b;c",
        split="train",
        original="real/ä.mp4",
        language="ko",
        groups={"race": "Asian (East)", "gender": "women"},
        fake_segments=(FakeSegment(0.5, 1.25, "video"), FakeSegment(2, 3)),
        corpus="kodf",
    ),
    Row(path="real/ä.mp4", label=0, video_fake=False, audio_fake=False),
]


def test_what_is_written_is_read_back(tmp_path):
    write_manifest(ROWS, tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv") == ROWS
    header = (tmp_path / "m.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == ",".join([*COLUMNS, "group_gender", "group_race"])


text = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8)


@settings(deadline=None)  # the machine is shared
@given(st.lists(st.tuples(text, text, st.sampled_from([None, True])), max_size=5, unique_by=lambda row: row[0]))
def test_any_text_is_read_back(tmp_path_factory, content):
    rows = [
        Row(path=f"x{i}", label=1, method=method, identity_source=name, video_fake=flag)
        for i, (name, method, flag) in enumerate(content)
    ]
    path = tmp_path_factory.mktemp("any") / "m.csv"
    write_manifest(rows, path)
    assert read_manifest(path) == rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_encodings(tmp_path, encoding):
    (tmp_path / "m.csv").write_text("path,label,method\n영상/가.mp4,1,변조\n", encoding=encoding)
    assert read_manifest(tmp_path / "m.csv") == [Row(path="영상/가.mp4", label=1, method="변조")]


def test_no_encoding_that_is_known(tmp_path):
    (tmp_path / "m.csv").write_bytes(b"path,label\n\xff\xff\xfe.mp4,1\n")
    with pytest.raises(ManifestError, match="neither UTF-8 nor cp949"):
        read_manifest(tmp_path / "m.csv")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "lacks the column 'path', 'label'. Found: nothing"),
        ("pth,label\na,1\n", r"lacks the column 'path' \(is 'pth' meant\?\). Found: 'pth', 'label'"),
        ("path,label,mehtod\na,1,x\n", r"does not know the column 'mehtod' \(is 'method' meant\?\)"),
        ("path,label,label\na,1,1\n", "names 'label' twice"),
        ("path,label\na,1\na,0\nb,1\n", "1 paths are named more than once: 'a'"),
        ("path,label\n../a.mp4,1\n", r"row 2: '\.\./a\.mp4': must lie inside the root"),
        ("path,label\nx/../../a.mp4,1\n", "must lie inside the root"),
        ("path,label\n..\\a.mp4,1\n", "must lie inside the root"),
        ("path,label\n/etc/a.mp4,1\n", "must lie inside the root"),
        ("path,label\nC:\\a.mp4,1\n", "must lie inside the root"),
        ("path,label\n,1\n", "must lie inside the root"),
        ("path,label\na,fake\n", "row 2: label must be 0, 1 or empty, got 'fake'"),
        ("path,label\na,\n", "row 2: has no label"),
        ("path,label,split\na,1,dev\n", "split must be one of 'train', 'val', 'test' or empty, got 'dev'"),
        ("path,label,video_fake\na,0,1\n", "is labelled real, but its picture or sound"),
        ("path,label,fake_segments\na,1,[[1]]\n", "fake_segments must look like"),
        ('path,label,fake_segments\na,1,"[[1, 2, ""lips""]]"\n', "fake_segments must look like"),
        ("path,label\na,1,x,y\n", "line 2: has 4 values, the header names 2 columns"),
    ],
)
def test_what_a_manifest_may_not_hold(tmp_path, content, why):
    (tmp_path / "m.csv").write_text(content)
    with pytest.raises(ManifestError, match=why):
        read_manifest(tmp_path / "m.csv")


def test_a_label_of_two_is_refused():
    with pytest.raises(ManifestError, match="label must be 0"):
        Row(path="a", label=2)


def test_duplicates_are_not_written(tmp_path):
    with pytest.raises(ManifestError, match="named more than once"):
        write_manifest([ROWS[0], ROWS[0]], tmp_path / "m.csv")
    assert not (tmp_path / "m.csv").exists()


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.csv"
    write_manifest(ROWS, path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hashformer.data.manifest.write_rows", full)
    with pytest.raises(ManifestError, match="cannot be written: No space left on device"):
        write_manifest(ROWS[:1], path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(ManifestError, match="cannot be read: No such file"):
        read_manifest(tmp_path / "m.csv")
