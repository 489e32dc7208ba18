"""The curves of a study: ROC, precision–recall, DET, reliability, histograms."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from scipy.stats import norm

from hashformer.evaluate import curves
from hashformer.evaluate.curves import Floats, Ints
from hashformer.report.study_axes import STUDY_COLOURS, Drawing, drawn_text, interval_text, legend, one_axis, style
from hashformer.report.study_parts import ScoreSet
from hashformer.report.svg import inline_svg

_SQUARE_IN = (4.7, 4.3)
_BINS = 20
_DET_TICKS = (0.001, 0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
_DET_ENDS = (0.0008, 0.97)
# Corners closer than this cannot be told apart in print.
_RESOLUTION = 0.002
_CLIP_DASHES = (0, (4, 1.8))


def draw_curves(sets: Sequence[ScoreSet]) -> list[Drawing]:
    """ROC, precision–recall, DET and reliability of all sets, then histograms; [] without any sample."""
    sets = [one for one in sets if len(one.labels)]
    if not sets:
        return []
    undrawn = [f"{one.name} ({one.auc.reason})" for one in sets if curves.roc(one.labels, one.scores) is None]
    missing = f" Not drawn: {'; '.join(undrawn)}." if undrawn else ""
    found = []
    if len(undrawn) < len(sets):
        found = [_roc(sets, missing), _precision_recall(sets, missing), _det(sets, missing)]
    return [*found, _reliability(sets), *([_histograms(files)] if (files := _for_histograms(sets)) else [])]


def curve_points(one: ScoreSet) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """The drawn curves of a set as numbers: `roc`, `precision_recall`, `det`; none of one class alone."""
    for name, function in (("roc", curves.roc), ("precision_recall", curves.precision_recall), ("det", curves.det)):
        curve = function(one.labels, one.scores)
        if curve is not None:
            axes = curve._fields[:2]
            x, y = thinned(curve[0], curve[1])
            yield name, dict(zip(axes, (x.round(6).tolist(), y.round(6).tolist()), strict=True))


def thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Leave out points of a curve that the eye cannot tell from the one kept before; the ends stay."""
    kept = [0]
    for i in range(1, len(x) - 1):
        if abs(x[i] - x[kept[-1]]) + abs(y[i] - y[kept[-1]]) >= _RESOLUTION:
            kept.append(i)
    kept.append(len(x) - 1)
    return x[kept], y[kept]


def _roc(sets: Sequence[ScoreSet], missing: str) -> Drawing:
    def points(one: ScoreSet) -> tuple[Floats, Floats] | None:
        curve = curves.roc(one.labels, one.scores)
        return None if curve is None else (curve.fpr, curve.tpr)

    figure, axis = one_axis(_SQUARE_IN)
    axis.plot([0, 1], [0, 1], color=STUDY_COLOURS["threshold"], linewidth=0.9, linestyle=(0, (6, 3)))
    _lines(axis, sets, points, lambda one: f"{drawn_text(one.name)}: {interval_text(one.auc)}")
    _unit(axis, x="real called fake (false positive rate)", y="fakes found (true positive rate)")
    legend(axis, "lower right")
    caption = f"In the legend: area under the curve and its interval. Dashed line: guessing.{missing}"
    return _drawing(figure, "ROC", caption)


def _precision_recall(sets: Sequence[ScoreSet], missing: str) -> Drawing:
    def points(one: ScoreSet) -> tuple[Floats, Floats] | None:
        curve = curves.precision_recall(one.labels, one.scores)
        return None if curve is None else (curve.recall, curve.precision)

    figure, axis = one_axis(_SQUARE_IN)
    share = float(sets[0].labels.mean())
    axis.axhline(share, color=STUDY_COLOURS["threshold"], linewidth=0.9, linestyle=(0, (6, 3)))
    _lines(axis, sets, points, lambda one: drawn_text(one.name))
    _unit(axis, x="fakes found (recall)", y="fakes among those called fake (precision)")
    legend(axis, "best")
    caption = (
        f"Dashed line: guessing; {100 * share:.0f} % of “{sets[0].name}” are fake. Precision depends on that share: "
        f"compare only with sets of the same.{missing}"
    )
    return _drawing(figure, "Precision and recall", caption)


