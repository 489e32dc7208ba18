"""The timeline of a file as a drawing: curves of the scores over time, suspect stretches, threshold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hashformer.report.svg import COLOURS, inline_svg
from hashformer.report.wording import SCORE_NAMES, axis_clock, scores_count
from hashformer.results import Detection, ScoreName, Second, Segment, TrackResult

MAX_POINTS = 1200
MAX_TRACKS = 6

_WIDTH_IN = 9.6
_FILE_PANEL_IN = 1.9
_TRACK_PANEL_IN = 1.05
_TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14400)
_MAX_TICKS = 11
_DENSE_POINTS = 300


@dataclass(frozen=True)
class Timeline:
    """A drawing and the words under it.

    Attributes:
        svg: The drawing, an SVG element.
        caption: What must be known to read it.
        left: Where time zero stands, as a share of the drawing's width.
        right: Where the last moment stands, likewise.
        end_s: The last moment.
        seconds: The scores that are drawn of the whole file.
    """

    svg: str
    caption: str
    left: float
    right: float
    end_s: float
    seconds: Sequence[Second]


# Dashes besides colours: the curves stay apart on a black-and-white print.
_CURVES: tuple[tuple[ScoreName, float, tuple[float, tuple[float, ...]]], ...] = (
    ("overall", 2.4, (0, ())),
    ("video", 1.2, (0, ())),
    ("audio", 1.2, (0, (5, 1.6))),
    ("sync", 1.2, (0, (1.4, 1.2))),
)


def draw_timeline(file: Detection, *, threshold: float) -> Timeline | None:
    """Draw the scores of a file over time: a panel for the whole file and one for each of its faces.

    Args:
        file: The answer; at most `MAX_TRACKS` of its faces, the most suspect, get a panel.
        threshold: Where the threshold line stands.

    Returns:
        The drawing as an inline SVG element, its colours CSS variables (`--plot-ink` and so on) that fall
        back to a light page's; None if no second has a score.
    """
    tracks = _tracks_to_draw(file)
    named = [name for name, _, _ in _CURVES if any(_has(name, seconds) for seconds in _timelines(file, tracks))]
    if not named:
        return None
    end_s = max(second.end_s for seconds in _timelines(file, tracks) for second in seconds)
    end_s = max(end_s, file.duration_s or 0.0)
    bin_s = max(1, math.ceil(end_s / MAX_POINTS))
    figure = Figure(figsize=(_WIDTH_IN, _FILE_PANEL_IN + _TRACK_PANEL_IN * len(tracks) + 0.65), layout="constrained")
    FigureCanvasSVG(figure)
    heights = [_FILE_PANEL_IN, *[_TRACK_PANEL_IN] * len(tracks)]
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    line_scale = 1.0 if end_s / bin_s <= _DENSE_POINTS else 0.55
    panel = partial(_draw_panel, threshold=threshold, line_scale=line_scale)
    seconds = pool(file.timeline, bin_s)
    panel(axes[0], "Whole file", seconds, file.segments)
    for axis, track in zip(axes[1:], tracks, strict=True):
        own = [segment for segment in file.segments if segment.track_id == track.track_id]
        panel(axis, f"Face {track.track_id}", pool(track.timeline, bin_s), own)
    _set_time_axis(axes[-1], end_s)
    _add_legend(figure, named, suspect=_shading_name(file))
    svg = inline_svg(figure, file.path)
    # Drawing has settled the layout, so that the place of the axes is known only now.
    place = axes[0].get_position()
    return Timeline(
        svg=svg,
        caption=_caption(file, tracks, named, bin_s),
        left=round(place.x0, 5),
        right=round(place.x1, 5),
        end_s=end_s,
        seconds=seconds,
    )


def pool(timeline: Sequence[Second], bin_s: int) -> list[Second]:
    """Thin a timeline out: the highest score of each stretch of `bin_s` seconds; null only if all of it is."""
    if bin_s <= 1:
        return list(timeline)
    bins: dict[int, list[Second]] = {}
    for second in timeline:
        bins.setdefault(int(second.start_s // bin_s), []).append(second)
    return [_highest(members) for _, members in sorted(bins.items())]


def _highest(members: list[Second]) -> Second:
    scores = {
        name: max((score for second in members if (score := getattr(second, name)) is not None), default=None)
        for name in SCORE_NAMES
    }
    return Second(start_s=members[0].start_s, end_s=max(second.end_s for second in members), **scores)


def _tracks_to_draw(file: Detection) -> list[TrackResult]:
    judged = [track for track in file.tracks if any(_has(name, track.timeline) for name in SCORE_NAMES)]
    # Whole-file scores of a single face that fills the file are that face's own.
    if len(judged) == 1 and judged[0].timeline == file.timeline:
        return []
    worst = sorted(judged, key=lambda track: -(track.score or 0.0))[:MAX_TRACKS]
    return [track for track in judged if track in worst]


def _timelines(file: Detection, tracks: list[TrackResult]) -> list[list[Second]]:
    return [file.timeline, *(track.timeline for track in tracks)]


def _has(name: ScoreName, timeline: Sequence[Second]) -> bool:
    return any(getattr(second, name) is not None for second in timeline)


def _draw_panel(
    axis: Axes,
    title: str,
    timeline: Sequence[Second],
    segments: Sequence[Segment],
    *,
    threshold: float,
    line_scale: float,
) -> None:
    for start_s, end_s in _merged(segments):
        # The edge keeps one second visible in a hundred minutes.
        colour = COLOURS["suspect"]
        axis.axvspan(start_s, end_s, facecolor=colour, edgecolor=colour, alpha=0.35, linewidth=0.8)
    axis.axhline(threshold, color=COLOURS["threshold"], linewidth=0.9, linestyle=(0, (6, 3)))
    for name, width, dashes in _CURVES:
        times, scores = _steps(timeline, name)
        axis.plot(
            times, scores, color=COLOURS[name], linewidth=width * line_scale, linestyle=dashes, solid_capstyle="butt"
        )
    axis.set_ylim(-0.04, 1.04)
    axis.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axis.set_title(title, loc="left", fontsize=8.5, fontweight="bold", color=COLOURS["ink"], pad=4)
    axis.tick_params(labelsize=8, labelcolor=COLOURS["muted"], color=COLOURS["grid"], length=3)
    axis.grid(visible=True, color=COLOURS["grid"], linewidth=0.6)
    axis.set_axisbelow(True)
    axis.patch.set_visible(False)
    for side, spine in axis.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(COLOURS["grid"])


def _merged(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    """The stretches covered by any segment: two tints on top of each other would look like a higher score."""
    stretches: list[tuple[float, float]] = []
    for segment in sorted(segments, key=lambda segment: segment.start_s):
        if stretches and segment.start_s <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(stretches[-1][1], segment.end_s))
        else:
            stretches.append((segment.start_s, segment.end_s))
    return stretches


def _steps(timeline: Sequence[Second], name: ScoreName) -> tuple[list[float], list[float]]:
    """The corners of a stepped curve: flat over each second, broken by a NaN where there is no score."""
    times: list[float] = []
    scores: list[float] = []
    last_end_s = None
    for second in timeline:
        score = getattr(second, name)
        if score is None:
            last_end_s = None
            continue
        if times and (last_end_s is None or second.start_s - last_end_s > 1e-6):
            times.append(times[-1])
            scores.append(math.nan)
        times += [second.start_s, second.end_s]
        scores += [score, score]
        last_end_s = second.end_s
    return times, scores


def _set_time_axis(axis: Axes, end_s: float) -> None:
    step_s = next((step for step in _TICK_STEPS_S if end_s / step < _MAX_TICKS), _TICK_STEPS_S[-1])
    ticks = [step_s * i for i in range(math.floor(end_s / step_s) + 1)]
    axis.set_xticks(ticks, [axis_clock(tick) for tick in ticks])
    axis.set_xlim(0, end_s)
    axis.set_xlabel("time in the file, min:s", fontsize=8, color=COLOURS["muted"])


def _add_legend(figure: Figure, named: list[ScoreName], *, suspect: str | None) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=COLOURS[name], linewidth=width, linestyle=dashes, label=SCORE_NAMES[name])
        for name, width, dashes in _CURVES
        if name in named
    ]
    handles.append(Line2D([], [], color=COLOURS["threshold"], linewidth=0.9, linestyle=(0, (6, 3)), label="Threshold"))
    if suspect:
        handles.append(Patch(facecolor=COLOURS["suspect"], alpha=0.5, label=suspect))
    figure.legend(
        handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, fontsize=8,
        labelcolor=COLOURS["ink"], handlelength=2.4, columnspacing=1.6, borderaxespad=0.2,
    )  # fmt: skip


def _shading_name(file: Detection) -> str | None:
    if not file.segments:
        return None
    return "Suspect stretch" if scores_count(file) else "Above the threshold"


def _caption(file: Detection, tracks: list[TrackResult], named: list[ScoreName], bin_s: int) -> str:
    parts = ["Scores second by second: P(fake), from 0 to 1. A break in a curve is a time that could not be judged."]
    missing = [SCORE_NAMES[name].lower() for name in SCORE_NAMES if name not in named]
    if missing:
        parts.append(f"Not judged at any time: {', '.join(missing)}.")
    if bin_s > 1:
        parts.append(
            f"The file is long: each point is the highest score of {bin_s} seconds; shorter breaks are hidden."
        )
    scored = sum(track.score is not None for track in file.tracks)
    if len(tracks) == MAX_TRACKS < scored:
        parts.append(f"Of {scored} faces with a score, the {MAX_TRACKS} with the highest are drawn.")
    return " ".join(parts)
