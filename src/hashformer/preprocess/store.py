"""Samples to disk and back, as a stream both ways: one folder for each media file.

```
clip.mp4/                   named like the source, so that no two sources share a folder
  sample.json               what the rest is; see `record.SampleRecord`
  clip.wav                  mono, 32-bit float, as long as the file; absent without sound
  track_000/
    cropped_video.mp4       picture k is grid frame first_frame + k
    landmarks.npy           (T, 478, 2) float32, NaN in gaps
    boxes.npy               (T, 4) float32, NaN in gaps
```
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

import numpy as np

from hashformer.errors import StoreError
from hashformer.media.wav import WavWriter, read_wav
from hashformer.preprocess.extract import STRETCH_S, empty_track
from hashformer.preprocess.folders import DiskFullError, appearing
from hashformer.preprocess.parts import PartReader, PartWriter, extend, mask_of, spans
from hashformer.preprocess.record import (
    RECORD_NAME,
    PrepareSettings,
    SampleRecord,
    Source,
    Spans,
    TrackRecord,
    read_record,
)
from hashformer.timebase import Window
from hashformer.types import FaceTrack, Sample

__all__ = ["DiskFullError", "read_record", "read_samples", "write_samples"]


def write_samples(
    folder: Path,
    samples: Iterable[Sample],
    *,
    source: Source,
    settings: PrepareSettings,
    problems: Sequence[str] = (),
) -> SampleRecord:
    """Write the Samples of one media file as they come; the folder appears when it is complete.

    Until then everything lies in a hidden folder beside it, `.<name>.partial`. One that a killed run
    left behind is removed first. A folder that is there already is replaced at the end.

    Args:
        folder: Where to; its parents are made.
        samples: Samples that follow each other from time zero, as `extract` yields them.
        source: The media file.
        settings: What the Samples were made with.
        problems: Read when the last Sample is written, so a list that `extract` fills may be passed.

    Returns:
        What was written, as it stands in `sample.json`.

    Raises:
        DiskFullError: If the disk is full; nothing of this file remains.
        StoreError: If there is no Sample, or the folder cannot be written.
    """
    with appearing(folder, marker=RECORD_NAME) as temporary:
        writer = _Writer(temporary, f"{PurePath(source.path).stem}.wav")
        try:
            for sample in samples:
                writer.add(sample)
            record = writer.finish(source, settings, problems)
        finally:
            writer.abandon()
        (temporary / RECORD_NAME).write_text(record.to_json(), encoding="utf-8")
    return record


def read_samples(folder: Path, *, stretch_s: int = STRETCH_S, from_frame: int = 0) -> Iterator[Sample]:
    """Read a prepared file back: what `extract` gave, the crops but for the encoder's rounding.

    Args:
        folder: The folder that `write_samples` made.
        stretch_s: Whole seconds in one Sample; the last is shorter.
        from_frame: Samples that end before this grid frame are left out, at little cost.

    Yields:
        Samples that follow each other, from time zero or from that which holds `from_frame`. Memory does not
        grow with the file's length.

    Raises:
        ValueError: If `stretch_s` is below 1.
        StoreError: If a file is missing, damaged or of another version.
        MediaError: If crops or sound cannot be decoded.
    """
    if stretch_s < 1:
        raise ValueError(f"stretch_s must be at least 1, got {stretch_s}")
    record = read_record(folder)
    fps = record.settings.fps
    waiting = sorted(record.tracks, key=lambda track: track.first_frame)
    reading: list[tuple[int, PartReader]] = []
    start = max(0, from_frame) // (stretch_s * fps) * (stretch_s * fps)
    waiting = [part for part in waiting if part.first_frame + part.n_frames > start]
    for first in range(start, record.n_frames, stretch_s * fps):
        window = Window(first, min(stretch_s * fps, record.n_frames - first), fps)
        while waiting and waiting[0].first_frame < window.last_frame:
            part = waiting.pop(0)
            reading.append((part.track_id, PartReader(folder, part, fps=fps, first_frame=start)))
        yield _sample(folder, record, window, reading)
        reading = [(track_id, part) for track_id, part in reading if part.last_frame > window.last_frame]


def _sample(folder: Path, record: SampleRecord, window: Window, reading: list[tuple[int, PartReader]]) -> Sample:
    rate_hz = record.settings.sample_rate_hz
    first, last = window.samples(rate_hz)
    tracks: dict[int, FaceTrack] = {}
    for track_id, part in reading:
        if track_id not in tracks:
            tracks[track_id] = empty_track(track_id, window, record.settings.faces.size_px)
        part.copy_into(tracks[track_id])
    waveform = None
    if record.waveform is not None:
        waveform = read_wav(folder / record.waveform, first, last - first)
        if len(waveform) != last - first:
            raise StoreError(f"{folder / record.waveform}: ends early, at {len(waveform) + first} samples.")
    return Sample(
        window=window,
        sample_rate_hz=rate_hz,
        waveform=waveform,
        waveform_present=None if waveform is None else mask_of(record.sound_present, first, last),
        picture_present=mask_of(record.picture_present, window.first_frame, window.last_frame),
        # A track that is one gap here is not there, as `extract` has it.
        tracks=tuple(tracks[track_id] for track_id in sorted(tracks) if tracks[track_id].present.any()),
    )


class _Writer:
    """Takes Samples one by one and keeps only what is open: the sound and the faces now in view."""

    def __init__(self, folder: Path, waveform_name: str) -> None:
        self._folder, self._waveform_name = folder, waveform_name
        self._sound: WavWriter | None = None
        self._parts: dict[int, PartWriter] = {}
        self._n_parts: dict[int, int] = {}
        self._tracks: list[TrackRecord] = []
        self._sound_present: Spans = []
        self._picture_present: Spans = []
        self._next_frame = 0

    def add(self, sample: Sample) -> None:
        window = sample.window
        if window.first_frame != self._next_frame:
            raise ValueError(f"the next Sample must begin at frame {self._next_frame}, got {window.first_frame}")
        self._next_frame = window.last_frame
        extend(self._picture_present, spans(sample.picture_present, offset=window.first_frame))
        self._add_sound(sample)
        for track in sample.tracks:
            if not track.present.any():
                continue
            first_seen = window.first_frame + int(np.argmax(track.present))
            part = self._parts.get(track.track_id)
            if part is not None and part.is_away(first_seen):
                self._finish_part(track.track_id)
                part = None
            (part or self._new_part(track)).add(track)
        for track_id in [key for key, part in self._parts.items() if part.is_away(window.last_frame)]:
            self._finish_part(track_id)

    def finish(self, source: Source, settings: PrepareSettings, problems: Sequence[str]) -> SampleRecord:
        if not self._next_frame:
            raise StoreError(f"{source.path}: nothing to store: neither a picture nor sound could be decoded.")
        for track_id in list(self._parts):
            self._finish_part(track_id)
        sound, self._sound = self._sound, None
        if sound is not None:
            sound.close()
        return SampleRecord(
            source=source,
            settings=settings,
            settings_sha256=settings.digest,
            n_frames=self._next_frame,
            waveform=None if sound is None else self._waveform_name,
            sound_present=self._sound_present,
            picture_present=self._picture_present,
            tracks=sorted(self._tracks, key=lambda track: (track.track_id, track.first_frame)),
            problems=list(problems),
        )

    def abandon(self) -> None:
        """Close what an error left open."""
        for part in self._parts.values():
            part.abandon()
        if self._sound is not None:
            self._sound.close()

    def _add_sound(self, sample: Sample) -> None:
        if sample.waveform is None or sample.waveform_present is None:
            return
        first = sample.window.samples(sample.sample_rate_hz)[0]
        if self._sound is None:
            self._sound = WavWriter(self._folder / self._waveform_name, sample_rate_hz=sample.sample_rate_hz)
        self._sound.write(sample.waveform)
        extend(self._sound_present, spans(sample.waveform_present, offset=first))

    def _new_part(self, track: FaceTrack) -> PartWriter:
        number = self._n_parts[track.track_id] = self._n_parts.get(track.track_id, 0) + 1
        name = f"track_{track.track_id:03d}" + (f"_part_{number}" if number > 1 else "")
        part = self._parts[track.track_id] = PartWriter(self._folder / name, track)
        return part

    def _finish_part(self, track_id: int) -> None:
        self._tracks.append(self._parts[track_id].finish())
        del self._parts[track_id]
