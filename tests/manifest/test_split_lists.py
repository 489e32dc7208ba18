import pytest

from hashformer.data.manifest import Row
from hashformer.data.split_lists import from_file
from hashformer.errors import ManifestError

BASE = "FakeAVCeleb_v1.2/RealVideo-RealAudio/African/men"
ROWS = [
    Row(path=f"{BASE}/id{i:05}/001.mp4", label=0, identity_source=f"id{i:05}", corpus="fakeavceleb") for i in range(5)
]


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def splits(done):
    return {row.identity_source: row.split for row in done.rows}


def test_a_table_of_paths_that_start_elsewhere(tmp_path):
    ours = "FakeAVCeleb/RealVideo-RealAudio/African/men"
    text = f"source,full_path,split\nid00000,{ours}/id00000/001.mp4,train\nid00001,{ours}/id00001/001.mp4,dev\n"
    text += f"id00009,{ours}/id00009/001.mp4,test\n"
    done = from_file(ROWS, written(tmp_path / "s.csv", text))
    assert splits(done) == {"id00000": "train", "id00001": "val"}
    assert (done.n_unlisted, done.unknown) == (3, [f"{ours}/id00009/001.mp4"])


def test_a_folder_stands_for_its_files(tmp_path):
    text = f"path,split\n{BASE}/id00003,test\nFakeAVCeleb_v1.2/RealVideo-RealAudio/African/men/id00004/001.mp4,train\n"
    assert splits(from_file(ROWS, written(tmp_path / "s.csv", text))) == {"id00003": "test", "id00004": "train"}


def test_a_list_for_each_split(tmp_path):
    written(tmp_path / "lists" / "train_split.csv", f"source,category,full_path\nid00000,A,{BASE}/id00000/001.mp4\n")
    written(tmp_path / "lists" / "test.txt", f"{BASE}/id00001/001.mp4 0\n\n")
    written(tmp_path / "lists" / "README.txt", "words")
    assert splits(from_file(ROWS, tmp_path / "lists")) == {"id00000": "train", "id00001": "test"}
    assert splits(from_file(ROWS, tmp_path / "lists" / "train_split.csv")) == {"id00000": "train"}


def test_people_to_train_on(tmp_path):
    done = from_file(ROWS, written(tmp_path / "train_1.txt", "source,path\nid00001\nid00003,x\nid00077\n"))
    assert splits(done) == {
        "id00000": "test",
        "id00001": "train",
        "id00002": "test",
        "id00003": "train",
        "id00004": "test",
    }
    assert (done.n_unlisted, done.unknown) == (0, ["id00077"])


def test_folds(tmp_path):
    path = written(tmp_path / "f.csv", "path,fold\n" + "".join(f"{r.path},{i % 3}\n" for i, r in enumerate(ROWS)))
    assert [row.split for row in from_file(ROWS, path, fold=1).rows] == ["train", "test", "train", "train", "test"]
    with pytest.raises(ManifestError, match=r"holds the folds '0', '1', '2'\. Choose the one to test on with --fold"):
        from_file(ROWS, path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("path,spilt\na,train\n", r"lacks the column 'split' \(is 'spilt' meant\?\)"),
        ("name,split\na,train\n", "lacks the column 'path'"),
        ("path,split\nother/id00000/9.mp4,train\n", "names no file of this corpus, but 'other/id00000/9.mp4'"),
        ("path,split\nz/001.mp4,train\n", "names no file of this corpus"),
        (f"path,split\n{BASE}/id00000/001.mp4,train\n{BASE}/id00000,test\n", "into train and test. Keep one"),
        ("path,split\na,held\n", "unknown split 'held'"),
    ],
)
def test_what_a_list_may_not_hold(tmp_path, text, why):
    with pytest.raises(ManifestError, match=why):
        from_file(ROWS, written(tmp_path / "s.csv", text))


def test_a_folder_without_lists(tmp_path):
    written(tmp_path / "lists" / "notes.txt", "words")
    with pytest.raises(ManifestError, match=r"expected files such as train\.csv and test\.csv, found 'notes"):
        from_file(ROWS, tmp_path / "lists")
