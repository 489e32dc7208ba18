"""One media file in, Samples out: the same path for training and for detection."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from hashformer.clock import Stopwatch
from hashformer.config import Config
from hashformer.faces.follow import FaceFinder, FrameFaces
from hashformer.faces.landmarks import N_LANDMARKS
from hashformer.media.audio import AudioBlock, blocks
from hashformer.media.video import GridFrame, frames
from hashformer.perturb import Perturbation
from hashformer.preprocess.ahead import ahead
from hashformer.results import MediaInfo
from hashformer.timebase import Window, n_frames_covering
from hashformer.types import FaceTrack, Sample

STRETCH_S = 4
"""Seconds in one Sample of a long file. It bounds the memory and decides nothing else."""
PICTURES_AHEAD = 4
"""Whole pictures that are decoded ahead of the search for faces."""


def extract(  # noqa: PLR0913 -- the parts are passed in, not built here
    path: Path,
    info: MediaInfo,
    config: Config,
    finder: FaceFinder,
    *,
    stopwatch: Stopwatch | None = None,
    problems: list[str] | None = None,
    stretch_s: int = STRETCH_S,
    perturbation: Perturbation | None = None,
) -> Iterator[Sample]:
    """Prepare a media file: follow its faces, crop them, and cut its sound to the same seconds.

    Args:
        path: The file.
        info: What `media.probe` says of it.
        config: Rates and crop; `faces` must be what `finder` was made with.
        finder: The face models, loaded.
        stopwatch: Takes the times of `decode`, `detect`, `landmarks` and `crop`.
        problems: Takes a line for each fault of the file that could be passed over.
        stretch_s: Whole seconds in one Sample; the last is shorter.
        perturbation: Spoils the whole pictures of the grid, before a face is looked for, or the sound.

    Yields:
        Samples that follow each other without gap from time zero to the end of the longer stream.
        The file is read as they are taken; memory does not grow with its length.

    Raises:
        MediaError: If the file cannot be decoded.
    """
    stopwatch = stopwatch if stopwatch is not None else Stopwatch()
    clip = config.clip
    stretch = Window(0, stretch_s * clip.fps, clip.fps)
    pictures: Iterator[FrameFaces] = iter(())
    sounds: Iterator[AudioBlock] = iter(())
    if info.video is not None:
        grid = _pictures(path, fps=clip.fps, stopwatch=stopwatch, problems=problems)
        if perturbation is not None:
            grid = perturbation.pictures(grid, fps=clip.fps, problems=problems)
        pictures = finder.follow(grid, fps=clip.fps, stopwatch=stopwatch, problems=problems)
    if info.audio is not None:
        n_samples = stretch_s * clip.sample_rate_hz
        read = blocks(path, sample_rate_hz=clip.sample_rate_hz, block_samples=n_samples, problems=problems)
        sounds = stopwatch.each("decode", read)
        if perturbation is not None:
            sounds = perturbation.sound(sounds, sample_rate_hz=clip.sample_rate_hz)
    while True:
        seen, heard = list(islice(pictures, stretch.n_frames)), next(sounds, None)
        if not seen and heard is None:
            return
        n_heard = n_frames_covering(len(heard.samples), clip.sample_rate_hz, clip.fps) if heard else 0
        window = Window(stretch.first_frame, min(max(len(seen), n_heard), stretch.n_frames), clip.fps)
        yield _sample(window, seen, heard, has_sound=info.audio is not None, config=config)
        stretch = Window(stretch.last_frame, stretch.n_frames, clip.fps)


def _pictures(path: Path, *, fps: int, stopwatch: Stopwatch, problems: list[str] | None) -> Iterator[GridFrame]:
    """The grid, decoded ahead; its faults are told when it has been taken, so that their order is always the same."""
    faults: list[str] = []
    try:
        yield from ahead(stopwatch.each("decode", frames(path, fps=fps, problems=faults)), n=PICTURES_AHEAD)
    finally:
        if problems is not None:
            problems.extend(line for line in faults if line not in problems)


def _sample(
    window: Window, seen: Sequence[FrameFaces], heard: AudioBlock | None, *, has_sound: bool, config: Config
) -> Sample:
    picture_present = np.zeros(window.n_frames, np.bool_)
    picture_present[: len(seen)] = [frame.has_picture for frame in seen]
    waveform = waveform_present = None
    if has_sound:
        first, last = window.samples(config.clip.sample_rate_hz)
        waveform, waveform_present = np.zeros(last - first, np.float32), np.zeros(last - first, np.bool_)
        if heard is not None:
            n_samples = min(len(heard.samples), last - first)
            waveform[:n_samples] = heard.samples[:n_samples]
            waveform_present[:n_samples] = heard.present[:n_samples]
    return Sample(
        window=window,
        sample_rate_hz=config.clip.sample_rate_hz,
        waveform=waveform,
        waveform_present=waveform_present,
        picture_present=picture_present,
        tracks=_tracks(window, seen, config.faces.size_px),
    )


def _tracks(window: Window, seen: Sequence[FrameFaces], size_px: int) -> tuple[FaceTrack, ...]:
    tracks: dict[int, FaceTrack] = {}
    for position, frame in enumerate(seen):
        for face in frame.faces:
            track = tracks.get(face.track_id)
            if track is None:
                track = tracks[face.track_id] = empty_track(face.track_id, window, size_px)
            track.crops[position] = face.pixels
            track.landmarks[position] = face.landmarks
            track.boxes[position] = face.box
    return tuple(tracks[track_id] for track_id in sorted(tracks))


def empty_track(track_id: int, window: Window, size_px: int) -> FaceTrack:
    """A track that is one gap, to be filled in."""
    return FaceTrack(
        track_id=track_id,
        window=window,
        crops=np.zeros((window.n_frames, 3, size_px, size_px), np.uint8),
        landmarks=np.full((window.n_frames, N_LANDMARKS, 2), np.nan, np.float32),
        boxes=np.full((window.n_frames, 4), np.nan, np.float32),
    )
