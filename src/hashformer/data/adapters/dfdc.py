"""The Deepfake Detection Challenge: the full training set, the preview and the test set."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from hashformer.data.adapters.layout import field_of, inside, keyed_records, locate, split_name, subfolders, text_of
from hashformer.data.manifest import Row
from hashformer.data.tables import read_json, read_table
from hashformer.errors import ManifestError

CORPUS = "dfdc"
PART = "dfdc_train_part_"
N_PARTS = 50
LABELS = {"real": 0, "fake": 1}


def index(root: Path) -> Iterator[Row]:
    """Yield the rows of whichever release lies there; the full training and test sets may lie side by side.

    Full: `dfdc_train_part_N/metadata.json`, with `label`, `split` and `original`, which is absent or null
    on reals. A single part may be the root. Preview: `dataset.json` over `original_videos`, `method_A`,
    `method_B`. Test: `labels.csv` (`filename,label`) or a `metadata.json` with `is_fake`, beside `videos/`.
    The full set names no person and does not say whether picture or sound of a fake is forged, so both
    are unknown, as is the sound of the preview's fakes.

    Raises:
        ManifestError: If none of the three is found, or a label is unknown.
    """
    base = _base(root)
    if (base / "dataset.json").is_file():
        yield from _preview(base, root)
        return
    parts = sorted(base.glob(f"{PART}*/metadata.json"), key=_part_number)
    for metadata in [*parts, base / "metadata.json", base / "test" / "metadata.json"]:
        if metadata.is_file() and not (metadata.parent / "labels.csv").is_file():
            yield from _listed_in(metadata, root)
    for labels in (base / "labels.csv", base / "test" / "labels.csv"):
        if labels.is_file():
            yield from _test(labels, root)


def _base(root: Path) -> Path:
    entries = ("dataset.json", "labels.csv", "metadata.json")
    here = [root, *subfolders(root)] if root.is_dir() else []
    parts = [folder for folder in here if any(folder.glob(f"{PART}*/metadata.json"))]
    return parts[0] if len(parts) == 1 else locate(root, (*entries, f"{PART}0"), "DFDC")


def _part_number(metadata: Path) -> tuple[int, str]:
    number = metadata.parent.name.removeprefix(PART)
    return (int(number) if number.isdigit() else N_PARTS, number)


def _label(value: object, where: str) -> int:
    label = {**LABELS, "0": 0, "1": 1}.get(str(value).strip().lower())
    if label is None:
        raise ManifestError(f"{where}: expected the label 'REAL' or 'FAKE', 0 or 1, got {value!r}.")
    return label


def _listed_in(metadata: Path, root: Path) -> Iterator[Row]:
    folder = metadata.parent
    for name, record in keyed_records(read_json(metadata), metadata).items():
        where = f"{metadata}, {name}"
        if "is_fake" in record:
            videos = folder / "videos" if (folder / "videos").is_dir() else folder
            label = _label(int(bool(record["is_fake"])), where)
            yield _row(inside(videos, name, root), label, split="test", groups=_augmentations(record))
            continue
        original = text_of(record.get("original"))
        yield _row(
            inside(folder, name, root),
            _label(field_of(record, "label", where), where),
            split=split_name(text_of(record.get("split", "train")), where),
            original=inside(folder, original, root) if original else "",
            groups={"part": folder.name.removeprefix(PART)} if folder.name.startswith(PART) else {},
        )


def _test(labels: Path, root: Path) -> Iterator[Row]:
    folder = labels.parent / "videos" if (labels.parent / "videos").is_dir() else labels.parent
    for record in read_table(labels, ("filename", "label")):
        name = record["filename"]
        yield _row(inside(folder, name, root), _label(record["label"], f"{labels}, {name}"), split="test", groups={})


def _preview(base: Path, root: Path) -> Iterator[Row]:
    metadata = base / "dataset.json"
    for name, record in keyed_records(read_json(metadata), metadata).items():
        where = f"{metadata}, {name}"
        label = _label(field_of(record, "label", where), where)
        target, swapped = text_of(record.get("target_id")), text_of(record.get("swapped_id"))
        yield Row(
            path=inside(base, name, root),
            label=label,
            video_fake=bool(label),
            audio_fake=None if label else False,
            method=PurePosixPath(name).parts[0] if label else "real",
            identity_source=swapped if label else target or swapped,
            identity_target=target if label else "",
            split=split_name(text_of(field_of(record, "set", where)), where),
            groups=_augmentations(record),
            corpus=CORPUS,
        )


def _augmentations(record: Mapping[str, object]) -> dict[str, str]:
    made = record.get("augmentations")
    names = sorted(map(str, made)) if isinstance(made, list | dict) else []
    return {"augmentations": ";".join(names)} if names else {}


def _row(path: str, label: int, *, split: str, groups: dict[str, str], original: str = "") -> Row:
    return Row(
        path=path,
        label=label,
        video_fake=None if label else False,
        audio_fake=None if label else False,
        method="dfdc" if label else "real",
        split=split,
        original=original,
        groups=groups,
        corpus=CORPUS,
    )


def release(rows: Sequence[Row]) -> str:
    """Which release the rows look like."""
    if any(row.method.startswith("method_") for row in rows):
        return f"DFDC preview, {len(rows)} videos"
    parts = {row.groups["part"] for row in rows if "part" in row.groups}
    n_test = sum(row.split == "test" for row in rows)
    told = [f"{len(parts)} of {N_PARTS} training parts"] if parts else []
    told += [f"{n_test} test videos"] if n_test else []
    return f"DFDC full, {' and '.join(told) or f'{len(rows)} videos of one part'}"
