"""The few most suspect clips of a file, held back while it passes by."""

from hashformer.data.quality import Judged
from hashformer.detector import ClipAnswer
from hashformer.timebase import Window
from hashformer.types import Clip


class SuspectKeeper:
    """Keeps the most suspect clips, none of which shows the same face at the same time as another.

    Pass it to `Detector.detect` as `watch`. It holds `n_clips` clips at most.
    """

    def __init__(self, n_clips: int) -> None:
        self._n_clips = n_clips
        self._kept: list[tuple[float, Clip]] = []

    @property
    def clips(self) -> list[Clip]:
        """What was kept, the most suspect first."""
        return [clip for _, clip in sorted(self._kept, key=lambda entry: -entry[0])]

    def __call__(self, judged: Judged, answer: ClipAnswer) -> None:
        """Keep the clip if it is more suspect than its rivals: those that it overlaps, or else the least suspect."""
        if self._n_clips < 1 or "overall" not in answer.scores:
            return
        score, clip = answer.scores["overall"], judged.clip
        rivals = [entry for entry in self._kept if _same_moment(entry[1], clip)]
        if not rivals and len(self._kept) == self._n_clips:
            rivals = [min(self._kept, key=lambda entry: entry[0])]
        if all(score > rival for rival, _ in rivals):
            self._kept = [entry for entry in self._kept if all(entry is not rival for rival in rivals)]
            self._kept.append((score, clip))


def _same_moment(one: Clip, other: Clip) -> bool:
    return _face(one) == _face(other) and _overlap(one.window, other.window)


def _face(clip: Clip) -> int | None:
    return None if clip.frames is None else clip.track_id


def _overlap(one: Window, other: Window) -> bool:
    return one.first_frame < other.last_frame and other.first_frame < one.last_frame
