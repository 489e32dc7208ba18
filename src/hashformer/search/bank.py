"""All codes of an index in memory, stream by stream, ready to be searched."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashformer.search.codes import Bits, FileCodes, Floats32, Ints32, StreamCodes
from hashformer.search.hamming import Neighbours


@dataclass(frozen=True)
class BankStream:
    """The codes of one stream of all files, one file after another.

    Attributes:
        codes: Packed bits, (N, Q / 8).
        starts_s: (N,).
        tracks: (N,).
        files: Place of the file in the bank, (N,), rising.
        neighbours: The same codes to be searched.
    """

    codes: Bits
    starts_s: Floats32
    tracks: Ints32
    files: NDArray[np.int64]
    neighbours: Neighbours

    def of_file(self, place: int) -> StreamCodes:
        """The codes of one file."""
        first, last = np.searchsorted(self.files, [place, place + 1])
        here = slice(int(first), int(last))
        return StreamCodes(starts_s=self.starts_s[here], tracks=self.tracks[here], codes=self.codes[here])


class Bank:
    """Files to be searched.

    Args:
        files: In any order; `Match.place` counts in this one.
    """

    def __init__(self, files: Sequence[FileCodes]) -> None:
        self.files = tuple(files)
        names = sorted({stream for file in files for stream, codes in file.streams.items() if len(codes)})
        self.streams = {name: self._stream(name) for name in names}

    def _stream(self, name: str) -> BankStream:
        parts = [(place, file.streams[name]) for place, file in enumerate(self.files) if name in file.streams]
        codes = np.concatenate([part.codes for _, part in parts])
        return BankStream(
            codes=codes,
            starts_s=np.concatenate([part.starts_s for _, part in parts]),
            tracks=np.concatenate([part.tracks for _, part in parts]),
            files=np.repeat([place for place, _ in parts], [len(part) for _, part in parts]).astype(np.int64),
            neighbours=Neighbours(codes),
        )
