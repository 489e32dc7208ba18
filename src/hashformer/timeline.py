"""From the scores of overlapping clips to seconds, suspect segments and one score."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hashformer.config import TimelineConfig
from hashformer.results import ScoreName, Second, Segment
from hashformer.timebase import Window

SCORES: tuple[ScoreName, ...] = ("overall", "video", "audio", "sync")


@dataclass(frozen=True, kw_only=True)
class ClipScore:
    """The scores of one clip; what could not be judged is left out of `scores`."""

    window: Window
    track_id: int | None
    scores: Mapping[ScoreName, float]


def pool(scores: Sequence[float], fraction: float) -> float | None:
    """One score for many clips: the mean of the highest `fraction` of them, at least one.

    A forgery that lasts for part of a video is not averaged away, and the value does not grow with
    the length of the video as a maximum would.

    Returns:
        The score, or None if there are no clips.
    """
    if not scores:
        return None
    highest = sorted(scores, reverse=True)[: math.ceil(len(scores) * fraction)]
    return sum(highest) / len(highest)


def file_scores(clips: Iterable[ClipScore], fraction: float) -> dict[ScoreName, float]:
    """The scores of a whole file from those of its clips: how detection, validation and evaluation all pool.

    A file is as suspect as its most suspect face, and its sound belongs to its picture if it does for one
    face. Where no face was judged, the sound alone decides.

    Args:
        clips: Every clip that was judged. `track_id` is None for sound alone, also where a clip's face was
            taken out. The sound of a window counts once, however many faces carry it.
        fraction: Share of the highest clips that a face's, or the sound's, score averages: `pool_fraction`.

    Returns:
        The scores; what could not be judged is left out. Empty if nothing was.
    """
    tracks: dict[int, list[ClipScore]] = {}
    heard: dict[Window, float] = {}
    sound: dict[Window, float] = {}
    # Sound alone first: where both are given, its score is the window's.
    for clip in sorted(clips, key=lambda clip: clip.track_id is not None):
        if "audio" in clip.scores:
            heard.setdefault(clip.window, clip.scores["audio"])
        if clip.track_id is not None:
            tracks.setdefault(clip.track_id, []).append(clip)
        elif "overall" in clip.scores:
            sound.setdefault(clip.window, clip.scores["overall"])
    faces: dict[ScoreName, list[float]] = {
        name: [score for track in tracks.values() if (score := pool_clips(track, name, fraction)) is not None]
        for name in ("overall", "video", "sync")
    }
    pooled = {
        "overall": max(faces["overall"], default=pool(list(sound.values()), fraction)),
        "video": max(faces["video"], default=None),
        "audio": pool(list(heard.values()), fraction),
        "sync": min(faces["sync"], default=None),
    }
    return {name: score for name in SCORES if (score := pooled[name]) is not None}


def pool_clips(clips: Iterable[ClipScore], name: ScoreName, fraction: float) -> float | None:
    """One score of a face, or of the sound, from its clips; None if none of them has it."""
    return pool([clip.scores[name] for clip in clips if name in clip.scores], fraction)


def per_second(clips: Iterable[ClipScore]) -> list[Second]:
    """Scores of each second: the mean over the clips that reach into it, weighted by how far they do.

    Args:
        clips: The clips of one track, or those of the sound.

    Returns:
        The seconds from the first to the last that a clip reaches; those between that none reaches
        have no scores.
    """
    sums: dict[int, dict[ScoreName, tuple[float, float]]] = {}
    ends: dict[int, float] = {}
    for clip in clips:
        for second in range(int(clip.window.start_s), math.ceil(clip.window.end_s)):
            weight = min(clip.window.end_s, second + 1) - max(clip.window.start_s, second)
            ends[second] = max(ends.get(second, 0.0), min(clip.window.end_s, second + 1))
            row = sums.setdefault(second, {})
            for name, score in clip.scores.items():
                total, weights = row.get(name, (0.0, 0.0))
                row[name] = total + weight * score, weights + weight
    if not sums:
        return []
    seconds = range(min(sums), max(sums) + 1)
    return [_second(second, ends.get(second, second + 1.0), sums.get(second, {})) for second in seconds]


def _second(start: int, end_s: float, sums: Mapping[ScoreName, tuple[float, float]]) -> Second:
    means = {name: min(1.0, total / weights) for name, (total, weights) in sums.items()}
    return Second(start_s=float(start), end_s=end_s, **means)


def merge(tracks: Iterable[Sequence[Second]], sound: Sequence[Second]) -> list[Second]:
    """The timeline of the file from those of its faces and its sound.

    A second is as suspect as its most suspect face. Sound and picture belong together if they do for
    one face: `sync` is the lowest of all. Where no face was judged, the sound alone decides.
    """
    rows: dict[float, list[Second]] = {}
    heard = {second.start_s: second for second in sound}
    for track in tracks:
        for second in track:
            rows.setdefault(second.start_s, []).append(second)
    merged = []
    for start_s in sorted(rows.keys() | heard.keys()):
        faces, sounds = rows.get(start_s, []), [heard[start_s]] if start_s in heard else []
        overall = _of(faces, "overall") or _of(sounds, "overall")
        sync = _of(faces, "sync")
        merged.append(
            Second(
                start_s=start_s,
                end_s=max(second.end_s for second in [*faces, *sounds]),
                overall=max(overall, default=None),
                video=max(_of(faces, "video"), default=None),
                audio=max(_of(sounds, "audio"), default=None),
                sync=min(sync, default=None),
            )
        )
    return merged


def _of(seconds: Iterable[Second], name: ScoreName) -> list[float]:
    return [score for second in seconds if (score := getattr(second, name)) is not None]


def segments(timeline: Sequence[Second], config: TimelineConfig, *, names: Sequence[ScoreName]) -> list[Segment]:
    """Stretches whose score reaches the threshold.

    Args:
        timeline: Seconds in order.
        config: Threshold, the gap over which stretches are joined, and the least length.
        names: Which scores to look at.

    Returns:
        Segments in order of time.
    """
    found: list[Segment] = []
    for name in names:
        runs: list[list[Second]] = []
        for second in timeline:
            score = getattr(second, name)
            if score is None or score < config.threshold:
                continue
            if runs and second.start_s - runs[-1][-1].end_s <= config.merge_gap_s:
                runs[-1].append(second)
            else:
                runs.append([second])
        for run in runs:
            if run[-1].end_s - run[0].start_s >= config.min_segment_s:
                score = max(getattr(second, name) for second in run)
                found.append(Segment(start_s=run[0].start_s, end_s=run[-1].end_s, modality=name, score=score))
    return sorted(found, key=lambda segment: (segment.start_s, segment.modality))
