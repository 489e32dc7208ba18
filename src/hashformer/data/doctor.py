"""Compare a corpus on disk with what it should hold, and say how to mend it."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from hashformer.data.adapters import Adapter, adapter, looks_like, root_of
from hashformer.data.adapters.layout import media_files, relative
from hashformer.data.manifest import Row, check_unique
from hashformer.data.survey import Advance, survey
from hashformer.data.tables import listed
from hashformer.errors import ManifestError
from hashformer.media import probe


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What is wrong with a corpus on disk. Paths are relative to its root.

    Attributes:
        corpus: Name of the adapter.
        release: Which release it looks like.
        n_rows: Files that the corpus says it holds.
        missing: Those that are not on disk.
        extra: Media files on disk that it does not list.
        zero_byte: Listed files without content.
        corrupt: Listed files that cannot be opened as media, with the reason.
        duplicates: Groups of listed files with the same content.
        probed: Whether files were opened to find corrupt ones.
        advice: How to mend it, a sentence for each finding.
    """

    corpus: str
    release: str
    n_rows: int
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    zero_byte: tuple[str, ...]
    corrupt: Mapping[str, str]
    duplicates: tuple[tuple[str, ...], ...]
    probed: bool
    advice: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether every listed file is there and can be read."""
        return not (self.missing or self.zero_byte or self.corrupt)


def index_of(corpus: str, root: Path) -> list[Row]:
    """All rows of a corpus, with a better error if the root holds another one.

    Raises:
        ManifestError: If the corpus is unknown, not laid out as expected, or names a file twice.
    """
    chosen = adapter(corpus)
    try:
        rows = list(chosen.index(root))
    except ManifestError as error:
        others = [name for name in looks_like(root) if name != corpus]
        hint = f" It looks like {' or '.join(others)}." if others else ""
        raise ManifestError(f"{error}{hint}") from error
    if not rows:
        raise ManifestError(f"{root}: holds no file of {corpus}. Was it unpacked?")
    check_unique(rows, str(root))
    return rows


def split_present(rows: Sequence[Row], root: Path) -> tuple[list[Row], list[Row]]:
    """The rows whose file is on disk, and those whose file is not."""
    base = root_of(root)
    present = [(base / row.path).is_file() for row in rows]
    return (
        [row for row, there in zip(rows, present, strict=True) if there],
        [row for row, there in zip(rows, present, strict=True) if not there],
    )


def diagnose(
    corpus: str, root: Path, *, probing: bool = True, workers: int = 0, progress: Advance | None = None
) -> Diagnosis:
    """Find what is missing, extra, empty, corrupt or there twice.

    Args:
        corpus: Name of the adapter.
        root: Where the corpus lies.
        probing: Whether to open every file; without it corrupt files are not found.
        workers: Files opened at a time; 0 takes one for each core.
        progress: Told how many files have been opened.

    Raises:
        ManifestError: If the root is not that corpus.
    """
    rows = index_of(corpus, root)
    base = root_of(root)
    present, missing = split_present(rows, root)
    sizes = {row.path: (base / row.path).stat().st_size for row in present}
    filled = [path for path, size in sizes.items() if size]
    corrupt: dict[str, str] = {}
    if probing:
        looked = survey([base / path for path in filled], probe, workers=workers, progress=progress)
        corrupt = {relative(path, base): why.removeprefix(f"{path}: ") for path, _, why in looked if why}
    duplicates, unreadable = _duplicates({path: sizes[path] for path in filled if path not in corrupt}, base, workers)
    corrupt |= unreadable
    labels = {row.path: row.label for row in rows}
    found = {
        "missing": tuple(row.path for row in missing),
        "extra": tuple(_extra(rows, base, adapter(corpus))),
        "zero_byte": tuple(path for path, size in sizes.items() if not size),
    }
    return Diagnosis(
        corpus=corpus,
        release=adapter(corpus).release(rows),
        n_rows=len(rows),
        corrupt=corrupt,
        duplicates=duplicates,
        probed=probing,
        advice=(*_advice(found, corrupt, base), *_advice_on_duplicates(duplicates, labels)),
        **found,
    )


def _extra(rows: Sequence[Row], base: Path, chosen: Adapter) -> list[str]:
    known = {row.path for row in rows}
    on_disk = (relative(path, base) for path in media_files(base))
    return [path for path in on_disk if path not in known and not any(fnmatch(path, mask) for mask in chosen.aside)]


def _duplicates(
    sizes: Mapping[str, int], base: Path, workers: int
) -> tuple[tuple[tuple[str, ...], ...], dict[str, str]]:
    """Groups of files with one content, and what could not be read; only files of one size are read."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for path, size in sizes.items():
        by_size[size].append(path)
    alike = [base / path for paths in by_size.values() if len(paths) > 1 for path in paths]
    by_content: dict[str, list[str]] = defaultdict(list)
    unreadable = {}
    for file, digest, why in survey(alike, _digest, workers=workers):
        if digest is None:
            unreadable[relative(file, base)] = why
        else:
            by_content[digest].append(relative(file, base))
    return tuple(tuple(paths) for paths in by_content.values() if len(paths) > 1), unreadable


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _advice(found: Mapping[str, Sequence[str]], corrupt: Mapping[str, str], base: Path) -> list[str]:
    told = []
    if missing := found["missing"]:
        folders = sorted({path.rpartition("/")[0] or "." for path in missing})
        gone = [folder for folder in folders if not (base / folder).is_dir()]
        where = f"the folders {listed(gone, 4)} are not there" if gone else f"they belong into {listed(folders, 4)}"
        told.append(f"{len(missing)} listed files are missing; {where}. Unpack or fetch them again.")
    if broken := [*found["zero_byte"], *corrupt]:
        told.append(f"{len(broken)} files are empty or cannot be opened. Delete them and fetch them again.")
    if extra := found["extra"]:
        told.append(f"{len(extra)} media files are not listed. They are left out; look whether a folder was renamed.")
    return told


def _advice_on_duplicates(duplicates: Sequence[Sequence[str]], labels: Mapping[str, int]) -> list[str]:
    if not duplicates:
        return []
    both = [paths for paths in duplicates if len({labels[path] for path in paths}) > 1]
    told = [f"{len(duplicates)} groups of files have the same content. Keep them in one split."]
    if both:
        told.append(
            f"{len(both)} of them are labelled both real and fake, such as {listed(both[0], 2)}. Leave them out."
        )
    return told
