"""DeepfakeTIMIT in higher and lower quality, with the VidTIMIT films it was made from."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hashformer.data.adapters.layout import VIDEO_SUFFIXES, locate, media_files, relative, subfolders
from hashformer.data.manifest import Row
from hashformer.errors import ManifestError

CORPUS = "dftimit"
QUALITIES = {"higher_quality": "hq", "lower_quality": "lq"}
FAKES_PER_QUALITY = 320
NAME = re.compile(r"(?P<utterance>.+)-video-(?P<source>[^-]+)")


def index(root: Path) -> Iterator[Row]:
    """Yield the fakes of both qualities, and the reals if VidTIMIT lies in the same root.

    Expected: `DeepfakeTIMIT/{higher_quality,lower_quality}/<subject>/<utterance>-video-<source>.avi`, and
    for the reals `VidTIMIT/<subject>/**/<utterance>.<suffix>`. VidTIMIT is given out as folders of
    pictures; how it was packed into films differs, so that any video suffix and any depth is taken.
    The sound of the fakes is the original one, so `audio_fake` is False. There is no official split.

    Raises:
        ManifestError: If the root is laid out otherwise, or VidTIMIT is still in pictures.
    """
    base = locate(root, tuple(QUALITIES), "DeepfakeTIMIT")
    reals = _reals(root)
    yield from reals.values()
    for folder, quality in QUALITIES.items():
        for subject in subfolders(base / folder) if (base / folder).is_dir() else ():
            for path in media_files(subject, VIDEO_SUFFIXES):
                yield _fake(path, root, quality, reals)


def _fake(path: Path, root: Path, quality: str, reals: dict[tuple[str, str], Row]) -> Row:
    match = NAME.fullmatch(path.stem)
    if match is None:
        raise ManifestError(f"{path}: expected a name such as 'sa1-video-fram1.avi'.")
    original = reals.get((path.parent.name, match["utterance"]))
    return Row(
        path=relative(path, root),
        label=1,
        video_fake=True,
        audio_fake=False,
        method=f"faceswap-gan-{quality}",
        identity_source=match["source"],
        identity_target=path.parent.name,
        original=original.path if original else "",
        groups={"quality": quality},
        corpus=CORPUS,
    )


def _reals(root: Path) -> dict[tuple[str, str], Row]:
    """Real films by subject and utterance; none without VidTIMIT."""
    folders = [folder for folder in subfolders(root) if folder.name.lower() == "vidtimit"]
    found: dict[tuple[str, str], Row] = {}
    for subject in subfolders(folders[0]) if folders else ():
        for path in media_files(subject, VIDEO_SUFFIXES):
            found[subject.name, path.stem] = _real(path, subject.name, root)
    if folders and not found:
        raise ManifestError(
            f"{folders[0]}: holds no film. Make one of each folder of pictures first, such as "
            "`ffmpeg -framerate 25 -i video/sa1/%03d -i audio/sa1.wav sa1.mkv`."
        )
    return found


def _real(path: Path, subject: str, root: Path) -> Row:
    return Row(
        path=relative(path, root),
        label=0,
        video_fake=False,
        audio_fake=False,
        identity_source=subject,
        corpus=CORPUS,
    )


def release(rows: Sequence[Row]) -> str:
    """Which release the rows look like."""
    counts = {quality: sum(row.groups.get("quality") == quality for row in rows) for quality in QUALITIES.values()}
    n_reals = sum(row.label == 0 for row in rows)
    parts = [f"{quality.upper()} {count} of {FAKES_PER_QUALITY}" for quality, count in counts.items()]
    reals = f"{n_reals} reals" if n_reals else "no reals: put VidTIMIT beside it, as the folder VidTIMIT"
    return f"DeepfakeTIMIT, {', '.join(parts)} fakes, {reals}"
