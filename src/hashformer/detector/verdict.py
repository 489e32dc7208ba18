"""From what was gathered to the answer: scores, segments, or 'cannot tell' and why."""

from collections import Counter
from statistics import median

from hashformer.config import Config
from hashformer.detector.tally import Tally, TrackTally
from hashformer.results import Detection, MediaInfo, Scores, Second, Segment, TrackResult, WeightsInfo
from hashformer.timebase import frame_time_s
from hashformer.timeline import file_scores, merge, per_second, pool_clips, segments

NOT_JUDGED = "was not judged"
"""In the warnings that say which part of a file has no score."""


def verdict(  # noqa: PLR0913 -- everything that the answer states
    tally: Tally,
    config: Config,
    *,
    path: str,
    sha256: str,
    media: MediaInfo,
    weights: WeightsInfo,
    warnings: list[str],
    timings_s: dict[str, float],
) -> Detection:
    """Put the answer for one file together.

    The file's score is that of its most suspect face; without a face that could be judged, that of the
    sound alone. A part that could not be judged is named in the warnings; if nothing could, the answer
    is 'cannot tell' with the reasons.
    """
    tracks = [_track(entry, config) for entry in sorted(tally.tracks.values(), key=lambda entry: entry.track_id)]
    scored = [track for track in tracks if track.status == "scored"]
    sound = per_second(tally.sound)
    scores = file_scores(tally.scores, config.timeline.pool_fraction)
    score = scores.get("overall")
    no_video, no_audio = _why_no_video(tally, tracks, media, config), _why_no_audio(tally, media, config)
    if score is None:
        reason = "; ".join(dict.fromkeys(why for why in (no_video, no_audio) if why))
        missing = []
    else:
        reason = None
        missing = [f"the picture {NOT_JUDGED}: {no_video}"] if no_video else []
        missing += [f"the sound {NOT_JUDGED}: {no_audio}"] if no_audio else []
    return Detection(
        path=path,
        sha256=sha256,
        status="scored" if score is not None else "cannot_tell",
        reason=reason,
        score=score,
        scores=Scores(video=scores.get("video"), audio=scores.get("audio"), sync=scores.get("sync")),
        segments=_segments(scored, sound, config),
        timeline=merge([track.timeline for track in scored], sound),
        tracks=tracks,
        warnings=[*warnings, *missing],
        media=media,
        duration_s=frame_time_s(tally.n_frames, config.clip.fps),
        weights=weights,
        timings_s=timings_s,
    )


def _track(entry: TrackTally, config: Config) -> TrackResult:
    fps, fraction = config.clip.fps, config.timeline.pool_fraction
    score = pool_clips(entry.scores, "overall", fraction)
    return TrackResult(
        track_id=entry.track_id,
        status="scored" if score is not None else "cannot_tell",
        reason=None if score is not None else _why_no_track(entry, config),
        score=score,
        scores=Scores(
            video=pool_clips(entry.scores, "video", fraction),
            audio=pool_clips(entry.scores, "audio", fraction),
            sync=pool_clips(entry.scores, "sync", fraction),
        ),
        start_s=frame_time_s(entry.first_frame, fps),
        end_s=frame_time_s(entry.last_frame + 1, fps),
        face_px=round(median(entry.face_px), 1) if entry.face_px else None,
        frames_seen=entry.n_seen,
        frames_missed=entry.last_frame - entry.first_frame + 1 - entry.n_seen,
        clips=len(entry.scores),
        timeline=per_second(entry.scores),
        thumbnails=entry.thumbnails,
    )


def _segments(tracks: list[TrackResult], sound: list[Second], config: Config) -> list[Segment]:
    found = [
        segment.model_copy(update={"track_id": track.track_id})
        for track in tracks
        for segment in segments(track.timeline, config.timeline, names=("overall", "video", "sync"))
    ]
    found += segments(sound, config.timeline, names=("audio",) if tracks else ("overall", "audio"))
    return sorted(found, key=lambda segment: (segment.start_s, segment.modality))


def _least_s(config: Config) -> float:
    """Seconds of a face that are enough for one clip."""
    return config.clip.min_frames * config.clip.duration_s


def _too_short(tally: Tally, config: Config) -> str | None:
    duration_s = frame_time_s(tally.n_frames, config.clip.fps)
    if duration_s < _least_s(config):
        return f"the file is too short: {duration_s:.1f} s, at least {_least_s(config):.1f} s are needed"
    return None


def _why_no_track(entry: TrackTally, config: Config) -> str:
    if entry.faults:
        return _commonest(entry.faults)
    seen_s = frame_time_s(entry.n_seen, config.clip.fps)
    return f"the face is seen for too short: {seen_s:.1f} s, at least {_least_s(config):.1f} s of one are needed"


def _why_no_video(tally: Tally, tracks: list[TrackResult], media: MediaInfo, config: Config) -> str | None:
    if any(track.status == "scored" for track in tracks):
        return None
    if media.video is None:
        return "the file has no picture"
    if not tracks:
        return _too_short(tally, config) or "no face was found"
    most_seen = max(tracks, key=lambda track: track.frames_seen)
    return _too_short(tally, config) or most_seen.reason


def _why_no_audio(tally: Tally, media: MediaInfo, config: Config) -> str | None:
    if tally.sound:
        return None
    if media.audio is None:
        return "the file has no sound"
    if tally.sound_faults:
        return _commonest(tally.sound_faults)
    return _too_short(tally, config) or "no stretch of sound is whole for the length of a clip"


def _commonest(faults: Counter[str]) -> str:
    return faults.most_common(1)[0][0]
