"""The files of one face: crops, landmarks and boxes, written as the face is followed and read back alike."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from hashformer.errors import StoreError
from hashformer.faces.landmarks import N_LANDMARKS
from hashformer.media.crops import CropWriter, read_crops
from hashformer.media.picture import RGB, sharpness
from hashformer.preprocess.arrays import ArrayWriter
from hashformer.preprocess.decoded import CROPS_NAME, decoded
from hashformer.preprocess.record import Spans, TrackRecord
from hashformer.types import FaceTrack, Floats, Frames, Mask

LANDMARKS_NAME, BOXES_NAME = "landmarks.npy", "boxes.npy"
PART_NAMES = (CROPS_NAME, LANDMARKS_NAME, BOXES_NAME)
MAX_AWAY_S = 8
"""A face that is away for so long goes on in a new folder: neither open files nor black pictures pile up."""


class PartWriter:
    """Writes one track, or a part of it, from the frame on which the face first shows.

    Args:
        folder: Made here; holds the three files.
        track: Where the part begins.

    Raises:
        OSError: From any method, if the disk is full or a file cannot be written.
    """

    def __init__(self, folder: Path, track: FaceTrack) -> None:
        self._folder, self._track_id, self._fps = folder, track.track_id, track.window.fps
        self._first_frame = self._next_frame = track.window.first_frame + int(np.argmax(track.present))
        self._gaps: Spans = []
        self._widths_px: list[float] = []
        self._blurs: list[float] = []
        folder.mkdir()
        with ExitStack() as opened:
            crops = CropWriter(folder / CROPS_NAME, fps=self._fps, size_px=track.crops.shape[-1])
            self._crops = opened.enter_context(crops)
            self._landmarks = opened.enter_context(ArrayWriter(folder / LANDMARKS_NAME, (N_LANDMARKS, 2)))
            self._boxes = opened.enter_context(ArrayWriter(folder / BOXES_NAME, (4,)))
            self._opened = opened.pop_all()

    def is_away(self, frame: int) -> bool:
        """Whether the face has been away for so long before `frame` that the part is over."""
        return frame - self._next_frame > MAX_AWAY_S * self._fps

    def add(self, track: FaceTrack) -> None:
        """Append up to the last frame of the stretch that shows the face; what lies between is a gap."""
        present = track.present
        start = track.window.first_frame
        for first, last in spans(present):
            self._fill(start + first, track)
            self._write(track.crops[first:last], track.landmarks[first:last], track.boxes[first:last])
            self._measure(track.crops[first:last], track.boxes[first:last])

    def finish(self) -> TrackRecord:
        """Complete the files and say what they hold."""
        self._opened.close()
        return TrackRecord(
            track_id=self._track_id,
            folder=self._folder.name,
            first_frame=self._first_frame,
            n_frames=self._next_frame - self._first_frame,
            gaps=self._gaps,
            face_px=round(float(np.median(self._widths_px)), 1),
            blur=round(float(np.median(self._blurs)), 1),
        )

    def abandon(self) -> None:
        """Close the files, unfinished, after an error."""
        self._opened.__exit__(StoreError, StoreError(), None)

    def _fill(self, until_frame: int, track: FaceTrack) -> None:
        if until_frame > self._next_frame:
            self._gaps.append((self._next_frame, until_frame))
            black = np.zeros((1, *track.crops.shape[1:]), np.uint8)
            for _ in range(until_frame - self._next_frame):
                nowhere = np.full((1, N_LANDMARKS, 2), np.nan, np.float32)
                self._write(black, nowhere, np.full((1, 4), np.nan, np.float32))

    def _write(self, crops: Frames, landmarks: Floats, boxes: Floats) -> None:
        self._crops.write(crops)
        self._landmarks.write(landmarks)
        self._boxes.write(boxes)
        self._next_frame += len(crops)

    def _measure(self, crops: Frames, boxes: Floats) -> None:
        self._widths_px += (boxes[:, 2] - boxes[:, 0]).tolist()
        self._blurs += [sharpness(crop) for crop in crops]


class PartReader:
    """Reads one part in order, stretch by stretch.

    Args:
        folder: Of the prepared file.
        record: Which part.
        fps: Rate of the grid.
        first_frame: Grid frame before which nothing will be read.

    Raises:
        StoreError: If the arrays are missing, damaged or of another length than the record says.
    """

    def __init__(self, folder: Path, record: TrackRecord, *, fps: int, first_frame: int = 0) -> None:
        self._folder, self._record, self._fps = folder / record.folder, record, fps
        self._landmarks = self._array(LANDMARKS_NAME, (record.n_frames, N_LANDMARKS, 2))
        self._boxes = self._array(BOXES_NAME, (record.n_frames, 4))
        self._first = max(0, first_frame - record.first_frame)
        self._pixels: Frames | None = None
        self._pictures: Iterator[RGB] | None = None
        self.first_frame, self.last_frame = record.first_frame, record.first_frame + record.n_frames

    def copy_into(self, track: FaceTrack) -> None:
        """Fill in the frames of `track.window` that the part covers.

        Raises:
            StoreError: If the crops are fewer than the record says, or of another size.
            MediaError: If they cannot be decoded.
        """
        window = track.window
        first, last = max(window.first_frame, self.first_frame), min(window.last_frame, self.last_frame)
        here = slice(first - window.first_frame, last - window.first_frame)
        there = slice(first - self.first_frame, last - self.first_frame)
        track.landmarks[here] = self._landmarks[there]
        track.boxes[here] = self._boxes[there]
        present = ~np.isnan(self._landmarks[there, 0, 0])
        crops = self._crops(there, track.crops.shape[-1])
        for position, crop, is_present in zip(range(here.start, here.stop), crops, present, strict=True):
            if is_present:  # what stands for a gap is black but for the rounding of the encoder
                track.crops[position] = crop

    def _crops(self, there: slice, size_px: int) -> Iterable[Frames]:
        if self._pixels is None and self._pictures is None:
            self._pixels = decoded(self._folder, self._record, size_px=size_px)
        if self._pixels is not None:
            return self._pixels[there]
        if self._pictures is None:
            self._pictures = read_crops(self._folder / CROPS_NAME, fps=self._fps, first=self._first)
        return [self._next_crop(self._pictures, size_px) for _ in range(there.start, there.stop)]

    def _next_crop(self, pictures: Iterator[RGB], size_px: int) -> Frames:
        picture = next(pictures, None)
        if picture is None or picture.shape != (size_px, size_px, 3):
            what = "ends early" if picture is None else f"shows {picture.shape} pictures"
            raise StoreError(f"{self._folder / CROPS_NAME}: {what}; {self._record.n_frames} of {size_px} px are due.")
        return picture.transpose(2, 0, 1)

    def _array(self, name: str, shape: tuple[int, ...]) -> Floats:
        path = self._folder / name
        try:
            array: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise StoreError(f"{path}: cannot be read ({error}). Prepare the source again.") from error
        if array.shape != shape or array.dtype != np.float32:
            raise StoreError(f"{path}: holds {array.dtype} {array.shape}, expected float32 {shape}. Prepare it again.")
        return array


def spans(mask: Mask, *, offset: int = 0) -> Spans:
    """The stretches where a mask holds, (T,), as [first, one past the last], each plus `offset`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(first + offset, last + offset) for first, last in edges.reshape(-1, 2).tolist()]


def extend(known: Spans, more: Spans) -> None:
    """Append stretches that follow; one that touches the last goes on with it."""
    for first, last in more:
        if known and known[-1][1] == first:
            known[-1] = (known[-1][0], last)
        else:
            known.append((first, last))


def mask_of(known: Spans, first: int, last: int) -> Mask:
    """The mask of the stretch from `first` to `last`, (last − first,)."""
    mask = np.zeros(last - first, np.bool_)
    for start, end in known:
        mask[max(start - first, 0) : max(min(end, last) - first, 0)] = True
    return mask
