import pytest

from hashformer.data.doctor import diagnose
from hashformer.errors import ManifestError
from make_media import cut_bytes, text_named_mp4


def test_every_kind_of_trouble(corpus, clip, silent_start):
    root = corpus(clip, "real/good (1).mp4", "fake/same.mp4", "unlisted/new.mp4")
    corpus(silent_start, "real/other.wav")
    text_named_mp4(root / "fake/text.mp4")
    cut_bytes(clip, root / "fake/cut.mp4", keep=0.3)
    (root / "fake/empty.mp4").touch()
    names = ["real/good (1).mp4", "real/other.wav", "gone/x.mp4"]
    names += [f"fake/{name}.mp4" for name in ("same", "text", "cut", "empty")]
    lines = [f"{name},{'fake' if name.startswith('fake') else 'real'}" for name in names]
    (root / "list.csv").write_text("\n".join(["path,label", *lines]))
    told = []
    found = diagnose("folder", root, workers=2, progress=lambda done, total: told.append((done, total)))
    assert found.n_rows == 7
    assert found.missing == ("gone/x.mp4",)
    assert found.extra == ("unlisted/new.mp4",)
    assert found.zero_byte == ("fake/empty.mp4",)
    assert sorted(found.corrupt) == ["fake/cut.mp4", "fake/text.mp4"]
    assert all(why and str(root) not in why for why in found.corrupt.values())
    assert found.duplicates == (("real/good (1).mp4", "fake/same.mp4"),)
    assert not found.healthy
    assert told == [(5, 5)]
    assert [line.split(" ", 1)[0] for line in found.advice] == ["1", "3", "1", "1", "1"]
    assert "the folders 'gone' are not there" in found.advice[0]
    assert "labelled both real and fake" in found.advice[-1]


def test_quick_opens_nothing(corpus, clip):
    root = corpus(clip, "real/a.mp4")
    text_named_mp4(root / "real/b.mp4")
    found = diagnose("folder", root, probing=False)
    assert (found.corrupt, found.probed, found.healthy, found.advice) == ({}, False, True, ())


def test_files_that_are_no_samples_are_not_extra(corpus, clip):
    root = corpus(
        clip,
        "manipulated_sequences/Deepfakes/c23/videos/071_054.mp4",
        "manipulated_sequences/Deepfakes/c23/masks/videos/071_054.mp4",
    )
    found = diagnose("faceforensics", root)
    assert (found.n_rows, found.extra, found.duplicates) == (1, (), ())
    assert "without the official splits" in found.release


def test_another_corpus_is_recognised(corpus, clip):
    root = corpus(clip, "DeepfakeTIMIT/higher_quality/fadg0/sa1-video-fram1.avi")
    with pytest.raises(ManifestError, match=r"does not look like KoDF.*It looks like dftimit\."):
        diagnose("kodf", root)


def test_nothing_unpacked(corpus, clip):
    root = corpus(clip, "real/notes.txt")
    with pytest.raises(ManifestError, match=r"holds no file of folder\. Was it unpacked\?"):
        diagnose("folder", root)


def test_a_path_that_is_listed_twice(corpus, clip):
    root = corpus(clip, "a.mp4")
    (root / "list.csv").write_text("path,label\na.mp4,real\na.mp4,fake\n")
    with pytest.raises(ManifestError, match=r"named more than once: 'a\.mp4'"):
        diagnose("folder", root)
