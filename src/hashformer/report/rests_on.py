"""What a score rests on, in words: heat maps, their check, and how often the weights err."""

from collections.abc import Sequence
from statistics import fmean

from hashformer.results import Detection, HeatMap, Occlusion, WeightsCard

MAP_NAMES = {
    ("video", "attention"): "Where attention to the face moved the score",
    ("audio", "attention"): "Where attention to the sound moved the score",
    ("video", "where"): "Where the network says that the face is forged",
    ("video", "traces"): "Where single frames show traces of forgery",
    ("audio", "traces"): "Where the sound bears traces of a synthetic voice",
}
_THIRDS_DOWN = ("upper", "middle", "lower")
_THIRDS_ACROSS = ("left", "centre", "right")
_PITCH = ("high", "middle", "low")
_TIME = ("early", "half-way", "late")


def occlusion_words(check: Occlusion) -> str:
    """Say what hiding the marked region does, and whether the map means anything."""
    elsewhere = [score - check.score for score in check.scores_elsewhere_hidden]
    numbers = (
        f"hiding the marked region changes the score by {_signed(check.score_marked_hidden - check.score)}, "
        f"hiding as much elsewhere by {_signed(fmean(elsewhere))} "
        f"(mean of {len(elsewhere)} places, {_signed(min(elsewhere))} to {_signed(max(elsewhere))})"
    )
    if check.explains:
        return f"The score rests on the marked region: {numbers}."
    return f"This map explains nothing: {numbers}."


def hottest_words(heat_map: HeatMap) -> str:
    """Say where a map is hottest, for those who cannot see it."""
    rows, columns = len(heat_map.values), len(heat_map.values[0])
    row, column = max(
        ((row, column) for row in range(rows) for column in range(columns)),
        key=lambda place: heat_map.values[place[0]][place[1]],
    )
    down, across = 3 * row // rows, 3 * column // columns
    if heat_map.stream == "audio":
        return f"hottest at {_PITCH[down]} pitch, {_TIME[across]} in the clip"
    return f"hottest at the {_THIRDS_DOWN[down]} {_THIRDS_ACROSS[across]} of the picture"


def score_name(card: WeightsCard | None) -> str:
    """What the large number beside the verdict is."""
    if card is not None and card.calibrated:
        return "calibrated probability that it is fake"
    return "score, P(fake), not calibrated" if card is not None else "score, P(fake)"


def how_unusual(file: Detection) -> str | None:
    """How many real files score as high as this one, as far as the weight file knows."""
    # A limit above 1 says that there were too few real files to know.
    known = {float(rate): limit for rate, limit in (file.card.thresholds if file.card else {}).items() if limit <= 1}
    if file.score is None or not known:
        return None
    reached = [rate for rate, limit in known.items() if file.score >= limit]
    if reached:
        return f"At most {_percent(min(reached))} of the real files that the weights were tuned on score as high."
    return f"More than {_percent(max(known))} of the real files that the weights were tuned on score as high."


def limits(card: WeightsCard) -> Sequence[tuple[str, float | None]]:
    """Rows of share of real files and the score that they reach; None where too few files were known."""
    rows = sorted((float(rate), limit) for rate, limit in card.thresholds.items())
    return [(_percent(rate), limit if limit <= 1 else None) for rate, limit in rows]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _signed(change: float) -> str:
    text = f"{abs(change):.2f}"
    return text if float(text) == 0 else ("−" if change < 0 else "+") + text
