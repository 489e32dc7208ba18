"""The nearest codes by Hamming distance; the only place that knows faiss."""

import numpy as np
from numpy.typing import NDArray

from hashformer.errors import SetupError
from hashformer.search.codes import Bits

try:
    import faiss
except ModuleNotFoundError as error:
    raise SetupError("faiss is not installed, which the index needs: pip install 'hashformer[search]'") from error


class Neighbours:
    """Codes to be searched exhaustively: exact, milliseconds for a million codes, and nothing to tune.

    faiss's multi-hash index answers a quarter faster and takes 40 times as long to fill: docs/index.md.

    Args:
        codes: Packed bits, (N, Q / 8) uint8; Q a multiple of 8.
    """

    def __init__(self, codes: Bits) -> None:
        self.n_codes = len(codes)
        self._index = faiss.IndexBinaryFlat(codes.shape[1] * 8)
        self._index.add(np.ascontiguousarray(codes))

    def nearest(self, codes: Bits, k: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The `k` nearest of each code, at most as many as there are.

        Args:
            codes: Packed bits, (M, Q / 8) uint8.
            k: How many, at least 1.

        Returns:
            Distances (M, k) in bits and places (M, k) in the codes given at the start; nearest first.
        """
        distances, places = self._index.search(np.ascontiguousarray(codes), min(k, self.n_codes))
        return np.asarray(distances, np.int32), np.asarray(places, np.int64)
