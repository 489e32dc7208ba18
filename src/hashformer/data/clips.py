"""Clips from Samples: what training and detection both cut, so that they cannot disagree."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from hashformer.config import ClipConfig
from hashformer.errors import ConfigError
from hashformer.preprocess.extract import empty_track
from hashformer.timebase import Window, windows
from hashformer.types import Clip, FaceTrack, Floats, Sample


def cut(samples: Iterable[Sample], config: ClipConfig, *, context_samples: int = 0) -> Iterator[Clip]:
    """Slide a window over consecutive Samples of one file.

    A window gives one Clip for each face that is there for at least `min_frames` of it, or one of sound
    alone where there is no such face. Windows start every `stride_s`; one more ends where the file
    ends. A file shorter than a window, but not than `min_frames` of one, gives one window with a gap
    at its end.

    Args:
        samples: Samples that follow each other from time zero.
        config: Length, stride and rates.
        context_samples: Sound on each side of a clip, in samples, at most a frame; zeros where the file ends.

    Yields:
        Clips in order of time, then of track. Only the Samples that overlap the window are held.

    Raises:
        ConfigError: If the Samples were made at other rates than the clips'.
    """
    held: list[Sample] = []
    next_frame = end = 0
    for sample in samples:
        _check_rates(sample, config)
        held.append(sample)
        end = sample.window.last_frame
        # One frame is kept back: the context behind a window must have been read.
        for window in _slide(config, end - 1, next_frame):
            yield from _cut_window(held, window, config, context_samples)
            next_frame = window.first_frame + config.stride_frames
        held = [part for part in held if part.window.last_frame >= min(next_frame, end - config.n_frames)]
    for window in _slide(config, end, next_frame):
        yield from _cut_window(held, window, config, context_samples)
        next_frame = window.first_frame + config.stride_frames
    covered = next_frame - config.stride_frames + config.n_frames if next_frame else 0
    if end > covered and end >= config.min_frames * config.n_frames:
        last = Window(max(0, end - config.n_frames), config.n_frames, config.fps)
        yield from _cut_window(held, last, config, context_samples)


def clips_of(samples: Sequence[Sample], window: Window, config: ClipConfig, *, context_samples: int = 0) -> list[Clip]:
    """Cut one window of any length out of Samples: a Clip for each face, or one of sound alone, as `cut` does.

    Raises:
        ConfigError: If the Samples were made at other rates than the clips'.
    """
    for sample in samples:
        _check_rates(sample, config)
    return list(_cut_window(list(samples), window, config, context_samples))


def _check_rates(sample: Sample, config: ClipConfig) -> None:
    made, wanted = (sample.window.fps, sample.sample_rate_hz), (config.fps, config.sample_rate_hz)
    if made != wanted:
        raise ConfigError(
            f"Samples of {made[0]} fps and {made[1]} Hz do not fit clips of {wanted[0]} fps and {wanted[1]} Hz"
        )


def _slide(config: ClipConfig, n_frames: int, first_frame: int) -> Iterator[Window]:
    return windows(
        n_frames,
        window_frames=config.n_frames,
        stride_frames=config.stride_frames,
        fps=config.fps,
        first_frame=first_frame,
    )


def _cut_window(held: list[Sample], window: Window, config: ClipConfig, context_samples: int) -> Iterator[Clip]:
    waveform = _waveform(held, window, config, context_samples)
    track_ids = sorted({track.track_id for sample in held for track in sample.tracks})
    tracks = [_track(held, track_id, window) for track_id in track_ids]
    tracks = [track for track in tracks if track.present.mean() >= config.min_frames]
    for track in tracks:
        yield Clip(
            window=window,
            track_id=track.track_id,
            frames=track.crops,
            landmarks=track.landmarks,
            boxes=track.boxes,
            waveform=waveform,
            context_samples=context_samples,
        )
    if not tracks and waveform is not None:
        yield Clip(
            window=window,
            track_id=None,
            frames=None,
            landmarks=None,
            boxes=None,
            waveform=waveform,
            context_samples=context_samples,
        )


def _track(held: list[Sample], track_id: int, window: Window) -> FaceTrack:
    """The frames of one track that lie in a window, gathered from the Samples that it spans."""
    parts = [track for sample in held for track in sample.tracks if track.track_id == track_id]
    whole = empty_track(track_id, window, parts[0].crops.shape[-1])
    for part in parts:
        first = max(part.window.first_frame, window.first_frame)
        last = min(part.window.last_frame, window.last_frame)
        if first < last:
            here = slice(first - window.first_frame, last - window.first_frame)
            there = slice(first - part.window.first_frame, last - part.window.first_frame)
            whole.crops[here] = part.crops[there]
            whole.landmarks[here] = part.landmarks[there]
            whole.boxes[here] = part.boxes[there]
    return whole


def _waveform(held: list[Sample], window: Window, config: ClipConfig, context_samples: int) -> Floats | None:
    """The sound of a window with its context; None where too little of it exists."""
    start, end = window.samples(config.sample_rate_hz)
    waveform = np.zeros(end - start + 2 * context_samples, np.float32)
    n_present = 0
    for sample in held:
        if sample.waveform is None or sample.waveform_present is None:
            continue
        offset = sample.window.samples(sample.sample_rate_hz)[0]
        first = max(offset, start - context_samples)
        last = min(offset + len(sample.waveform), end + context_samples)
        if first < last:
            to = first - start + context_samples
            waveform[to : to + last - first] = sample.waveform[first - offset : last - offset]
            inside = slice(max(first, start) - offset, max(min(last, end) - offset, 0))
            n_present += int(sample.waveform_present[inside].sum())
    return waveform if n_present >= config.min_sound * (end - start) else None
