"""The noun that every forgery returns, and what is true of any stretch of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hashformer.timebase import Window
from hashformer.types import Clip

Stream = Literal["picture", "sound"]
Partner = Literal["none", "moment", "person", "other"]
"""Which second clip a forgery needs: none; another moment of the same file; another file of the same
person (or another moment, where there is none); a file of another person."""
Truth = Literal["video", "audio", "sync"]

MIN_OVERLAP_S = 0.08
"""A stretch shows a forgery if it shares at least this much with it: two frames at 25 fps."""


class Span(NamedTuple):
    """Seconds of the file, like those of `Clip.window`."""

    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class Forged:
    """A forged clip and the truth about it.

    Attributes:
        clip: The forged clip. Its window may be shorter than that of the real one, and lies within it.
        kind: Name of the forgery, a key of `FORGERIES`.
        spans: When `video`, `audio` and `sync` are false, in seconds of the file: an empty tuple is genuine
            throughout, a key that is missing is not known.
        mask: How far each pixel was changed, 0–255, (T, H, W) uint8; None without a picture.
    """

    clip: Clip
    kind: str
    spans: Mapping[Truth, tuple[Span, ...]]
    mask: NDArray[np.uint8] | None = None

    def labels(self, window: Window) -> dict[str, float]:
        """Labels of a stretch: 1 = fake, 0 = real, NaN = not known, as `data.labels.clip_labels` gives them."""
        known = {truth: float(_shows(spans, window)) for truth, spans in self.spans.items()}
        overall = max(known.values(), default=float("nan"))
        if overall == 0 and len(known) < 3:
            overall = 0.0  # what is not known is never what was forged
        return {name: known.get(name, float("nan")) for name in ("video", "audio", "sync")} | {"overall": overall}


def _shows(spans: tuple[Span, ...], window: Window) -> bool:
    return any(
        min(span.end_s, window.end_s) - max(span.start_s, window.start_s) >= MIN_OVERLAP_S - 1e-9 for span in spans
    )


class Forgery(Protocol):
    """Makes a forged clip of a real one; never changes what it is given."""

    def __call__(self, clip: Clip, partner: Clip | None, *, rng: np.random.Generator, sample_rate_hz: int) -> Forged:
        """Forge.

        Args:
            clip: Real; any length of at least a second. `waveform` has `context_samples` on both sides.
            partner: The second clip, if `ForgeryKind.partner` asks for one; it may be of another length.
            rng: The only source of chance.
            sample_rate_hz: Rate of the sound of both.

        Raises:
            ForgeryError: If this clip cannot be forged so; the message says why. Draw another kind then.
        """


@dataclass(frozen=True, kw_only=True)
class ForgeryKind:
    """A forgery and what it needs.

    Attributes:
        name: As in `FORGERIES`, `Forged.kind` and the manifest's `method`.
        make: The function.
        needs: Streams that the clip (and the partner, if any) must have.
        partner: Which second clip.
    """

    name: str
    make: Forgery
    needs: frozenset[Stream] = field(default_factory=frozenset)
    partner: Partner = "none"
