"""The sound of a media file: mono, at one rate, each sample at its time, in blocks of fixed size."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame, format_dtypes
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from hashformer.errors import MediaError
from hashformer.media.container import open_media, sound_stream
from hashformer.media.decode import Notes, clock_for, decoded, note_ending, stamp_s
from hashformer.media.placement import Placement
from hashformer.types import Floats, Mask

MIN_UNSAFE_PLANES = 8
"""From so many planes on, PyAV counts them past the end of its table and reads foreign memory."""


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """A stretch of sound.

    Attributes:
        first_sample: Index of its first sample, counted from the start of the file.
        samples: Mono sound, (S,) float32 in −1 to 1; zeros where there is none.
        present: Where the file has sound, (S,) bool.
    """

    first_sample: int
    samples: Floats
    present: Mask


def blocks(
    path: Path, *, sample_rate_hz: int, block_samples: int = 16_000, problems: list[str] | None = None
) -> Iterator[AudioBlock]:
    """Yield the sound from the start of the file to its last sample, without a gap between blocks.

    Samples stand where their time stamps say: a late start and gaps are zeros that are not `present`,
    what overlaps is left out, and a clock that runs slow or fast is followed. Memory does not grow
    with the length of the file.

    Args:
        path: A media file with sound.
        sample_rate_hz: Rate of the result.
        block_samples: Length of every block but the last.
        problems: One line is appended for each thing found wrong with the sound, at the end of it.

    Yields:
        Blocks, the first from sample 0.

    Raises:
        ValueError: If a number is not positive.
        MediaError: On the first step, if the file cannot be opened or has no sound.
    """
    if sample_rate_hz < 1 or block_samples < 1:
        raise ValueError(f"rate and block must be positive, got {sample_rate_hz} and {block_samples}")
    return _blocks(path, sample_rate_hz, block_samples, problems)


def _blocks(path: Path, sample_rate_hz: int, block_samples: int, problems: list[str] | None) -> Iterator[AudioBlock]:
    notes = Notes("sound")
    cutter = _Cutter(block_samples)
    try:
        with open_media(path) as container:
            stream = sound_stream(container)
            if stream is None:
                raise MediaError(f"{path}: has no sound, only picture.")
            for samples, is_present in _placed(container, stream, sample_rate_hz, notes):
                yield from cutter.add(samples, is_present)
            yield from cutter.rest()
    finally:
        notes.hand_over(problems)


def _placed(
    container: InputContainer, stream: AudioStream, sample_rate_hz: int, notes: Notes
) -> Iterator[tuple[Floats, bool]]:
    clock = clock_for(container)
    placement = Placement(sample_rate_hz)
    for frame in decoded(container, stream, notes):
        if not isinstance(frame, AudioFrame) or frame.samples == 0 or frame.sample_rate <= 0:
            continue
        start_s = clock.place(stamp_s(frame), frame.samples / frame.sample_rate)
        try:
            samples = _mono(frame)
        except (FFmpegError, ValueError):  # a layout of channels that does not exist
            notes.count("frame of sound had unusable channels", "frames of sound had unusable channels")
            continue
        yield from placement.add(samples, frame.sample_rate, start_s)
    yield from placement.finish()
    note_ending(stream, clock, notes)


def _mono(frame: AudioFrame) -> Floats:
    """Mean of the channels, (S,) float32; full scale is −1 to 1."""
    n_channels = frame.layout.nb_channels
    if frame.format.name not in format_dtypes or (frame.format.is_planar and n_channels >= MIN_UNSAFE_PLANES):
        packer = AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
        frame = packer.resample(frame)[0]
    sound = frame.to_ndarray()  # (C, S) planar, (1, S · C) packed
    if not frame.format.is_planar:
        sound = sound.reshape(-1, n_channels).T  # (C, S)
    if sound.dtype.kind in "ui":
        middle = 128.0 if sound.dtype == np.uint8 else 0.0
        full_scale = 2.0 ** (8 * sound.dtype.itemsize - 1)
        return np.asarray((sound.mean(axis=0) - middle) / full_scale, dtype=np.float32)
    # A file of floats may hold anything, even what is no number.
    return np.asarray(np.nan_to_num(sound, nan=0.0, posinf=1.0, neginf=-1.0).mean(axis=0), dtype=np.float32)


class _Cutter:
    """Joins stretches of any length and cuts blocks of one length from them."""

    def __init__(self, block_samples: int) -> None:
        self._block_samples = block_samples
        self._first_sample = 0
        self._start()

    def _start(self) -> None:
        self._filled = 0
        self._samples = np.zeros(self._block_samples, np.float32)
        self._present = np.zeros(self._block_samples, np.bool_)

    def add(self, samples: Floats, is_present: bool) -> Iterator[AudioBlock]:
        """Take a stretch, (S,), and give the blocks that it fills."""
        taken = 0
        while taken < len(samples):
            n = min(len(samples) - taken, self._block_samples - self._filled)
            here = slice(self._filled, self._filled + n)
            self._samples[here] = np.clip(samples[taken : taken + n], -1.0, 1.0)
            self._present[here] = is_present
            self._filled += n
            taken += n
            if self._filled == self._block_samples:
                yield from self.rest()

    def rest(self) -> Iterator[AudioBlock]:
        """Give what has not filled a block."""
        if self._filled:
            yield AudioBlock(self._first_sample, self._samples[: self._filled], self._present[: self._filled])
            self._first_sample += self._filled
            self._start()
