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

    def of(self, row_idx: int, stretch: Stretch, rng: np.random.Generator) -> FindPartner:
        """What finds the partners of one file; each is read when first asked for, and once."""
        found: dict[Partner, Clip | None] = {"none": None, "moment": stretch.rest}

        def find(wanted: Partner) -> Clip | None:
            if wanted not in found:
                found[wanted] = self._person_clip(row_idx, stretch, rng) if wanted == "person" else None
                if wanted == "other":
                    found[wanted] = self._other_clip(row_idx, stretch.clip, rng)
            return found[wanted]

        return find

    def _person_clip(self, row_idx: int, stretch: Stretch, rng: np.random.Generator) -> Clip:
        row = self._rows[row_idx]
        others = [i for i in self._files[_person(row)] if i != row_idx] if row.identity_source else []
        return self._read([int(i) for i in rng.permutation(others)], stretch.clip, rng) or stretch.rest

    def _other_clip(self, row_idx: int, clip: Clip, rng: np.random.Generator) -> Clip | None:
        others = [person for person in self._people if person != _person(self._rows[row_idx])]
        chosen = [others[int(i)] for i in rng.permutation(len(others))[:_TRIES]]
        return self._read([int(rng.choice(self._files[person])) for person in chosen], clip, rng)

    def _read(self, candidates: Sequence[int], clip: Clip, rng: np.random.Generator) -> Clip | None:
        """The first of a few files that has the streams that the clip has."""
        for row_idx in candidates[:_TRIES]:
            stretch = self._reader.draw(self._root / self._rows[row_idx].path, rng)
            if stretch is None:
                continue
            other = stretch.clip
            if (clip.frames is None or other.frames is not None) and (
                clip.waveform is None or other.waveform is not None
            ):
                return other
        return None


def _person(row: Row) -> tuple[str, str]:
    """Who is seen or heard; a file of which nobody says it is a person of its own."""
    return row.corpus, row.identity_source or f"\0{row.path}"
