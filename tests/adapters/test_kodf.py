import pytest

from hashformer.data.adapters.kodf import index, release
from hashformer.data.manifest import Row
from hashformer.errors import ManifestError

HEX_1, HEX_2 = "c9f5c37976afa879c834", "a3a0c332c36e8d6206e9"
REAL = f"original_videos/{HEX_1}/{HEX_1}_022.mp4"
DFL = f"dfl/20200803/{HEX_1}/{HEX_1}_{HEX_2}_1_0064.mp4"
FO = "fo/20201003/176667/176667_176667_4_1120.mp4"
VOICE = "audio-driven/20200820/169273/169273_103564_5_0680.mp4"


def real(path, person, **given):
    return Row(
        path=path,
        label=0,
        video_fake=False,
        audio_fake=False,
        identity_source=person,
        language="ko",
        corpus="kodf",
        **given,
    )


def fake(path, method, target, source, **given):
    return Row(
        path=path,
        label=1,
        video_fake=True,
        audio_fake=False,
        method=method,
        identity_source=source,
        identity_target=target,
        language="ko",
        corpus="kodf",
        **given,
    )


def test_date_folders_and_codes(tree):
    rows = list(index(tree(REAL, DFL, FO, VOICE)))
    assert rows == [
        fake(VOICE, "audio-driven", "169273", "103564"),
        fake(DFL, "dfl", HEX_1, HEX_2),
        fake(FO, "fo", "176667", "176667"),
        real(REAL, HEX_1),
    ]
    assert release(rows) == "KoDF, real 1, dfl 1, fo 1, audio-driven 1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_korean_tables(tree, encoding):
    root = tree(REAL, DFL)
    tables = {
        "원본영상_training_메타데이터.csv": f"영상ID,UUID,인물성별\n{HEX_1}_022.mp4,{HEX_1},남\n",
        "변조영상_validation_메타데이터.csv": "영상ID,타겟영상,타겟UUID,소스UUID,변조모델,인물성별\n"
        f"{HEX_1}_{HEX_2}_1_0064.mp4,{HEX_1}_022.mp4,{HEX_1},{HEX_2},dfl,여\n"
        f"{HEX_2}_{HEX_1}_3_0065.mp4,{HEX_2}_007.mp4,{HEX_2},{HEX_1},fsgan,여\n",
    }
    for name, text in tables.items():
        (root / name).write_text(text, encoding=encoding)
    assert list(index(root)) == [
        fake(DFL, "dfl", HEX_1, HEX_2, split="val", original=REAL, groups={"gender": "female"}),
        real(REAL, HEX_1, split="train", groups={"gender": "male"}),
        fake(
            f"fsgan/{HEX_2}/{HEX_2}_{HEX_1}_3_0065.mp4",
            "fsgan",
            HEX_2,
            HEX_1,
            split="val",
            original=f"original_videos/{HEX_2}/{HEX_2}_007.mp4",
            groups={"gender": "female"},
        ),
    ]


def test_tables_of_the_other_kind(tree):
    root = tree("validate_meta_data/README", REAL)
    (root / "validate_meta_data" / "real.csv").write_text(
        f"folder,folder2,filename,label\n원본,x,{HEX_1}_022.mp4,REAL\n"
    )
    (root / "validate_meta_data" / "fake.csv").write_text(
        "folder,folder2,filename,label\nfo/20201003,176667,176667_176667_4_1120.mp4,FAKE\n"
    )
    assert list(index(root)) == [
        real(REAL, HEX_1, split="val"),
        fake(FO, "fo", "176667", "176667", split="val"),
    ]


def test_the_folders_of_the_portal_give_the_split(tree):
    root = tree(
        f"1.Training/원천데이터/train_변조/dfl1/{HEX_1}/{HEX_1}_{HEX_2}_1_0064.mp4",
        f"2.Validation/원천데이터/validate_원본/원본1/{HEX_1}/{HEX_1}_022.mp4",
        f"1.Training/원천데이터/train_탐지방해/원본영상/01_x/{HEX_1}_022.mp4",
    )
    assert [(row.label, row.split) for row in index(root)] == [(1, "train"), (0, "val")]


def test_wrong_columns_are_named(tree):
    root = tree(REAL)
    (root / "원본영상_training_메타데이터.csv").write_text("영상 ID,UUID\na,b\n", encoding="cp949")
    with pytest.raises(ManifestError, match=r"lacks the column '영상ID' \(is '영상 ID' meant\?\)"):
        list(index(root))


def test_two_films_of_one_name_are_two_rows(tree):
    rows = list(index(tree(REAL, REAL.replace("original_videos", "2.Validation"))))
    assert [(row.path.partition("/")[0], row.split) for row in rows] == [
        ("2.Validation", "val"),
        ("original_videos", ""),
    ]


def test_the_original_is_where_it_lies(tree):
    moved = f"1.Training/원천데이터/원본1/{HEX_1}/{HEX_1}_022.mp4"
    root = tree(moved)
    (root / "변조영상_training_메타데이터.csv").write_text(f"영상ID,타겟영상\n{HEX_1}_{HEX_2}_1_0064,{HEX_1}_022\n")
    assert [(row.path, row.original) for row in index(root)] == [
        (moved, ""),
        (f"dfl/{HEX_1}/{HEX_1}_{HEX_2}_1_0064.mp4", moved),
    ]


def test_another_corpus_is_refused(tree):
    with pytest.raises(ManifestError, match=r"does not look like KoDF\. Expected 'original_videos'"):
        list(index(tree("something/a.mp4")))
