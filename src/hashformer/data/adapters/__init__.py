"""One module a corpus: each yields labelled rows from the layout in which the corpus is given out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hashformer.data.adapters import (
    asvspoof2019,
    avdeepfake1m,
    clip_table,
    deepspeak,
    dfdc,
    dftimit,
    faceforensics,
    fakeavceleb,
    folder,
    kodf,
    lavdf,
)
from hashformer.data.manifest import Row
from hashformer.data.tables import listed, nearest
from hashformer.errors import ManifestError


@dataclass(frozen=True)
class Adapter:
    """How a corpus is read.

    Attributes:
        index: Yields a row for each file that the corpus says it holds, whether on disk or not.
        release: Says which release a list of rows looks like.
        aside: Patterns of files that belong to the corpus but are no samples.
    """

    index: Callable[[Path], Iterator[Row]]
    release: Callable[[Sequence[Row]], str]
    aside: tuple[str, ...] = ()


ADAPTERS: Mapping[str, Adapter] = {
    "dftimit": Adapter(dftimit.index, dftimit.release, ("*.wav",)),
    "dfdc": Adapter(dfdc.index, dfdc.release),
    "fakeavceleb": Adapter(fakeavceleb.index, fakeavceleb.release, ("*.wav",)),
    "kodf": Adapter(kodf.index, kodf.release, (f"*{kodf.DISTURBED}*",)),
    "deepspeak": Adapter(deepspeak.index, deepspeak.release),
    "faceforensics": Adapter(faceforensics.index, faceforensics.release, faceforensics.ASIDE),
    "asvspoof2019": Adapter(asvspoof2019.index, asvspoof2019.release),
    "lavdf": Adapter(lavdf.index, lavdf.release),
    "avdeepfake1m": Adapter(avdeepfake1m.index, avdeepfake1m.release, ("test/*", "*/test/*")),
    "clip-table": Adapter(clip_table.index, clip_table.release),
    "folder": Adapter(folder.index, folder.release),
}
"""Every corpus by the name that commands and manifests use."""


def adapter(corpus: str) -> Adapter:
    """The adapter of a corpus.

    Raises:
        ManifestError: If there is none of that name.
    """
    if corpus not in ADAPTERS:
        raise ManifestError(f"unknown corpus {corpus!r}{nearest(corpus, ADAPTERS)}. Known: {listed(ADAPTERS, 20)}.")
    return ADAPTERS[corpus]


def looks_like(root: Path) -> list[str]:
    """Names of the corpora whose adapter finds at least one row in a root; `folder` does not count."""
    found = []
    for name, candidate in ADAPTERS.items():
        try:
            if name != "folder" and next(candidate.index(root), None) is not None:
                found.append(name)
        except ManifestError:
            continue
    return found


def root_of(root: Path) -> Path:
    """The folder that paths of rows are relative to: that of the table if the root is one."""
    return root.parent if root.is_file() else root
