"""DeepSpeak v1, v1.1 and v2: people before their webcams, and fakes of them by several engines."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hashformer.data.adapters.layout import VIDEO_SUFFIXES, by_name, locate, media_files, split_name, text_of
from hashformer.data.manifest import Row
from hashformer.data.tables import read_table, require_columns
from hashformer.errors import ManifestError

CORPUS = "deepspeak"
REAL, FAKE, SPLIT = "annotations-real.csv", "annotations-fake.csv", "annotations-split-def.csv"
FAKE_V1 = re.compile(r"(?P<engine>[^-]+)--(?P<source>\d+)-(?P<target>\d+)--(?P<recording_s>\d+)-(?P<recording_t>\d+)")
REAL_NAME = re.compile(r"(?P<identity>\d+)-(?P<recording>\d+)")
ENGINES_V2 = frozenset({"diff2lip", "hellomeme", "latentsync", "liveportrait", "memo"})
VOICES = frozenset({"elevenlabs", "playht", "speechify"})
"""Speech synthesisers; any other value of `audio-config` leaves it unknown whether the sound is forged."""
REAL_SOUND = frozenset({"real", "original", "recorded", "natural"})


def index(root: Path) -> Iterator[Row]:
    """Yield the reals, then the fakes, in the order of their tables.

    Expected: `annotations-real.csv`, `annotations-fake.csv` and `annotations-split-def.csv` (`identity,split`)
    and the unpacked films, at any depth: the archives differ. A leading index column without a name is
    skipped. The columns of the reals and of v1 are uncertain; what is missing is read from the file names
    (`<identity>-<recording>.mp4`, `<engine>--<source>-<target>--<recordings>--<n>.mp4`). The split of a fake
    is that of the person seen, the target, and without one that of the source.

    Raises:
        ManifestError: If a table is missing, a row names no film, or an identity has two splits.
    """
    base = locate(root, (FAKE, REAL), "DeepSpeak")
    for name in (REAL, FAKE, SPLIT):
        if not (base / name).is_file():
            raise ManifestError(f"{base}: lacks {name!r}. Fetch the three annotation tables with the films.")
    splits = _splits(base / SPLIT)
    films = by_name(media_files(base, VIDEO_SUFFIXES), root)
    prefix = "" if base == root else f"{base.name}/"
    reals = read_table(base / REAL)
    for number, line in enumerate(reals, start=2):
        yield _real(line, f"{base / REAL}, row {number}", films, (splits, prefix))
    for number, line in enumerate(read_table(base / FAKE), start=2):
        yield _fake(line, f"{base / FAKE}, row {number}", films, (splits, prefix))


def _splits(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in read_table(path, ("identity", "split")):
        split = split_name(line["split"], str(path))
        if found.setdefault(line["identity"], split) != split:
            raise ManifestError(f"{path}: puts the identity {line['identity']!r} into two splits.")
    return found


def _real(line: Mapping[str, str], where: str, films: Mapping[str, str], context: tuple[Mapping[str, str], str]) -> Row:
    splits, prefix = context
    name = line.get("video-file", "")
    if not name and line.get("identity") and line.get("recording"):
        name = f"{line['identity']}-{line['recording']}.mp4"
    match = REAL_NAME.match(name)
    if not name:
        require_columns(Path(where), list(line), ("video-file",))
        raise ManifestError(f"{where}: names no film.")
    identity = line.get("identity") or (match["identity"] if match else "")
    return Row(
        path=films.get(name, prefix + name),
        label=0,
        video_fake=False,
        audio_fake=False,
        identity_source=identity,
        split=splits.get(identity, ""),
        groups=_groups(line),
        corpus=CORPUS,
    )


def _fake(line: Mapping[str, str], where: str, films: Mapping[str, str], context: tuple[Mapping[str, str], str]) -> Row:
    splits, prefix = context
    name = line.get("video-file", "")
    if not name:
        require_columns(Path(where), list(line), ("video-file",))
        raise ManifestError(f"{where}: names no film.")
    match = FAKE_V1.match(name)
    named = match.groupdict() if match else {}
    source = text_of(line.get("identity-source") or named.get("source"))
    target = text_of(line.get("identity-target") or named.get("target"))
    recording = text_of(line.get("recording-target") or named.get("recording_t"))
    original = f"{target}-{recording}.mp4" if target and recording else ""
    return Row(
        path=films.get(name, prefix + name),
        label=1,
        video_fake=True,
        audio_fake=_sound_is_fake(line.get("audio-config", "")),
        method=line.get("engine") or named.get("engine") or name.partition("-")[0],
        identity_source=source,
        identity_target=target,
        split=splits.get(target) or splits.get(source, ""),
        original=films.get(original, prefix + original) if original else "",
        groups=_groups(line),
        corpus=CORPUS,
    )


def _sound_is_fake(config: str) -> bool | None:
    word = config.lower()
    if word in REAL_SOUND:
        return False
    return True if word in VOICES else None


def _groups(line: Mapping[str, str]) -> dict[str, str]:
    names = {"kind": "kind", "gesture-type": "gesture", "script-type": "script", "audio-config": "audio"}
    return {name: line[column] for column, name in names.items() if line.get(column)}


def release(rows: Sequence[Row]) -> str:
    """Which release the rows look like."""
    n_fakes = sum(row.label for row in rows)
    counts = f"{len(rows) - n_fakes:,} real and {n_fakes:,} fake listed"
    if {row.method for row in rows} & ENGINES_V2:
        return f"DeepSpeak v2, {counts}"
    return f"DeepSpeak v1 or v1.1 (6,667 real and 6,796 fake make v1.1), {counts}"
