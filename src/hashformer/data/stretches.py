"""A stretch of a prepared file, drawn at random: what forgeries are made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hashformer.config import ClipConfig, QualityConfig
from hashformer.data.clips import clips_of
from hashformer.data.forge.narrow import narrow
from hashformer.data.quality import judge
from hashformer.preprocess.record import SampleRecord, read_record
from hashformer.preprocess.store import read_samples
from hashformer.timebase import Window
from hashformer.types import Clip, Sample


class Stretch(NamedTuple):
    """A stretch of one face, or of sound alone.

    Attributes:
        clip: What is to be forged.
        rest: Another moment of the same file, as long as a clip at least; `clip` itself if the file is too short.
    """

    clip: Clip
    rest: Clip


class StretchReader:
    """Draws stretches of prepared files.

    Args:
        clip: Length and rates of the clips that stretches are cut into.
        quality: Streams below it are taken out.
        span_s: Longest stretch, seconds.
        context_samples: Sound on each side.
    """

    def __init__(self, clip: ClipConfig, quality: QualityConfig, *, span_s: float, context_samples: int) -> None:
        self._clip, self._quality, self._context = clip, quality, context_samples
        self._span_frames = max(clip.n_frames, round(span_s * clip.fps))

    def draw(self, folder: Path, rng: np.random.Generator) -> Stretch | None:
        """Draw a stretch.

        Args:
            folder: A prepared file.
            rng: Source of chance.

        Returns:
            A stretch; None if the file has none in which face or sound are good enough.

        Raises:
            StoreError: If the folder is damaged.
            MediaError: If crops or sound cannot be decoded.
        """
        window = self._place(read_record(folder), rng)
        if window is None:
            return None
        found = clips_of(covering(folder, window), window, self._clip, context_samples=self._context)
        if not found:
            return None
        whole = found[int(rng.integers(len(found)))]
        first = self._cut(whole, rng)
        judged = judge(first, self._quality)
        return None if judged.empty else Stretch(judged.clip, self._rest(whole, judged.clip))

    def _place(self, record: SampleRecord, rng: np.random.Generator) -> Window | None:
        """Where to read: within one face's time if there is a face; up to two spans, for the rest."""
        first, n_frames = 0, record.n_frames
        if record.tracks:
            lengths = np.array([track.n_frames for track in record.tracks], np.float64)
            track = record.tracks[int(rng.choice(len(lengths), p=lengths / lengths.sum()))]
            if track.n_frames >= self._clip.n_frames:
                first, n_frames = track.first_frame, track.n_frames
        if n_frames < self._clip.min_frames * self._clip.n_frames:
            return None
        length = max(self._clip.n_frames, min(n_frames, 2 * self._span_frames))
        start = first + int(rng.integers(max(0, n_frames - length) + 1))
        return Window(start, length, self._clip.fps)

    def _cut(self, whole: Clip, rng: np.random.Generator) -> Clip:
        n_frames = min(self._span_frames, whole.window.n_frames)
        start = whole.window.first_frame + int(rng.choice([0, whole.window.n_frames - n_frames]))
        return narrow(whole, Window(start, n_frames, whole.window.fps), sample_rate_hz=self._clip.sample_rate_hz)

    def _rest(self, whole: Clip, clip: Clip) -> Clip:
        before = clip.window.first_frame - whole.window.first_frame
        after = whole.window.last_frame - clip.window.last_frame
        if max(before, after) < self._clip.n_frames:
            return clip
        start = whole.window.first_frame if before >= after else clip.window.last_frame
        window = Window(start, max(before, after), whole.window.fps)
        rest = judge(narrow(whole, window, sample_rate_hz=self._clip.sample_rate_hz), self._quality)
        return clip if rest.empty else rest.clip


def covering(folder: Path, window: Window) -> Sequence[Sample]:
    """The Samples around a window, one more second on both sides for the context."""
    held = []
    for sample in read_samples(folder, stretch_s=1, from_frame=window.first_frame - window.fps):
        held.append(sample)
        if sample.window.last_frame >= window.last_frame + window.fps:
            break
    return held
