"""The codes of one file: which bits each second of it has, stream by stream."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
Floats32 = NDArray[np.float32]
Ints32 = NDArray[np.int32]

NO_TRACK = -1
"""Track of what belongs to no face: the sound."""


@dataclass(frozen=True, kw_only=True)
class StreamCodes:
    """One stream's codes, a row for each window and face, in order of time.

    Attributes:
        starts_s: Start of the window, (N,) seconds from the start of the file.
        tracks: The face, (N,); `NO_TRACK` for sound.
        codes: Packed bits, (N, Q / 8) uint8.
    """

    starts_s: Floats32
    tracks: Ints32
    codes: Bits

    def __len__(self) -> int:
        return len(self.starts_s)


@dataclass(frozen=True, kw_only=True)
class FileCodes:
    """A file as the index knows it.

    Attributes:
        sha256: Of the file's bytes.
        name: By which it is shown.
        duration_s: Seconds that were read.
        window_s: Length of a window.
        streams: By the names of the model's streams; a stream that the file lacks is left out.
    """

    sha256: str
    name: str
    duration_s: float
    window_s: float
    streams: Mapping[str, StreamCodes]

    @property
    def n_windows(self) -> int:
        """Moments that have a code of any stream."""
        return len({float(start) for codes in self.streams.values() for start in codes.starts_s})


@dataclass(frozen=True, kw_only=True)
class StreamVectors:
    """What the bits of one stream are made from; as `StreamCodes`, with pooled tokens (N, D) float32."""

    starts_s: Floats32
    tracks: Ints32
    vectors: Floats32
    own_codes: Bits


@dataclass(frozen=True, kw_only=True)
class FileVectors:
    """A file before its bits are taken; as `FileCodes`."""

    sha256: str
    name: str
    duration_s: float
    window_s: float
    streams: Mapping[str, StreamVectors]


def hamming(a: Bits, b: Bits) -> NDArray[np.int64]:
    """Bits in which packed codes differ, (N, B) and (M, B) to (N, M); or (B,) shapes that broadcast alike."""
    return np.asarray(np.bitwise_count(a[:, None] ^ b[None]).sum(-1, dtype=np.int64))


def pack(bits: NDArray[np.bool_]) -> Bits:
    """Bits (N, Q) as bytes (N, Q / 8), the first bit highest, as `model.hashing.pack_codes` has it."""
    return np.packbits(bits, axis=1)
