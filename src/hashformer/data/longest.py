"""The longest stretch of a prepared file in which one face, or sound alone, is there throughout."""

from pathlib import Path
from typing import NamedTuple

from hashformer.config import Config
from hashformer.data.clips import clips_of
from hashformer.data.quality import judge
from hashformer.data.stretches import Stretch, covering
from hashformer.preprocess.record import SampleRecord, TrackRecord, read_record
from hashformer.timebase import Window
from hashformer.types import Clip


class _Run(NamedTuple):
    """Frames without a gap, and whose face is there; None for sound alone."""

    first: int
    last: int
    track_id: int | None


def longest_stretch(folder: Path, config: Config, *, max_s: float, context_samples: int) -> Stretch | None:
    """Take the longest stretch without a gap; of one that is too long its middle.

    Args:
        folder: A prepared file.
        config: Of the clips, and how good face and sound must be.
        max_s: At most so long, seconds.
        context_samples: Sound on each side.

    Returns:
        The stretch, and the longer of what is left of it before and after as another moment. None if there is
        none as long as a clip in which face or sound are good enough.

    Raises:
        StoreError: If the folder is damaged.
        MediaError: If crops or sound cannot be decoded.
    """
    run = _longest(read_record(folder))
    if run is None or run.last - run.first < config.clip.n_frames:
        return None
    n_frames = min(run.last - run.first, round(max_s * config.clip.fps))
    first = (run.first + run.last - n_frames) // 2
    clip = _good(folder, run, (first, first + n_frames), config, context_samples)
    if clip is None:
        return None
    before, after = (max(run.first, first - n_frames), first), (first + n_frames, min(run.last, first + 2 * n_frames))
    longer = max(before, after, key=lambda part: part[1] - part[0])
    rest = None
    if longer[1] - longer[0] >= config.clip.n_frames:
        rest = _good(folder, run, longer, config, context_samples)
    return Stretch(clip, rest or clip)


def _good(folder: Path, run: _Run, frames: tuple[int, int], config: Config, context_samples: int) -> Clip | None:
    """One face, or the sound, of these frames, as far as it is good enough."""
    window = Window(frames[0], frames[1] - frames[0], config.clip.fps)
    found = clips_of(covering(folder, window), window, config.clip, context_samples=context_samples)
    for clip in found:
        if clip.track_id == run.track_id:
            judged = judge(clip, config.quality)
            return None if judged.empty else judged.clip
    return None


def _longest(record: SampleRecord) -> _Run | None:
    runs = [run for track in record.tracks for run in _runs(track)]
    if not record.tracks:
        rate = record.settings.sample_rate_hz / record.settings.fps
        runs = [_Run(round(first / rate), int(last / rate), None) for first, last in record.sound_present]
    return max(runs, key=lambda run: run.last - run.first, default=None)


def _runs(track: TrackRecord) -> list[_Run]:
    """Stretches of a track between its gaps."""
    end = track.first_frame + track.n_frames
    starts = [track.first_frame, *(last for _, last in track.gaps)]
    ends = [*(first for first, _ in track.gaps), end]
    return [_Run(a, b, track.track_id) for a, b in zip(starts, ends, strict=True) if b > a]
