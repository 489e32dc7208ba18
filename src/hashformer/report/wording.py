"""The words and number formats that a person reads: verdicts, names of scores, times, sizes."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from hashformer.errors import ConfigError
from hashformer.results import Detection, Document, ScoreName

VerdictKind = Literal["fake", "clear", "unknown", "unread", "untrained"]


@dataclass(frozen=True)
class Verdict:
    """What the scores come to, in words: `kind` for the colour, `words` for the eye, `meaning` for care."""

    kind: VerdictKind
    words: str
    meaning: str


NOT_JUDGED = "not judged"

SCORE_NAMES: dict[ScoreName, str] = {
    "overall": "All together",
    "video": "Picture",
    "audio": "Sound",
    "sync": "Picture with sound",
}
SCORE_MEANINGS: dict[ScoreName, str] = {
    "overall": "Everything that could be judged, taken together. With several faces, the most suspect one counts.",
    "video": "How the face looks and moves: traces of a swapped, blended or generated face.",
    "audio": "How the voice sounds: traces of synthetic, cloned or converted speech.",
    "sync": "Whether lips and voice belong together: dubbed, shifted or re-animated speech.",
}

EVEN = 0.5
"""Score from which on a file is more likely fake than not; up to the threshold that is too little for a verdict."""
_OPINION = "This is a detector's opinion, not proof."


def threshold_of(document: Document) -> float:
    """The score at or above which a file counts as suspect, from the document's own settings.

    Raises:
        ConfigError: If the settings hold no `timeline.threshold`.
    """
    timeline = document.settings.get("timeline")
    threshold = timeline.get("threshold") if isinstance(timeline, dict) else None
    if not isinstance(threshold, int | float):
        raise ConfigError("settings: no timeline.threshold, so no verdict can be worded; pass the whole config")
    return float(threshold)


def scores_count(file: Detection) -> bool:
    """Whether the scores of a file mean anything: not if the weights are untrained, or unknown."""
    return file.weights.trained if file.weights else file.score is None


def verdict(file: Detection, threshold: float) -> Verdict:
    """Put the answer for one file into words. Weights that are not trained give no verdict."""
    if file.status == "error":
        return Verdict("unread", "Could not be read", "The file was not judged: nothing follows from it either way.")
    if file.status == "cannot_tell" or file.score is None:
        return Verdict("unknown", "Cannot tell", "The file was read, but holds too little to judge it by.")
    if not scores_count(file):
        return Verdict("untrained", "No verdict: untrained weights", "The scores below mean nothing.")
    if file.score >= threshold:
        return Verdict("fake", "Likely fake", f"The score is at or above the threshold. {_OPINION}")
    if file.score >= EVEN:
        return Verdict(
            "unknown",
            "Cannot tell",
            f"It is above one half and below the threshold: too many real files score as high. {_OPINION}",
        )
    return Verdict(
        "clear",
        "No sign of forgery found",
        f"The score is below the threshold. This does not show that the file is genuine. {_OPINION}",
    )


def score_text(score: float | None, threshold: float) -> str:
    """A score to two decimals, or as many as show on which side of the threshold it lies."""
    if score is None:
        return NOT_JUDGED
    for digits in range(2, 6):
        text = f"{score:.{digits}f}"
        if (float(text) >= threshold) == (score >= threshold):
            return text
    return repr(score)


def clock(time_s: float) -> str:
    """Time in a file as m:ss.s; minutes go on past 59."""
    tenths = round(time_s * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def axis_clock(time_s: float) -> str:
    """Time on an axis as m:ss."""
    whole = round(time_s)
    return f"{whole // 60}:{whole % 60:02d}"


def moment(created: str) -> str:
    """A moment in ISO 8601 for the eye: "2026-01-31 09:30:00 UTC"."""
    return datetime.fromisoformat(created).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def size_text(size_bytes: int) -> str:
    """A file size, exact and for the eye: "1 234 567 bytes (1.2 MB)"."""
    exact = f"{size_bytes:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") + " bytes"
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            return f"{exact} ({size_bytes / factor:.1f} {unit})"
    return exact


def visible(text: str) -> str:
    r"""Write control characters, and those that turn the reading direction, as `\u202e` and the like.

    A file name may hold them to look like another name.
    """
    return "".join(_escape(char) if _deceives(char) else char for char in text)


def _deceives(char: str) -> bool:
    turns = char in "\u200e\u200f\u061c" or "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"
    return turns or unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
