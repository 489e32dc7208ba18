"""FaceForensics++ with FaceShifter and DeepFakeDetection, at every compression, with the official splits."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hashformer.data.adapters.layout import VIDEO_SUFFIXES, locate, media_files, relative, subfolders
from hashformer.data.manifest import SPLITS, Row
from hashformer.data.tables import listed, nearest, read_json
from hashformer.errors import ManifestError

CORPUS = "faceforensics"
ORIGINALS, FAKES = "original_sequences", "manipulated_sequences"
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter", "DeepFakeDetection")
COMPRESSIONS = ("raw", "c0", "c23", "c40")
SPLIT_FOLDERS = ("dataset/splits", "splits")
PAIR = re.compile(r"(?P<target>\d{3})_(?P<source>\d{3})")
SINGLE = re.compile(r"(?P<target>\d{3})")
ACTORS_PAIR = re.compile(r"(?P<target>\d{2})_(?P<source>\d{2})__(?P<scene>.+)__[^_]+")
ACTOR = re.compile(r"(?P<target>\d{2})__(?P<scene>.+)")
ASIDE = ("*/masks/*", "*/models/*")
"""Files that belong to the corpus but are no samples."""


def index(root: Path) -> Iterator[Row]:
    """Yield the films on disk and those that the official splits list in every folder that was fetched.

    Expected: `original_sequences/{youtube,actors}/<compression>/videos/` and
    `manipulated_sequences/<method>/<compression>/videos/<target>_<source>.mp4`; the split files
    `{train,val,test}.json`, lists of pairs in one order that count for both, in `dataset/splits` or `splits`.
    They come with the code of the corpus, not with the films; without them no row has a split.
    DeepFakeDetection has none. No sound is distributed: `audio_fake` is None throughout.

    Raises:
        ManifestError: If no sequences are there, or a method's folder or a film has an unknown name.
    """
    base = locate(root, (ORIGINALS, FAKES), "FaceForensics++")
    splits = _splits(base)
    for kind in (ORIGINALS, FAKES):
        for sequence in subfolders(base / kind) if (base / kind).is_dir() else ():
            _check_name(kind, sequence)
            for compression in subfolders(sequence):
                if (compression / "videos").is_dir():
                    yield from _folder(compression / "videos", root, splits)


def _check_name(kind: str, folder: Path) -> None:
    known = ("youtube", "actors") if kind == ORIGINALS else METHODS
    if folder.name not in known:
        hint = nearest(folder.name, known)
        raise ManifestError(f"{folder}: unknown sequence{hint}. Expected {listed(known)}; rename it or move it away.")


def _splits(base: Path) -> dict[str, str]:
    """Split of each film and of each pair in both orders, by stem."""
    folder = next((base / name for name in SPLIT_FOLDERS if (base / name).is_dir()), None)
    found: dict[str, str] = {}
    for split in SPLITS if folder else ():
        path = Path(folder or base) / f"{split}.json"
        pairs = read_json(path)
        if not isinstance(pairs, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
            raise ManifestError(f'{path}: must be a list of pairs such as ["071", "054"].')
        for first, second in pairs:
            for stem in (first, second, f"{first}_{second}", f"{second}_{first}"):
                if found.setdefault(stem, split) != split:
                    raise ManifestError(f"{path}: {stem!r} is also in {found[stem]}. Fetch the official files again.")
    return found


def _folder(videos: Path, root: Path, splits: Mapping[str, str]) -> Iterator[Row]:
    """Rows of one `videos` folder."""
    sequence = videos.parents[1].name
    stems = {path.stem: path for path in media_files(videos, VIDEO_SUFFIXES)}
    if sequence not in {"actors", "DeepFakeDetection"}:
        pattern = SINGLE if sequence == "youtube" else PAIR
        stems |= {s: videos / f"{s}.mp4" for s in splits if pattern.fullmatch(s) and s not in stems}
    for stem in sorted(stems):
        yield _row(stems[stem], root, splits)


def _row(path: Path, root: Path, splits: Mapping[str, str]) -> Row:
    compression, sequence = path.parents[1], path.parents[2]
    acted = sequence.name in {"actors", "DeepFakeDetection"}
    is_fake = sequence.parent.name == FAKES
    pattern = (ACTORS_PAIR if is_fake else ACTOR) if acted else (PAIR if is_fake else SINGLE)
    match = pattern.fullmatch(path.stem)
    if match is None:
        raise ManifestError(f"{path}: the name does not tell who is seen; expected one such as {_example(pattern)!r}.")
    named = match.groupdict()
    # Actors and YouTube films are numbered on their own: actor 24 is not film 024.
    who = {key: f"actor_{value}" if acted else value for key, value in named.items() if key != "scene"}
    real = f"{named['target']}__{named['scene']}" if acted else named["target"]
    original = path.parents[4] / ORIGINALS / ("actors" if acted else "youtube") / compression.name / "videos"
    return Row(
        path=relative(path, root),
        label=int(is_fake),
        video_fake=is_fake,
        method=sequence.name if is_fake else "real",
        identity_source=who["source"] if is_fake else who["target"],
        identity_target=who["target"] if is_fake else "",
        split="" if acted else splits.get(path.stem, ""),
        original=relative(original / f"{real}.mp4", root) if is_fake else "",
        groups={"compression": compression.name, "sequence": sequence.name},
        corpus=CORPUS,
    )


def _example(pattern: re.Pattern[str]) -> str:
    return {PAIR: "071_054.mp4", SINGLE: "071.mp4", ACTOR: "24__outside_talking.mp4"}.get(
        pattern, "24_23__outside_talking__YR5OVD4S.mp4"
    )


def release(rows: Sequence[Row]) -> str:
    """Which release the rows look like."""
    found = dict.fromkeys(f"{row.groups['sequence']} {row.groups['compression']}" for row in rows)
    has_splits = any(row.split for row in rows)
    how = "with" if has_splits else "without the official splits: put {train,val,test}.json into dataset/splits,"
    return f"FaceForensics++, {how} {', '.join(found)}"
