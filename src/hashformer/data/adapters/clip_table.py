"""Clips from many places: one table that says of each its kind, its source and, if known, the person."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from hashformer.data.adapters.layout import split_name
from hashformer.data.manifest import Row, parse_flag
from hashformer.data.tables import listed, read_table
from hashformer.errors import ManifestError

REQUIRED = ("path", "label", "kind")
LABELS = {"real": 0, "fake": 1, "0": 0, "1": 1}
SOURCES = ("source", "source_repository")
"""Columns that say where a clip was found; the first that is there is read."""
PERSON_A_FILE = ("TalkVid", "CelebV-Text", "CelebV-HQ")
"""Kinds of real clips drawn from so many people that a file without a name is most likely another person."""
Line = dict[str, str]


def index(root: Path, *, person_a_file: Collection[str] = PERSON_A_FILE) -> Iterator[Row]:
    """Yield the rows of a table of clips.

    Its columns: `path` (relative to its folder), `label` (real or fake) and `kind`: the corpus of a real clip, the
    generator of a fake. Read if they are there: `split`, `video_fake`, `audio_fake`, `width` and `has_audio` (which
    streams a real clip has, where the flags are empty), `identity`, `pair` (the same text in a fake and in the real
    clip that it was made of), `source` or `source_repository`, `language`. Others are left out.

    - **corpus**: what was found in one place, or is of one kind of real clip, belongs together, fakes and reals
      alike; it is called by its commonest kind of real clip, or by its source if it has none.
    - **identity_source**: the person; where none is named the file itself for kinds in `person_a_file`, else the
      whole corpus, as if it showed one person: a split by people then never tears it.
    - **original**: the real clip with the same `pair`; else the one that has the same file name, person and corpus.

    Args:
        root: The table, or the folder that holds it alone.
        person_a_file: Kinds in which every file without a name counts as another person.

    Raises:
        ManifestError: If there is no such table, more than one, or a value is wrong.
    """
    path = _table(root)
    lines = read_table(path, REQUIRED)
    where = [f"{path}, row {number}" for number in range(2, len(lines) + 2)]
    labels = [_label(line, place) for line, place in zip(lines, where, strict=True)]
    corpora = _corpora(lines, labels)
    originals = _originals(lines, labels, corpora)
    for line, label, corpus, place in zip(lines, labels, corpora, where, strict=True):
        stranger = line["path"] if line["kind"] in person_a_file else corpus
        yield _row(line, label, place, corpus=corpus, person=line.get("identity") or stranger, originals=originals)


def release(rows: Sequence[Row]) -> str:
    """What the rows hold."""
    n_fake, corpora = sum(row.label for row in rows), {row.corpus for row in rows}
    return f"a table of {len(rows) - n_fake:,} real and {n_fake:,} fake clips from {len(corpora):,} sources"


def _table(root: Path) -> Path:
    if root.is_file():
        return root
    if not root.is_dir():
        raise ManifestError(f"{root}: does not exist. Name a table of clips, or its folder.")
    found = [path for path in sorted(root.glob("*.csv")) if _has_columns(path)]
    if len(found) > 1:
        raise ManifestError(f"{root}: holds {len(found)} tables: {listed(p.name for p in found)}. Name one.")
    if not found:
        names = listed(entry.name for entry in sorted(root.iterdir())) or "nothing"
        raise ManifestError(f"{root}: expected a CSV with the columns {listed(REQUIRED)}; found {names}.")
    return found[0]


def _has_columns(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = {name.strip().strip('"') for name in file.readline().split(",")}
    return header >= set(REQUIRED)


def _label(line: Line, where: str) -> int:
    label = LABELS.get(line["label"].lower())
    if label is None:
        raise ManifestError(f"{where}: label must be real or fake, 0 or 1, got {line['label']!r}.")
    if not line["kind"]:
        raise ManifestError(f"{where}: has no kind. Write the corpus of a real clip, the generator of a fake.")
    return label


def _corpora(lines: Sequence[Line], labels: Sequence[int]) -> list[str]:
    """Of each line, the name of all that hangs together through a source or a kind of real clips."""
    real_kinds = {line["kind"] for line, label in zip(lines, labels, strict=True) if not label}
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def top(node: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    places = [("source", _source(line) or line["kind"]) for line in lines]
    for line, place in zip(lines, places, strict=True):
        if line["kind"] in real_kinds:
            parent[top(place)] = top(("kind", line["kind"]))
    kinds: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for line, label, place in zip(lines, labels, places, strict=True):
        if not label:
            kinds[top(place)][line["kind"]] += 1
    called = {node: min(counts, key=lambda kind: (-counts[kind], kind)) for node, counts in kinds.items()}
    # Without a real clip nothing but the source itself ties fakes together.
    return [called.get(top(place), place[1]) for place in places]


def _source(line: Line) -> str:
    return next((line[name] for name in SOURCES if line.get(name)), "")


def _originals(lines: Sequence[Line], labels: Sequence[int], corpora: Sequence[str]) -> Mapping[tuple[str, ...], str]:
    """Paths of real clips by what a fake made of them would share; what several share names none of them."""
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for line, label, corpus in zip(lines, labels, corpora, strict=True):
        if not label:
            for key in _keys(line, corpus):
                found[key].add(_path(line))
    return {key: paths.pop() for key, paths in found.items() if len(paths) == 1}


def _keys(line: Line, corpus: str) -> list[tuple[str, ...]]:
    """What ties a fake to its original, the surest first."""
    keys: list[tuple[str, ...]] = [("pair", line["pair"])] if line.get("pair") else []
    if line.get("identity"):
        keys.append(("name", corpus, line["identity"], PurePosixPath(_path(line)).name))
    return keys


def _row(
    line: Line, label: int, where: str, *, corpus: str, person: str, originals: Mapping[tuple[str, ...], str]
) -> Row:
    given = (originals[key] for key in _keys(line, corpus) if key in originals)
    try:
        return Row(
            path=_path(line),
            label=label,
            video_fake=_flag(line, "video_fake", where, has_stream=bool(line.get("width")) and not label),
            audio_fake=_flag(line, "audio_fake", where, has_stream=line.get("has_audio") == "1" and not label),
            method=line["kind"] if label else "real",
            identity_source=person,
            split=split_name(line.get("split", ""), where),
            original=next(given, "") if label else "",
            language=line.get("language", ""),
            groups={name: value for name, value in (("kind", line["kind"]), ("source", _source(line))) if value},
            corpus=corpus,
        )
    except ManifestError as error:
        raise ManifestError(f"{where}: {error}") from error


def _flag(line: Line, name: str, where: str, *, has_stream: bool) -> bool | None:
    given = parse_flag(line.get(name, ""), f"{where}: {name}")
    return False if given is None and has_stream else given


def _path(line: Line) -> str:
    return line["path"].replace("\\", "/")
