import pytest

from hashformer.data.adapters.fakeavceleb import index, release
from hashformer.data.manifest import Row
from hashformer.data.splits import identity_drop, leaks
from hashformer.errors import ManifestError

HEADER = "source,target1,target2,method,category,type,race,gender,path,\n"
A, B, C, D = "RealVideo-RealAudio", "RealVideo-FakeAudio", "FakeVideo-RealAudio", "FakeVideo-FakeAudio"
WAV2LIP = "00109_10_id00476_wavtolip.mp4"
BOTH = "00186_id01026_rM4ZERt7oM0_faceswap_id06268_wavtolip.mp4"
LINES = (
    f"id00076,-,-,real,A,{A},African,men,00109.mp4,FakeAVCeleb/{A}/African/men/id00076\n"
    f"id00076,-,-,rtvc,B,{B},African,men,00109_fake.mp4,FakeAVCeleb/{B}/African/men/id00076\n"
    f"id00076,id00476,10,wav2lip,D,{D},African,men,{WAV2LIP},FakeAVCeleb/{D}/African/men/id00076\n"
    f"id01234,id01026,-,faceswap-wav2lip,C,{C},Asian,women,{BOTH},FakeAVCeleb/{C}/Asian (East)/women/id01234\n"
)


def corpus(root, text=HEADER + LINES, name="FakeAVCeleb_v1.2"):
    (root / name).mkdir(exist_ok=True)
    (root / name / "meta_data.csv").write_text(text)
    return root


def test_every_category_and_the_unnamed_column(tree):
    rows = list(index(corpus(tree())))
    base = "FakeAVCeleb_v1.2"
    real = f"{base}/{A}/African/men/id00076/00109.mp4"
    african = {"race": "African", "gender": "men"}
    assert rows == [
        Row(
            path=real,
            label=0,
            video_fake=False,
            audio_fake=False,
            identity_source="id00076",
            groups={"category": "RVRA", **african},
            corpus="fakeavceleb",
        ),
        Row(
            path=f"{base}/{B}/African/men/id00076/00109_fake.mp4",
            label=1,
            video_fake=False,
            audio_fake=True,
            method="rtvc",
            identity_source="id00076",
            original=real,
            groups={"category": "RVFA", **african},
            corpus="fakeavceleb",
        ),
        Row(
            path=f"{base}/{D}/African/men/id00076/{WAV2LIP}",
            label=1,
            video_fake=True,
            audio_fake=True,
            method="wav2lip",
            identity_source="id00076",
            identity_target="id00476",
            original=real,
            groups={"category": "FVFA", **african},
            corpus="fakeavceleb",
        ),
        Row(
            path=f"{base}/{C}/Asian (East)/women/id01234/{BOTH}",
            label=1,
            video_fake=True,
            audio_fake=False,
            method="faceswap-wav2lip",
            identity_source="id01234",
            identity_target="id01026;id06268",
            groups={"category": "FVRA", "race": "Asian", "gender": "women"},
            corpus="fakeavceleb",
        ),
    ]
    assert rows[3].identities == {f"fakeavceleb:{name}" for name in ("id01234", "id01026", "id06268")}
    assert release(rows) == "FakeAVCeleb in part, 1 real and 3 fake listed"


@pytest.mark.parametrize("name", ["Unnamed: 9", "directory"])
def test_the_last_column_may_have_a_name(tree, name):
    rows = list(index(corpus(tree(), HEADER.replace("path,", f"path,{name}") + LINES)))
    assert rows[0].path.endswith("African/men/id00076/00109.mp4")


def test_renamed_folders_are_found_by_their_letters(tree):
    root = corpus(tree(), name="FakeAVCeleb (unpacked)")
    folder = root / "FakeAVCeleb (unpacked)" / C / "Asian-East" / "women" / "id01234"
    folder.mkdir(parents=True)
    assert list(index(root))[3].path == f"FakeAVCeleb (unpacked)/{C}/Asian-East/women/id01234/{BOTH}"


def test_duplicate_lines_count_once_and_contradictions_are_refused(tree, caplog):
    line = LINES.splitlines()[0]
    root = corpus(tree(), HEADER + LINES + line + "\n")
    assert len(list(index(root))) == 4
    assert "1 files are listed twice; each counts once" in caplog.text
    corpus(root, HEADER + LINES + line.replace("men,00109", "women,00109") + "\n")
    with pytest.raises(ManifestError, match="says two different things of"):
        list(index(root))


def test_a_missing_column_is_named_with_the_nearest(tree):
    root = corpus(tree(), HEADER.replace("category", "categories") + LINES)
    with pytest.raises(ManifestError, match=r"lacks the column 'category' \(is 'categories' meant\?\)"):
        list(index(root))
    with pytest.raises(ManifestError, match="lacks the column 'Unnamed: 9'"):
        list(
            index(corpus(root, "source,target1,target2,method,category,type,race,gender,path\na,-,-,real,A,x,y,z,p\n"))
        )


def test_fakes_that_tie_two_splits_are_dropped(tree):
    lines = [
        f"id{i:05},-,-,real,A,{A},African,men,{i:05}.mp4,FakeAVCeleb/{A}/African/men/id{i:05}\n" for i in range(20)
    ] + [
        f"id{i:05},id{j:05},1,wav2lip,C,{C},African,men,{i:05}_1_id{j:05}_wavtolip.mp4,FakeAVCeleb/{C}/African/men/id{i:05}\n"
        for i in range(20)
        for j in (i, (i + 1) % 20)
    ]
    rows = list(index(corpus(tree(), HEADER + "".join(lines))))
    kept = identity_drop(rows, seed=1, fractions=(0.6, 0.2, 0.2))
    assert leaks(kept) == []
    assert len(rows) == 60
    assert {row.split for row in kept} == {"train", "val", "test"}
    assert 40 < len(kept) < 60
