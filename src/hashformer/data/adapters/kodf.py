"""KoDF, the Korean deepfake corpus, as its files are named and, where there, as its tables say."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from hashformer.data.adapters.layout import SPLIT_NAMES, VIDEO_SUFFIXES, locate, media_files, relative, subfolders
from hashformer.data.manifest import Row
from hashformer.data.tables import read_table, require_columns
from hashformer.errors import ManifestError

CORPUS = "kodf"
METHODS = {"1": "dfl", "2": "dffs", "3": "fsgan", "4": "fo", "5": "audio-driven"}
FOLDERS = ("original_videos", *METHODS.values())
PERSON = r"(?:\d{6}|[0-9a-f]{20}|[0-9A-Za-z-]{8,})"
REAL = re.compile(rf"(?P<source>{PERSON})_(?P<take>\d+)\.mp4")
FAKE = re.compile(rf"(?P<target>{PERSON})_(?P<source>{PERSON})_(?P<code>[1-5])_(?P<number>\d+)\.mp4")
NAME, PERSON_ID, GENDER = "영상ID", "UUID", "인물성별"
TARGET_FILM, TARGET_ID, SOURCE_ID, MODEL = "타겟영상", "타겟UUID", "소스UUID", "변조모델"
REAL_TABLE, FAKE_TABLE = "원본영상", "변조영상"
SPLIT_WORDS = {**SPLIT_NAMES, "1.training": "train", "2.validation": "val"}
DISTURBED = "탐지방해"
"""Part of the name of folders with films that were treated to hinder detection: a corpus of its own."""
GENDERS = {"남": "male", "남성": "male", "남자": "male", "여": "female", "여성": "female", "여자": "female"}


def index(root: Path) -> Iterator[Row]:
    """Yield every film, found by its name, with what the metadata tables add.

    Names: reals `<person>_<take>.mp4`; fakes `<target>_<source>_<code>_<number>.mp4`, the code being the
    method, below `{audio-driven,dffs,dfl,fo,fsgan}/<date>/<target>/`. The portal's folders differ by round
    of download (`1.Training`, `train_dfl`), so that a film is known by its name, wherever it lies.
    Tables, if any: `원본영상_*` and `변조영상_*메타데이터.csv` (UTF-8 or cp949) and `{real,fake}.csv` with the
    columns folder, folder2, filename, label. They give the split, gender, original and method; which columns
    they have is uncertain, so that only the name of the film is required. Without tables the names of folders
    give the split, if they do. Audio-driven fakes carry real speech: `audio_fake` is False throughout.

    Raises:
        ManifestError: If neither the folders nor a table is there, or a table lacks the name of the film.
    """
    tables = _tables(root)
    if not tables and not _has_films(root):
        locate(root, FOLDERS, "KoDF")
    films = [path for path in media_files(root, VIDEO_SUFFIXES) if DISTURBED not in str(path)]
    listed: dict[str, Mapping[str, str]] = {}
    for table in tables:
        listed.update(_read(table))
    where: dict[str, str] = {}
    for path in films:
        where.setdefault(path.name, relative(path, root))
    for path in films:
        if path.name in listed or REAL.fullmatch(path.name) or FAKE.fullmatch(path.name):
            yield _row(path.name, relative(path, root), listed.get(path.name, {}), where)
    for name in (name for name in listed if name not in where):
        yield _row(name, _expected_path(name, listed[name]), listed[name], where)


def _has_films(root: Path) -> bool:
    if not root.is_dir():
        return False
    folders = {name for folder in [root, *subfolders(root)] for name in (sub.name for sub in subfolders(folder))}
    return bool(folders & {*FOLDERS, "1.Training", "2.Validation"})


def _tables(root: Path) -> list[Path]:
    every = sorted(root.rglob("*.csv")) if root.is_dir() else []
    return [p for p in every if p.name.startswith((REAL_TABLE, FAKE_TABLE)) or p.name in {"real.csv", "fake.csv"}]


def _read(path: Path) -> dict[str, Mapping[str, str]]:
    """Lines of a table by file name, with the split that the names of the table and its folder tell."""
    table = read_table(path)
    column = NAME if path.name.startswith((REAL_TABLE, FAKE_TABLE)) else "filename"
    require_columns(path, list(table[0]) if table else (), (column,))
    split = _split_in((*path.parts[-2:-1], path.stem))
    is_fake = str(int(path.name.startswith((FAKE_TABLE, "fake"))))
    found: dict[str, Mapping[str, str]] = {}
    for line in table:
        name = line[column] if line[column].endswith(".mp4") else f"{line[column]}.mp4"
        said = {"split": split, "is_fake": is_fake, **{key: value for key, value in line.items() if key != "label"}}
        if found.setdefault(name, said) != said:
            raise ManifestError(f"{path}: says two different things of {name!r}. Keep one line.")
    return found


def _split_in(names: Sequence[str]) -> str:
    words = [word for name in names for word in [name.lower(), *re.split(r"[_\-\[\] ]", name.lower())]]
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), "")


def _expected_path(name: str, record: Mapping[str, str]) -> str:
    """Where a film that is listed but not on disk should be; the date of a fake is not known."""
    folders = [record.get(column, "") for column in ("folder", "folder2")]
    match = FAKE.fullmatch(name)
    if not any(folders):
        person = name.partition("_")[0]
        folders = [METHODS[match["code"]] if match else record.get(MODEL) or "original_videos", person]
    return PurePosixPath(*(folder for folder in folders if folder), name).as_posix()


def _row(name: str, path: str, record: Mapping[str, str], where: Mapping[str, str]) -> Row:
    fake, real = FAKE.fullmatch(name), REAL.fullmatch(name)
    is_fake = record["is_fake"] == "1" if record else fake is not None
    gender = record.get(GENDER, "")
    method = (METHODS[fake["code"]] if fake else record.get(MODEL) or "unknown") if is_fake else "real"
    target = record.get(TARGET_ID) or (fake["target"] if fake else "")
    source = record.get(SOURCE_ID if is_fake else PERSON_ID) or (fake or real or {"source": ""})["source"]
    film = record.get(TARGET_FILM, "")
    original = f"{film.removesuffix('.mp4')}.mp4" if film else ""
    return Row(
        path=path,
        label=int(is_fake),
        video_fake=is_fake,
        audio_fake=False,
        method=method,
        identity_source=source,
        identity_target=target if is_fake else "",
        split=record.get("split", "") or _split_in(PurePosixPath(path).parts[:-1]),
        original=(where.get(original) or _expected_path(original, {})) if original else "",
        language="ko",
        groups={"gender": GENDERS.get(gender, gender)} if gender else {},
        corpus=CORPUS,
    )


def release(rows: Sequence[Row]) -> str:
    """Which release the rows look like."""
    counts = {name: sum(row.method == name for row in rows) for name in ("real", *METHODS.values())}
    return "KoDF, " + ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
