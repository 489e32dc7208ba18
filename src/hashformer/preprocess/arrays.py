"""`.npy` files that grow row by row: the header is completed when the number of rows is known."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


class ArrayWriter:
    """Writes rows of float32 to a `.npy` file. A context manager.

    Args:
        path: Where to.
        row_shape: Shape of one row; the array is (rows, *row_shape).

    Raises:
        OSError: From any method, if the disk is full or the file cannot be written.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...]) -> None:
        self._row_shape = row_shape
        self._n_rows = 0
        self._file = path.open("wb")
        self._write_header()

    def write(self, rows: NDArray[np.float32]) -> None:
        """Append rows, (n, *row_shape).

        Raises:
            ValueError: If the rows have another shape.
        """
        if rows.shape[1:] != self._row_shape:
            raise ValueError(f"rows must have the shape {self._row_shape}, got {rows.shape[1:]}")
        self._n_rows += len(rows)
        self._file.write(np.ascontiguousarray(rows, "<f4").tobytes())

    def close(self) -> None:
        """Complete the header and close the file."""
        with self._file:
            self._file.seek(0)
            self._write_header()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write_header(self) -> None:
        # NumPy leaves room for the first axis to grow, so the header keeps its length.
        facts: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": (self._n_rows, *self._row_shape)}
        npy.write_array_header_1_0(self._file, facts)
