"""The second clip of a forgery: another moment, another file of the same person, or another person."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hashformer.data.forge.base import Partner
from hashformer.data.forging import FindPartner
from hashformer.data.manifest import Row
from hashformer.data.stretches import Stretch, StretchReader
from hashformer.types import Clip

_TRIES = 4
"""Files that are looked into for a partner with the same streams."""


class PartnerFinder:
    """Finds partners among the real files of the manifest.

    Args:
        rows: The manifest's rows.
        root: Where they were prepared.
        reader: Draws stretches.
    """

    def __init__(self, rows: Sequence[Row], root: Path, reader: StretchReader) -> None:
        self._rows, self._root, self._reader = rows, root, reader
        self._files: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row_idx, row in enumerate(rows):
            if row.label == 0:
                self._files[_person(row)].append(row_idx)
        self._people = sorted(self._files)

    def of(
        self,
        row_idx: int,
        stretch: Stretch,
        rng: np.random.Generator,
        *,
        lent: dict[Partner, int] | None = None,
    ) -> FindPartner:
        """What finds the partners of one file; each is read when first asked for, and once.

        Args:
            row_idx: The file.
            stretch: Its own.
            rng: Source of chance.
            lent: Takes note of the row that each partner came from, if it was another file.
        """
        lent = {} if lent is None else lent
        found: dict[Partner, Clip | None] = {"none": None, "moment": stretch.rest}

        def find(wanted: Partner) -> Clip | None:
            if wanted not in found:
                candidates = self._others(row_idx, rng) if wanted == "other" else self._files_of(row_idx, rng)
                found[wanted] = stretch.rest if wanted == "person" else None
                if (other := self._read(candidates, stretch.clip, rng)) is not None:
                    lent[wanted], found[wanted] = other
            return found[wanted]

        return find

    def _files_of(self, row_idx: int, rng: np.random.Generator) -> list[int]:
        """Other files of the same person, in any order."""
        row = self._rows[row_idx]
        others = [i for i in self._files[_person(row)] if i != row_idx] if row.identity_source else []
        return [int(i) for i in rng.permutation(others)]

    def _others(self, row_idx: int, rng: np.random.Generator) -> list[int]:
        """A file of each of a few other people."""
        others = [person for person in self._people if person != _person(self._rows[row_idx])]
        chosen = [others[int(i)] for i in rng.permutation(len(others))[:_TRIES]]
        return [int(rng.choice(self._files[person])) for person in chosen]

    def _read(self, candidates: Sequence[int], clip: Clip, rng: np.random.Generator) -> tuple[int, Clip] | None:
        """The first of a few files that has the streams that the clip has, and its row."""
        for row_idx in candidates[:_TRIES]:
            stretch = self._reader.draw(self._root / self._rows[row_idx].path, rng)
            if stretch is None:
                continue
            other = stretch.clip
            if (clip.frames is None or other.frames is not None) and (
                clip.waveform is None or other.waveform is not None
            ):
                return row_idx, other
        return None


def _person(row: Row) -> tuple[str, str]:
    """Who is seen or heard; a file of which nobody says it is a person of its own."""
    return row.corpus, row.identity_source or f"\0{row.path}"
