"""Any corpus: a CSV with the columns path and label, or folders `real/` and `fake/`."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hashformer.data.adapters.layout import SPLIT_NAMES, media_files, relative, split_name, subfolders
from hashformer.data.manifest import GROUP_PREFIX, OLDEST_COLUMNS, Row, parse_flag, read_manifest
from hashformer.data.tables import listed, nearest, read_table, read_text, require_columns
from hashformer.errors import ManifestError

CORPUS = "folder"
LABELS = {"real": 0, "fake": 1, "0": 0, "1": 1, "false": 0, "true": 1}
ALIASES = {"identity": "identity_source", "kind": "method"}
PLAIN = ("method", "identity_source", "identity_target", "split", "original", "language", "corpus")


def index(root: Path) -> Iterator[Row]:
    """Yield the rows of a CSV, or of the folders `real` and `fake`.

    A CSV: the root itself, or the only one in it, manifests of our own aside, with the columns path
    (relative to its folder) and label (real or fake, 0 or 1). Columns of a manifest are read as such,
    `identity` as the source, `kind` as the method (and as a group, so that reals keep theirs); others are
    left out. Folders: `real/` and `fake/`, straight in the root or in `train/`, `val/`, `test/`; a folder in
    `fake/` names the method.

    Raises:
        ManifestError: If neither is there, or a value is wrong.
    """
    if root.is_file():
        yield from _table(root)
        return
    if not root.is_dir():
        raise ManifestError(f"{root}: does not exist. Name a CSV, or a folder with real/ and fake/.")
    labelled, found = _labelled(root), _tables(root)
    # A manifest that we wrote into the root must not hide what was added since.
    others = [path for path, is_ours in found.items() if not is_ours]
    tables = others if others or labelled else list(found)
    if len(tables) > 1:
        raise ManifestError(f"{root}: holds {len(tables)} tables: {listed(p.name for p in tables)}. Name one.")
    if not tables and not labelled:
        names = [entry.name for entry in sorted(root.iterdir())]
        hints = "".join(nearest(name, names) for name in ("real", "fake"))
        raise ManifestError(
            f"{root}: expected a CSV with the columns path and label, or the folders 'real' and 'fake'{hints}; "
            f"found {listed(names) or 'nothing'}."
        )
    if tables:
        yield from _table(tables[0])
        return
    for folder, label, split in labelled:
        for path in media_files(folder):
            below = path.relative_to(folder).parts
            method = (below[0] if len(below) > 1 else "fake") if label else "real"
            yield Row(path=relative(path, root), label=label, method=method, split=split, corpus=CORPUS)


def _labelled(root: Path) -> list[tuple[Path, int, str]]:
    """Folders called real or fake, with their label and split."""
    homes = [(root, ""), *((f, SPLIT_NAMES[f.name.lower()]) for f in subfolders(root) if f.name.lower() in SPLIT_NAMES)]
    found = [(folder, split) for home, split in homes for folder in subfolders(home)]
    return [(f, LABELS[f.name.lower()], split) for f, split in found if f.name.lower() in {"real", "fake"}]


def _tables(root: Path) -> dict[Path, bool]:
    """Tables with the columns path and label, and whether each is a manifest of our own."""
    headers = {path: set(next(csv.reader(read_text(path).splitlines()[:1]), ())) for path in sorted(root.glob("*.csv"))}
    return {path: header >= OLDEST_COLUMNS for path, header in headers.items() if {"path", "label"} <= header}


def _table(path: Path) -> Iterator[Row]:
    table = read_table(path)
    header = list(table[0]) if table else []
    require_columns(path, header, ("path", "label"))
    if set(header) >= OLDEST_COLUMNS:  # a manifest of our own
        yield from read_manifest(path)
        return
    for number, line in enumerate(table, start=2):
        yield _row(line, f"{path}, row {number}")


def _row(line: Mapping[str, str], where: str) -> Row:
    label = LABELS.get(line["label"].lower())
    if label is None:
        raise ManifestError(f"{where}: label must be real or fake, 0 or 1, got {line['label']!r}.")
    renamed = {ALIASES.get(name, name): value for name, value in line.items()} | dict(line)
    plain = {name: renamed[name] for name in PLAIN if renamed.get(name)}
    plain["method"] = (plain.get("method") or "fake") if label else "real"
    plain["corpus"] = plain.get("corpus") or CORPUS
    plain["split"] = split_name(plain.get("split", ""), where)
    groups = {name.removeprefix(GROUP_PREFIX): value for name, value in line.items() if name.startswith(GROUP_PREFIX)}
    groups |= {"kind": line["kind"]} if line.get("kind") else {}
    try:
        return Row(
            path=line["path"].replace("\\", "/"),
            label=label,
            video_fake=_flag(line.get("video_fake", ""), f"{where}: video_fake"),
            audio_fake=_flag(line.get("audio_fake", ""), f"{where}: audio_fake"),
            sync_fake=_flag(line.get("sync_fake", ""), f"{where}: sync_fake"),
            groups={name: value for name, value in groups.items() if value},
            method=plain["method"],
            identity_source=plain.get("identity_source", ""),
            identity_target=plain.get("identity_target", ""),
            split=plain["split"],
            original=plain.get("original", ""),
            language=plain.get("language", ""),
            corpus=plain["corpus"],
        )
    except ManifestError as error:
        raise ManifestError(f"{where}: {error}") from error


def _flag(text: str, where: str) -> bool | None:
    words = {"true": "1", "false": "0", "fake": "1", "real": "0"}
    return parse_flag(words.get(text.lower(), text), where)


def release(rows: Sequence[Row]) -> str:
    """What the rows hold."""
    return f"a folder of {sum(1 - row.label for row in rows):,} real and {sum(row.label for row in rows):,} fake files"
