"""A table of clips from many sources: what belongs together, who is in which file, what was made of what."""

import pytest

from hashformer.data.adapters.clip_table import index, release
from hashformer.data.manifest import Row
from hashformer.data.splits import identity_disjoint, leaks
from hashformer.errors import ManifestError

HEADER = "path,split,label,video_fake,audio_fake,kind,identity,pair,width,has_audio,source_repository"


def table(tmp_path, *lines, header=HEADER):
    (tmp_path / "clips.csv").write_text("\n".join([header, *lines]) + "\n")
    return {row.path: row for row in index(tmp_path)}


def test_every_column_finds_its_place(tmp_path):
    rows = table(
        tmp_path,
        "train\\real\\a.mp4,train,real,,,news,anchor,p1,256,1,lab/news",
        "dev/fake/b.mp4,dev,fake,1,,swapper,anchor,p1,256,1,lab/news",
        "dev/fake/c.wav,dev,fake,,1,talker,,,,1,",
    )
    assert rows["train/real/a.mp4"] == Row(
        path="train/real/a.mp4",
        label=0,
        video_fake=False,
        audio_fake=False,
        identity_source="anchor",
        split="train",
        groups={"kind": "news", "source": "lab/news"},
        corpus="news",
    )
    assert rows["dev/fake/b.mp4"] == Row(
        path="dev/fake/b.mp4",
        label=1,
        video_fake=True,
        method="swapper",
        identity_source="anchor",
        split="val",
        original="train/real/a.mp4",
        groups={"kind": "swapper", "source": "lab/news"},
        corpus="news",
    )
    # A fake from nowhere stands for itself, and nothing is claimed of a picture that is not there.
    assert (rows["dev/fake/c.wav"].corpus, rows["dev/fake/c.wav"].identity_source) == ("talker", "talker")
    assert (rows["dev/fake/c.wav"].video_fake, rows["dev/fake/c.wav"].audio_fake) == (None, True)
    assert release(list(rows.values())) == "a table of 1 real and 2 fake clips from 2 sources"


def test_a_corpus_is_what_shares_a_source_or_a_kind_of_real_clips(tmp_path):
    rows = table(
        tmp_path,
        *("a.mp4,,real,,,GRID,,,,,lab/one", "b.mp4,,real,,,GRID,,,,,lab/two", "c.mp4,,fake,,,swap,,,,,lab/two"),
        *("d.mp4,,fake,,,swap,,,,,lab/three", "e.mp4,,real,,,studio,,,,,lab/four", "f.mp4,,real,,,office,,,,,lab/four"),
        *("g.mp4,,real,,,studio,,,,,lab/four", "h.mp4,,fake,,,GRID,,,,,lab/five"),
    )
    assert {path: row.corpus for path, row in rows.items()} == {
        **dict.fromkeys(["a.mp4", "b.mp4", "c.mp4", "h.mp4"], "GRID"),
        "d.mp4": "lab/three",  # the same generator alone ties nothing
        **dict.fromkeys(["e.mp4", "f.mp4", "g.mp4"], "studio"),
    }


def test_who_is_nobody_known(tmp_path):
    rows = table(
        tmp_path,
        *("a.mp4,,real,,,GRID,,,,,g", "b.mp4,,real,,,GRID,,,,,g", "c.mp4,,real,,,TalkVid,,,,,t"),
        *("d.mp4,,real,,,TalkVid,,,,,t", "e.mp4,,real,,,TalkVid,she,,,,t"),
    )
    assert [row.identity_source for row in rows.values()] == ["GRID", "GRID", "c.mp4", "d.mp4", "she"]
    # A corpus of people without names is never torn, so that nobody can be on both sides.
    split = identity_disjoint(list(rows.values()), seed=0, fractions=(0.5, 0.5, 0.0))
    assert leaks(split) == []
    assert len({row.split for row in split if row.corpus == "GRID"}) == 1
    every = {row.path: row.identity_source for row in index(tmp_path, person_a_file=("GRID",))}
    assert (every["a.mp4"], every["d.mp4"]) == ("a.mp4", "TalkVid")


def test_originals_by_pair_and_by_name(tmp_path):
    rows = table(
        tmp_path,
        *("real/0.mp4,,real,,,lips,he,,,,l", "real/1.mp4,,real,,,lips,he,,,,l", "fake/0.mp4,,fake,,,wav,he,,,,l"),
        *("x/1.mp4,,fake,,,wav,she,,,,l", "y/1.mp4,,fake,,,wav,,,,,l"),  # another person, nobody
        *("q.mp4,,real,,,two,,p,,,m", "r.mp4,,real,,,two,,p,,,m", "s.mp4,,fake,,,wav,,p,,,m"),  # which of the two?
    )
    assert {path: row.original for path, row in rows.items() if row.original} == {"fake/0.mp4": "real/0.mp4"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a.mp4,train,genuine,,,x,,,,,", "row 2: label must be real or fake, 0 or 1, got 'genuine'"),
        ("a.mp4,train,real,,,,,,,,", "row 2: has no kind"),
        ("a.mp4,later,real,,,x,,,,,", "row 2: unknown split 'later'"),
        ("a.mp4,train,real,maybe,,x,,,,,", "row 2: video_fake must be 0, 1 or empty"),
        ("../a.mp4,train,real,,,x,,,,,", "row 2: .*must lie inside the root"),
    ],
)
def test_what_a_table_may_not_hold(tmp_path, line, why):
    with pytest.raises(ManifestError, match=why):
        table(tmp_path, line)


def test_which_table_is_meant(tmp_path):
    with pytest.raises(ManifestError, match=r"expected a CSV with the columns 'path', 'label', 'kind'; found nothing"):
        list(index(tmp_path))
    (tmp_path / "other.csv").write_text("path,label\na.mp4,real\n")
    assert table(tmp_path, "a.mp4,,real,,,x,,,,,").keys() == {"a.mp4"}
    (tmp_path / "more.csv").write_text("path,label,kind\na.mp4,real,x\n")
    with pytest.raises(ManifestError, match=r"holds 2 tables: 'clips\.csv', 'more\.csv'"):
        list(index(tmp_path))
    assert [row.path for row in index(tmp_path / "more.csv")] == ["a.mp4"]


@pytest.mark.shared_data
def test_the_shared_clips_are_read(shared_data):
    rows = list(index(shared_data))
    assert {row.split for row in rows} == {"train", "val"}
    assert leaks(rows) == []
    assert all(row.original for row in rows if row.method in {"AVLips lip-sync fake", "Wav2Lip of a real video"})
    lips = [row for row in rows if row.method == "Wav2Lip-GAN"]
    assert {row.corpus for row in lips} == {"lipreading.org"}
