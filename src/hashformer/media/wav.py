"""Mono WAV files of 32-bit floats, written bit by bit and read in any stretch.

Floats, not 16-bit whole numbers: a sample read back is the sample that was written. Rounding would lay a floor of
noise under digital silence, which is itself a trace that tells made sound from recorded sound.
"""

import struct
from pathlib import Path
from typing import Self

import numpy as np

from hashformer.errors import MediaError
from hashformer.types import Floats

_HEADER = struct.Struct("<4sI4s 4sIHHIIHHH 4sII 4sI")
_FLOAT_FORMAT = 3
_BYTES = 4
_MAX_DATA_BYTES = 2**32 - 1 - _HEADER.size


class WavWriter:
    """Writes a WAV file block by block. A context manager; the header is completed at its end.

    Raises:
        OSError: From any method, if the disk is full or the file cannot be written.
    """

    def __init__(self, path: Path, *, sample_rate_hz: int) -> None:
        self._path, self._sample_rate_hz = path, sample_rate_hz
        self._n_samples = 0
        self._file = path.open("wb")
        self._file.write(_header(0, sample_rate_hz))

    def write(self, waveform: Floats) -> None:
        """Append sound, (S,) float32.

        Raises:
            MediaError: If the file would pass the 4 GiB that a WAV header can state.
        """
        self._n_samples += len(waveform)
        if self._n_samples * _BYTES > _MAX_DATA_BYTES:
            hours = self._n_samples / self._sample_rate_hz / 3600
            raise MediaError(f"{self._path}: {hours:.1f} h of sound do not fit in a WAV file of 4 GiB. Cut the source.")
        self._file.write(np.ascontiguousarray(waveform, "<f4").tobytes())

    def close(self) -> None:
        """Complete the header and close the file."""
        with self._file:
            self._file.seek(0)
            self._file.write(_header(self._n_samples, self._sample_rate_hz))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_wav(path: Path, first_sample: int, n_samples: int) -> Floats:
    """Read a stretch of a file that `WavWriter` wrote.

    Returns:
        Mono sound, (S,) float32; shorter than `n_samples` where the file ends.

    Raises:
        MediaError: If the file cannot be read, or is not such a file.
    """
    try:
        with path.open("rb") as file:
            fields = _HEADER.unpack(file.read(_HEADER.size))
            if fields[0] != b"RIFF" or fields[5:7] != (_FLOAT_FORMAT, 1):
                raise MediaError(f"{path}: is not a mono WAV file of 32-bit floats. Prepare the source again.")
            file.seek(first_sample * _BYTES, 1)
            content = file.read(n_samples * _BYTES)
    except (OSError, struct.error) as error:
        raise MediaError(f"{path}: cannot be read ({error}). Prepare the source again.") from error
    return np.frombuffer(content, "<f4", count=len(content) // _BYTES).astype(np.float32)


def _header(n_samples: int, rate_hz: int) -> bytes:
    n_bytes = n_samples * _BYTES
    return _HEADER.pack(
        *(b"RIFF", _HEADER.size - 8 + n_bytes, b"WAVE"),
        *(b"fmt ", 18, _FLOAT_FORMAT, 1, rate_hz, rate_hz * _BYTES, _BYTES, 8 * _BYTES, 0),
        *(b"fact", 4, n_samples),
        *(b"data", n_bytes),
    )
