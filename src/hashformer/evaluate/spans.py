"""Suspect segments against the fake ones that a manifest gives, from the clips of the score table."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from hashformer.config import TimelineConfig
from hashformer.evaluate.localisation import FileSegments, localisation
from hashformer.evaluate.metrics import Value
from hashformer.results import Second
from hashformer.timebase import Window
from hashformer.timeline import ClipScore, merge, per_second, segments

THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""Stretches above each of these are proposed: an AP needs proposals in an order, not one answer."""
_TICKS = 1_000_000
"""Clip times are kept in the table as seconds; as whole microseconds they are exact windows."""


def localised(table: pa.Table, config: TimelineConfig) -> dict[str, Value] | None:
    """AP and AR of suspect segments on the file's timeline of whole seconds; None if no fake segment is given.

    Every stretch of seconds above one of several thresholds is a proposal; its score is the mean of its
    seconds. A file that gave no score has no proposals, and its segments are missed.

    Args:
        table: The score table.
        config: How stretches become segments; its threshold is one of those tried.
    """
    files = table.filter(pc.equal(table["level"], "file")).select(["path", "fake_segments"]).to_pylist()
    truth = {file["path"]: _union(json.loads(file["fake_segments"])) for file in files}
    if not any(truth.values()):
        return None
    clips = table.filter(pc.and_(pc.equal(table["level"], "clip"), pc.is_valid(table["score_overall"])))
    by_path: dict[str, list[ClipScore]] = defaultdict(list)
    for clip in clips.select(["path", "start_s", "end_s", "track_id", "score_overall"]).to_pylist():
        first, last = (round(clip[name] * _TICKS) for name in ("start_s", "end_s"))
        window = Window(first, last - first, _TICKS)
        score = ClipScore(window=window, track_id=clip["track_id"], scores={"overall": clip["score_overall"]})
        by_path[clip["path"]].append(score)
    return localisation(FileSegments(spans, proposals(by_path[path], config)) for path, spans in truth.items())


def proposals(clips: Iterable[ClipScore], config: TimelineConfig) -> list[tuple[float, float, float]]:
    """(start_s, end_s, score) of suspect stretches of one file, the same stretch once."""
    faces: dict[int | None, list[ClipScore]] = defaultdict(list)
    for clip in clips:
        faces[clip.track_id].append(clip)
    sound = per_second(faces.pop(None, []))
    timeline = merge([per_second(face) for face in faces.values()], sound)
    found: dict[tuple[float, float], float] = {}
    for threshold in sorted({*THRESHOLDS, config.threshold}):
        tried = config.model_copy(update={"threshold": threshold})
        for segment in segments(timeline, tried, names=("overall",)):
            found[segment.start_s, segment.end_s] = _mean(timeline, segment.start_s, segment.end_s)
    return [(start_s, end_s, score) for (start_s, end_s), score in sorted(found.items())]


def _mean(timeline: Sequence[Second], start_s: float, end_s: float) -> float:
    inside = [s.overall or 0.0 for s in timeline if start_s <= s.start_s and s.end_s <= end_s]
    return sum(inside) / len(inside)


def _union(spans: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """The seconds in which anything is fake, as spans that do not overlap."""
    joined: list[tuple[float, float]] = []
    for start_s, end_s in sorted((span[0], span[1]) for span in spans):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end_s, joined[-1][1]))
        else:
            joined.append((start_s, end_s))
    return joined
