"""What the drawings of a study share: colours, axes, legends, numbers for the eye."""

from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from hashformer.evaluate.intervals import Interval
from hashformer.report.svg import COLOURS
from hashformer.report.wording import visible

STUDY_COLOURS = COLOURS | {"real": "#2f7290", "fake": "#b04434", "paper": "#fefefd"}


@dataclass(frozen=True)
class Drawing:
    """A drawing with its heading, the words under it and what a screen reader says."""

    title: str
    svg: str
    caption: str
    label: str


def one_axis(size_in: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure that can only become SVG, with one pair of axes."""
    figure = Figure(figsize=size_in, layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots()


def style(axis: Axes, *, x: str, y: str) -> None:
    """Name the axes; quiet lines, colours that the page can change."""
    axis.set_xlabel(x, fontsize=8.5, color=STUDY_COLOURS["muted"])
    axis.set_ylabel(y, fontsize=8.5, color=STUDY_COLOURS["muted"])
    axis.tick_params(labelsize=8, labelcolor=STUDY_COLOURS["muted"], color=STUDY_COLOURS["grid"], length=3)
    axis.grid(visible=True, color=STUDY_COLOURS["grid"], linewidth=0.6)
    axis.set_axisbelow(True)
    axis.patch.set_visible(False)
    for side, spine in axis.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(STUDY_COLOURS["grid"])


def legend(axis: Axes, place: Literal["best", "lower right"]) -> None:
    """A legend on a pane of the page's own colour."""
    paper = STUDY_COLOURS["paper"]
    axis.legend(
        loc=place, fontsize=7.5, labelcolor=STUDY_COLOURS["ink"], handlelength=2.2, facecolor=paper, edgecolor=paper,
        framealpha=0.8,
    )  # fmt: skip


def interval_text(value: Interval) -> str:
    """A metric for the eye: "0.912 [0.880, 0.941]", or "undefined"."""
    if value.value is None:
        return "undefined"
    if value.low is None or value.high is None:
        return f"{value.value:.3f}"
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def drawn_text(name: str, most: int = 60) -> str:
    """A name from outside, fit to be drawn: nothing in it is a formula, and no character hides or turns it."""
    shown = visible(name)
    shown = shown if len(shown) <= most else f"{shown[: most - 1]}…"
    return shown.replace("$", r"\$")