def _det(sets: Sequence[ScoreSet], missing: str) -> Drawing:
    def points(one: ScoreSet) -> tuple[Floats, Floats] | None:
        curve = curves.det(one.labels, one.scores)
        if curve is None:
            return None
        return norm.ppf(curve.fpr.clip(*_DET_ENDS)), norm.ppf(curve.fnr.clip(*_DET_ENDS))

    figure, axis = one_axis(_SQUARE_IN)
    ticks, ends = norm.ppf(_DET_TICKS), norm.ppf(_DET_ENDS)
    axis.plot(ends, ends, color=STUDY_COLOURS["threshold"], linewidth=0.9, linestyle=(0, (6, 3)))
    _lines(axis, sets, points, lambda one: drawn_text(one.name))
    style(axis, x="real called fake", y="fakes missed")
    names = [f"{100 * tick:g} %" for tick in _DET_TICKS]
    axis.set_xticks(ticks, names)
    axis.set_yticks(ticks, names)
    axis.set_xlim(*ends)
    axis.set_ylim(*ends)
    legend(axis, "best")
    caption = (
        f"Both errors on a normal scale; the dashed line, where they are equal, meets a curve at its EER.{missing}"
    )
    return _drawing(figure, "DET", caption)


def _reliability(sets: Sequence[ScoreSet]) -> Drawing:
    figure, axis = one_axis(_SQUARE_IN)
    axis.plot([0, 1], [0, 1], color=STUDY_COLOURS["threshold"], linewidth=0.9, linestyle=(0, (6, 3)))
    for number, one in enumerate(sets):
        table = curves.reliability(one.labels, one.scores)
        filled = table.n > 0
        x, y, n = table.mean_score[filled], table.share_fake[filled], table.n[filled]
        if number == 0:
            low, high = _wilson(y, n)
            axis.vlines(x, low, high, color=STUDY_COLOURS[one.head], linewidth=1, alpha=0.6)
        axis.plot(x, y, label=drawn_text(one.name), marker="o", markersize=3.5, **_line(one))
    _unit(axis, x="score", y="share of fakes at this score")
    legend(axis, "best")
    caption = (
        f"Fifteen bins of the score. On the dashed line a score is the chance of a fake. Lines up and down: 95 % "
        f"intervals of “{sets[0].name}”, if each were drawn by itself (Wilson)."
    )
    return _drawing(figure, "Reliability", caption)


def _for_histograms(sets: Sequence[ScoreSet]) -> list[ScoreSet]:
    return [one for one in sets if one.whole_files] or list(sets)


def _histograms(sets: Sequence[ScoreSet]) -> Drawing:
    columns = min(2, len(sets))
    rows = math.ceil(len(sets) / columns)
    figure = Figure(figsize=(9.6, 0.5 + 2.1 * rows), layout="constrained")
    FigureCanvasSVG(figure)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    edges = np.linspace(0, 1, _BINS + 1)
    for axis, one in zip(panels, sets, strict=False):
        for label, name, hatch in ((0, "real", None), (1, "fake", "////")):
            scores = one.scores[one.labels == label]
            shares = np.histogram(scores, edges)[0] / max(1, len(scores))
            colour = STUDY_COLOURS[name]
            axis.stairs(shares, edges, fill=True, color=colour, alpha=0.28, hatch=hatch, linewidth=0)
            axis.stairs(shares, edges, color=colour, linewidth=1.4, label=f"{name} ({len(scores)})")
        style(axis, x="score", y="share of the class")
        axis.set_xlim(0, 1)
        axis.set_title(
            drawn_text(one.name), loc="left", fontsize=8.5, fontweight="bold", color=STUDY_COLOURS["ink"], pad=4
        )
        legend(axis, "best")
    for axis in panels[len(sets) :]:
        axis.set_visible(False)
    return _drawing(figure, "Scores", "Where the scores of real and fake lie, each class by itself.")


def _lines(
    axis: Axes,
    sets: Sequence[ScoreSet],
    points: Callable[[ScoreSet], tuple[Floats, Floats] | None],
    name: Callable[[ScoreSet], str],
) -> None:
    for one in sets:
        found = points(one)
        if found is not None:
            x, y = thinned(*found)
            axis.plot(x, y, label=name(one), **_line(one))


def _line(one: ScoreSet) -> dict[str, Any]:
    return {
        "color": STUDY_COLOURS[one.head],
        "linewidth": 1.8 if one.head == "overall" else 1.3,
        "linestyle": "-" if one.whole_files else _CLIP_DASHES,
    }


def _wilson(share: Floats, n: Ints, z: float = 1.96) -> tuple[Floats, Floats]:
    """Source: Wilson, Journal of the American Statistical Association 22, 1927."""
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - reach, middle + reach


def _unit(axis: Axes, *, x: str, y: str) -> None:
    style(axis, x=x, y=y)
    axis.set_xlim(-0.01, 1.01)
    axis.set_ylim(-0.01, 1.01)


def _drawing(figure: Figure, title: str, caption: str) -> Drawing:
    return Drawing(title, inline_svg(figure, f"study {title}", STUDY_COLOURS), caption, f"{title}. {caption}")
