"""The other drawings of a study: bars with intervals, robustness."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from hashformer.evaluate.intervals import Interval
from hashformer.report.study_axes import STUDY_COLOURS, Drawing, drawn_text, one_axis, style
from hashformer.report.study_parts import Robustness, Table
from hashformer.report.svg import inline_svg

MAX_BARS = 60


def draw_bars(table: Table) -> Drawing | None:
    """The column `table.bars` as bars with intervals; None if it has none, or no row with a value."""
    if table.bars is None:
        return None
    named = [(str(row[0]), row[table.bars]) for row in table.rows]
    values = [(name, cell) for name, cell in named if isinstance(cell, Interval) and cell.value is not None]
    if not values:
        return None
    shown = values[:MAX_BARS]
    figure, axis = one_axis((9.6, 0.75 + 0.27 * len(shown)))
    at = np.arange(len(shown))[::-1]
    axis.barh(at, [_number(cell.value) for _, cell in shown], height=0.62, color=STUDY_COLOURS["video"], alpha=0.45)
    # A dot, so that 0 is seen too.
    axis.plot([_number(cell.value) for _, cell in shown], at, "o", color=STUDY_COLOURS["video"], markersize=4)
    for y, (_, cell) in zip(at, shown, strict=True):
        if cell.low is not None and cell.high is not None:
            axis.plot(
                [cell.low, cell.high], [y, y], color=STUDY_COLOURS["ink"], linewidth=1.4, marker="|", markersize=6
            )
    if table.reference is not None:
        axis.axvline(table.reference, color=STUDY_COLOURS["threshold"], linewidth=0.9, linestyle=(0, (6, 3)))
    axis.set_yticks(at, [drawn_text(name, 38) for name, _ in shown])
    axis.set_ylim(-0.7, len(shown) - 0.3)
    style(axis, x=drawn_text(table.columns[table.bars]), y="")
    axis.set_xlim(0, max(1.0, *(_number(cell.high or cell.value) for _, cell in shown)))
    left_out = len(table.rows) - len(shown)
    caption = "Whiskers: the interval." if any(cell.low is not None for _, cell in shown) else ""
    if left_out:
        caption += f" {left_out} of {len(table.rows)} are not drawn: see the table."
    svg = inline_svg(figure, f"bars {table.key}", STUDY_COLOURS)
    return Drawing(table.title, svg, caption.strip(), f"{table.title}, as in the table below")


def draw_robustness(kinds: Sequence[Robustness]) -> Drawing | None:
    """A small panel for each kind of disturbance, all on one scale; None if there is none."""
    if not kinds:
        return None
    columns = min(4, len(kinds))
    rows = math.ceil(len(kinds) / columns)
    figure = Figure(figsize=(9.6, 0.4 + 2.05 * rows), layout="constrained")
    FigureCanvasSVG(figure)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    lows = [value.low if value.low is not None else value.value for kind in kinds for value in kind.values]
    floor = min([0.5, *(low for low in lows if low is not None)])
    for axis, kind in zip(panels, kinds, strict=False):
        _robustness_panel(axis, kind)
        axis.set_ylim(max(0.0, floor - 0.05), 1.02)
    for axis in panels[len(kinds) :]:
        axis.set_visible(False)
    metrics = " and ".join(dict.fromkeys(kind.metric for kind in kinds))
    caption = f"{metrics} by level; level 0 is undisturbed. Whiskers: the interval. A gap is an undefined value."
    svg = inline_svg(figure, "robustness", STUDY_COLOURS)
    return Drawing(
        "Robustness", svg, caption, f"{metrics} under {len(kinds)} kinds of disturbance, as in the table below"
    )


def _robustness_panel(axis: Axes, kind: Robustness) -> None:
    for level, value in zip(kind.levels, kind.values, strict=True):
        if value.low is not None and value.high is not None:
            axis.plot([level, level], [value.low, value.high], color=STUDY_COLOURS["muted"], linewidth=1.1)
    heights = [_number(value.value) for value in kind.values]
    axis.plot(kind.levels, heights, color=STUDY_COLOURS["video"], linewidth=1.6, marker="o", markersize=3.5)
    axis.axhline(0.5, color=STUDY_COLOURS["threshold"], linewidth=0.8, linestyle=(0, (6, 3)))
    axis.set_xticks(kind.levels)
    axis.tick_params(labelbottom=True, labelleft=True)
    style(axis, x="", y="")
    axis.set_title(
        drawn_text(kind.kind), loc="left", fontsize=8.5, fontweight="bold", color=STUDY_COLOURS["ink"], pad=4
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
