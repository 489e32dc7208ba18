"""How vectors become bits, and what two different videos' bits have in common by chance."""

import base64
import math
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hashformer.search.codes import FileCodes, FileVectors, Floats32, StreamCodes, pack


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CodeMap(_Plain):
    """An affine map from pooled tokens to bits, one for each stream: bit q is whether row q of W x + b is not below 0.

    Attributes:
        matrix: W, (Q, D) float32, base64 of its bytes.
        offset: b, (Q,) float32, likewise.
        width: D.
    """

    matrix: str
    offset: str
    width: int

    @classmethod
    def of(cls, matrix: NDArray[np.floating], offset: NDArray[np.floating]) -> Self:
        """Store a map."""
        return cls(matrix=_text(matrix), offset=_text(offset), width=matrix.shape[1])

    def bits(self, vectors: Floats32) -> NDArray[np.bool_]:
        """Vectors (N, D) to bits (N, Q)."""
        matrix = np.frombuffer(base64.b64decode(self.matrix), np.float32).reshape(-1, self.width)
        offset = np.frombuffer(base64.b64decode(self.offset), np.float32)
        return np.asarray(vectors @ matrix.T + offset >= 0)


class Spread(_Plain):
    """Distances, in bits, between windows of one stream of different videos."""

    mean: float
    sd: float


class Chance(_Plain):
    """What different videos have in common, measured.

    Attributes:
        spreads: For each stream.
        location: Of the Gumbel distribution of a video's best evidence among `n_files` others.
        rate: Of its tail: the evidence `s` is exceeded with probability exp(-rate (s - location)) where that is small.
        n_files: Videos that it was measured on.
    """

    spreads: dict[str, Spread]
    location: float
    rate: float
    n_files: int

    def expected(self, evidence: float, n_files: int) -> float:
        """How many files of an index of `n_files` reach this evidence by chance."""
        exponent = -self.rate * (evidence - self.location)
        return n_files / max(1, self.n_files - 1) * math.exp(min(exponent, 700.0))


class Profile(_Plain):
    """What an index does with vectors.

    Attributes:
        maps: For each stream; empty: the model's own codes are taken.
        chance: Measured on the videos that the maps were fitted to, for as long as an index has too few of its own.
        fitted_on: Those videos, in words.
    """

    maps: dict[str, CodeMap] = {}
    chance: Chance | None = None
    fitted_on: str = ""

    def encode(self, file: FileVectors) -> FileCodes:
        """Take the bits of a file."""
        streams = {
            name: StreamCodes(
                starts_s=part.starts_s,
                tracks=part.tracks,
                codes=pack(self.maps[name].bits(part.vectors)) if name in self.maps else part.own_codes,
            )
            for name, part in file.streams.items()
        }
        return FileCodes(
            sha256=file.sha256, name=file.name, duration_s=file.duration_s, window_s=file.window_s, streams=streams
        )


def _text(array: NDArray[np.floating]) -> str:
    return base64.b64encode(np.ascontiguousarray(array, np.float32).tobytes()).decode("ascii")
