"""What is gathered while the clips of one file pass by: scores, faces seen, reasons, thumbnails."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from hashformer.data.quality import Judged
from hashformer.results import ScoreName, Thumbnail
from hashformer.timebase import Window
from hashformer.timeline import ClipScore
from hashformer.types import Clip, Sample


@dataclass(frozen=True, kw_only=True)
class ClipAnswer:
    """What became of one clip.

    Attributes:
        window: The seconds it covers.
        track_id: The face; None for sound alone, also where the face was taken out.
        scores: What was judged; empty if nothing could be.
        logits: The same heads before calibration.
        reason: What could not be judged and why; empty if all that was there was judged.
    """

    window: Window
    track_id: int | None
    scores: Mapping[ScoreName, float] = field(default_factory=dict)
    logits: Mapping[ScoreName, float] = field(default_factory=dict)
    reason: str = ""


Watch = Callable[[Judged, ClipAnswer], None]
"""Is shown each clip that was scored, and its answer."""

N_THUMBNAILS = 6
"""Most suspect moments that are kept for each face."""
N_LEAST = 3
"""Least suspect moments that are kept for each face."""
_JPEG_QUALITY = 85


@dataclass
class TrackTally:
    """One face, so far.

    Attributes:
        track_id: The same for one face throughout the file.
        first_frame: Grid frame on which it was first seen.
        last_frame: Grid frame on which it was last seen.
        n_seen: Frames on which it was seen.
        face_px: Width of the face in each of its clips, in the source picture.
        scores: Scores of the clips that could be judged.
        faults: Why clips could not be judged, with their number.
        most: Its most suspect moments.
        least: Its least suspect moments.
    """

    track_id: int
    first_frame: int
    last_frame: int
    n_seen: int = 0
    face_px: list[float] = field(default_factory=list)
    scores: list[ClipScore] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    most: "Moments" = field(default_factory=lambda: Moments(N_THUMBNAILS))
    least: "Moments" = field(default_factory=lambda: Moments(N_LEAST, lowest=True))

    @property
    def thumbnails(self) -> list[Thumbnail]:
        """The most suspect moments, the worst first, then the least suspect of the other seconds."""
        apart = [
            moment.model_copy(update={"kind": "least"})
            for second, moment in self.least.kept.items()
            if second not in self.most.kept
        ]
        most = sorted(self.most.kept.values(), key=lambda moment: -(moment.score or 0.0))
        return most + sorted(apart, key=lambda moment: moment.score or 0.0)

    def remember(self, clip: Clip, score: float) -> None:
        """Keep a picture of the clip's middle if it is among the most or the least suspect seconds."""
        self.most.offer(clip, score)
        self.least.offer(clip, score)


class Moments:
    """The few most, or least, suspect seconds of a face, each with the picture of one moment."""

    def __init__(self, number: int, *, lowest: bool = False) -> None:
        self.kept: dict[int, Thumbnail] = {}
        self._number = number
        self._sign = -1 if lowest else 1

    def offer(self, clip: Clip, score: float) -> None:
        """Keep the clip's middle if it is more extreme than what is kept of its second, or than another second."""
        second = int(clip.window.start_s)
        if second in self.kept:
            rival = second
        elif len(self.kept) < self._number:
            self.kept[second] = _thumbnail(clip, score)
            return
        else:
            rival = min(self.kept, key=self._rank)
        if self._rank(rival) < self._sign * score:
            del self.kept[rival]
            self.kept[second] = _thumbnail(clip, score)

    def _rank(self, second: int) -> float:
        return self._sign * (self.kept[second].score or 0.0)


def _thumbnail(clip: Clip, score: float) -> Thumbnail:
    if clip.frames is None or clip.landmarks is None:
        raise ValueError("a clip without a face has no thumbnail")
    shown = np.flatnonzero(~np.isnan(clip.landmarks[:, 0, 0]))
    middle = int(shown[len(shown) // 2])
    bgr = np.ascontiguousarray(np.moveaxis(clip.frames[middle], 0, -1)[:, :, ::-1])
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    time_s = (clip.window.first_frame + middle) / clip.window.fps
    data = jpeg.tobytes()
    return Thumbnail(time_s=time_s, score=score, picture_sha256=hashlib.sha256(data).hexdigest(), jpeg=data)


class Tally:
    """One file, so far. It grows by a few numbers a second, whatever the size of the pictures."""

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch
        self.tracks: dict[int, TrackTally] = {}
        self.clips: list[ClipAnswer] = []
        self.sound: list[ClipScore] = []
        self.sound_faults: Counter[str] = Counter()
        self.n_frames = 0
        self.n_clips = 0

    @property
    def scores(self) -> list[ClipScore]:
        """The scores of every clip with a face that could be judged, then those of the sound."""
        return [score for track in self.tracks.values() for score in track.scores] + self.sound

    @property
    def answers(self) -> list[ClipAnswer]:
        """What became of each clip, in order of time, then of face.

        The sound of a window whose faces were taken out stands once, and not at all beside a face that was
        judged with it.
        """
        with_face = {answer.window for answer in self.clips if answer.scores and answer.track_id is not None}
        alone = {a.window: a for a in self.clips if a.scores and a.track_id is None and a.window not in with_face}
        rest = [answer for answer in self.clips if not answer.scores or answer.track_id is not None]
        kept = [*alone.values(), *rest]
        return sorted(kept, key=lambda a: (a.window.first_frame, -1 if a.track_id is None else a.track_id))

    def watch(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Pass Samples on and note which faces they show."""
        for sample in samples:
            self.n_frames = sample.window.last_frame
            for track in sample.tracks:
                seen = np.flatnonzero(track.present) + track.window.first_frame
                entry = self.tracks.setdefault(track.track_id, TrackTally(track.track_id, int(seen[0]), int(seen[-1])))
                entry.last_frame = int(seen[-1])
                entry.n_seen += len(seen)
            yield sample

    def note(self, judged: Judged) -> None:
        """Count a clip and the reasons why a part of it could not be judged."""
        self.n_clips += 1
        if judged.empty:
            reason = why(judged)
            self.clips.append(ClipAnswer(window=judged.clip.window, track_id=judged.clip.track_id, reason=reason))
        if judged.no_audio:
            self.sound_faults[judged.no_audio] += 1
        if judged.clip.track_id is not None:
            track = self.tracks[judged.clip.track_id]
            if judged.face_px is not None:
                track.face_px.append(judged.face_px)
            if judged.no_video:
                track.faults[judged.no_video] += 1

    def add(self, judged: Judged, answer: ClipAnswer) -> None:
        """Take the scores of a clip."""
        clip = judged.clip
        score = ClipScore(window=clip.window, track_id=answer.track_id, scores=answer.scores)
        self.clips.append(answer)
        if clip.waveform is not None and (not self.sound or self.sound[-1].window != clip.window):
            heard: dict[ScoreName, float] = {name: value for name, value in answer.scores.items() if name == "audio"}
            if clip.frames is None and "overall" in answer.scores:
                heard["overall"] = answer.scores["overall"]
            self.sound.append(ClipScore(window=clip.window, track_id=None, scores=heard))
        if clip.frames is not None and clip.track_id is not None:
            track = self.tracks[clip.track_id]
            track.scores.append(score)
            track.remember(clip, answer.scores["overall"])
        if self._watch is not None:
            self._watch(judged, answer)


def why(judged: Judged) -> str:
    """What of a clip could not be judged; empty if all that it has could."""
    return "; ".join(reason for reason in (judged.no_video, judged.no_audio) if reason)
