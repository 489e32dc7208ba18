"""Answers as plain text for a terminal."""

from collections.abc import Sequence

from hashformer.report.wording import SCORE_NAMES, clock, score_text, threshold_of, verdict, visible
from hashformer.results import Detection, Document, ScoreName, Scores, TrackResult

STAGES = ("decode", "detect", "landmarks", "crop", "features", "model")
_AFTER = ("evidence",)
"""Stages that only a report needs."""
_MOST_SEGMENTS = 10


def summary(file: Detection, document: Document) -> str:
    """The answer for one file in a few lines: verdict, scores, faces, suspect seconds, warnings."""
    threshold = threshold_of(document)
    said = verdict(file, threshold)
    lines = [
        visible(file.path),
        f"  {said.words}" + (f": {visible(file.reason)}" if file.reason else f". {said.meaning}"),
    ]
    if file.status == "scored":
        parts = _parts(file.scores, threshold)
        lines.append(f"  score {score_text(file.score, threshold)} (P(fake), 1 = fake); {parts}")
        lines += [f"  {_face(track.track_id)}: {_track_text(track, threshold)}" for track in file.tracks]
        lines += _segments_text(file, threshold)
    lines += [f"  note: {visible(warning)}" for warning in file.warnings]
    return "\n".join(lines)


def timing_table(files: Sequence[Detection]) -> str:
    """Seconds by stage over all files, and how many times faster than the media play."""
    media_s = sum(file.duration_s or 0.0 for file in files)
    stages = [*STAGES, *(stage for stage in _AFTER if any(stage in file.timings_s for file in files))]
    spent = {stage: sum(file.timings_s.get(stage, 0.0) for file in files) for stage in stages}
    busy_s = sum(spent.values())
    rows = [*spent.items(), ("all", busy_s)]
    if elapsed_s := sum(file.timings_s.get("elapsed", 0.0) for file in files):
        # Stages work at the same time: what the person waited for is less than their sum.
        rows.append(("elapsed", elapsed_s + sum(spent.get(stage, 0.0) for stage in _AFTER)))
    lines = [f"{'stage':<10} {'seconds':>9} {'share':>6} {'x real time':>12}"]
    for name, seconds in rows:
        share = f"{seconds / busy_s:.0%}" if busy_s else "-"
        rate = f"{media_s / seconds:.1f}" if seconds else "-"
        lines.append(f"{name:<10} {seconds:>9.2f} {share:>6} {rate:>12}")
    lines.append(f"{media_s:.1f} s of media in {len(files)} {'file' if len(files) == 1 else 'files'}")
    return "\n".join(lines)


def _face(track_id: int | None) -> str:
    return "sound" if track_id is None else f"face {track_id}"


def _parts(scores: Scores, threshold: float) -> str:
    names: dict[ScoreName, float | None] = {"video": scores.video, "audio": scores.audio, "sync": scores.sync}
    return ", ".join(f"{SCORE_NAMES[name].lower()} {score_text(score, threshold)}" for name, score in names.items())


def _track_text(track: TrackResult, threshold: float) -> str:
    seen = f"{clock(track.start_s)}–{clock(track.end_s)}"
    said = (
        f"score {score_text(track.score, threshold)}"
        if track.status == "scored"
        else f"cannot tell: {visible(track.reason or '')}"
    )
    size = f", {track.face_px:.0f} px wide" if track.face_px is not None else ""
    return f"{seen}{size}, {said}"


def _segments_text(file: Detection, threshold: float) -> list[str]:
    if file.weights is None or not file.weights.trained:
        return []
    lines = [
        f"  suspect {clock(part.start_s)}–{clock(part.end_s)} {SCORE_NAMES[part.modality].lower()}, "
        f"{_face(part.track_id)}, up to {score_text(part.score, threshold)}"
        for part in file.segments
    ]
    more = len(lines) - _MOST_SEGMENTS
    return [*lines[:_MOST_SEGMENTS], f"  and {more} more suspect stretches"] if more > 0 else lines
