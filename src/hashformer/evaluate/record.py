"""What scoring one file gave, as it is kept on disk until the table is made."""

from pydantic import BaseModel, ConfigDict

from hashformer.detector import Examined
from hashformer.detector.verdict import NOT_JUDGED
from hashformer.results import ScoreName, Scores, Status

ScoresByHead = dict[ScoreName, float]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrackScores(_Record):
    """One face throughout the file."""

    track_id: int
    start_s: float
    end_s: float
    status: Status
    reason: str
    n_clips: int
    scores: ScoresByHead


class ClipScores(_Record):
    """One clip. `track_id` is None for sound alone; without scores, `reason` says why."""

    first_frame: int
    n_frames: int
    fps: int
    track_id: int | None
    reason: str
    scores: ScoresByHead
    logits: ScoresByHead


class FileScores(_Record):
    """One file of the manifest, whatever became of it."""

    path: str
    status: Status
    reason: str = ""
    duration_s: float | None = None
    scores: ScoresByHead = {}
    tracks: list[TrackScores] = []
    clips: list[ClipScores] = []

    @classmethod
    def of(cls, path: str, examined: Examined) -> "FileScores":
        """Keep of an answer what evaluation needs.

        Args:
            path: As the manifest has it.
            examined: The answer for the file and its clips.
        """
        found = examined.detection
        return cls(
            path=path,
            status=found.status,
            reason=found.reason or "; ".join(w for w in found.warnings if NOT_JUDGED in w),
            duration_s=found.duration_s,
            scores=_given(found.score, found.scores),
            tracks=[
                TrackScores(
                    track_id=track.track_id,
                    start_s=track.start_s,
                    end_s=track.end_s,
                    status=track.status,
                    reason=track.reason or "",
                    n_clips=track.clips,
                    scores=_given(track.score, track.scores),
                )
                for track in found.tracks
            ],
            clips=[
                ClipScores(
                    first_frame=clip.window.first_frame,
                    n_frames=clip.window.n_frames,
                    fps=clip.window.fps,
                    track_id=clip.track_id,
                    reason=clip.reason,
                    scores=dict(clip.scores),
                    logits=dict(clip.logits),
                )
                for clip in examined.clips
            ],
        )


def _given(overall: float | None, parts: Scores) -> ScoresByHead:
    named: dict[ScoreName, float | None] = {
        "overall": overall,
        "video": parts.video,
        "audio": parts.audio,
        "sync": parts.sync,
    }
    return {name: score for name, score in named.items() if score is not None}
